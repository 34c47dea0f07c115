"""The labellings that a study can name."""
