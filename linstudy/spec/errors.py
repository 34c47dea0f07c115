"""Failures that a user can mend."""

LONGEST_LINE = 1000
"""Characters of a line in a message about a study."""


class LinstudyError(Exception):
    """An expected failure: its message says what was found, what is allowed and what to do."""


class StudyError(LinstudyError):
    """A study file that does not say what it should; a line or two for each mistake."""


def capped(line: str, longest: int = LONGEST_LINE) -> str:
    """A line, without its middle if it is longer than anyone reads: users' names and values have any length."""
    half = (longest - 5) // 2
    return line if len(line) <= longest else f"{line[:half]} ... {line[-half:]}"
