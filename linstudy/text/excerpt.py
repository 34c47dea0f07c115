"""The beginning of a long text."""

LINES = 12
CHARACTERS_PER_LINE = 160


def excerpt(text: str, rest: str, lines: int = LINES) -> str:
    """`text`, or its first lines and how much is left out.

    Args:
        rest: Where all of it is.
        lines: How many are kept at most; characters are kept as for full lines.
    """
    text, most = text.rstrip(), lines * CHARACTERS_PER_LINE
    beginning = "\n".join(text[:most].split("\n")[:lines])
    if beginning == text:
        return text
    return f"{beginning.rstrip()}\n… {len(text) - len(beginning):,} more characters: {rest}"
