"""Words for people: amounts, excerpts, lines that fit."""
