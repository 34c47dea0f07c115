"""Failures that a user can mend."""


class LinstudyError(Exception):
    """An expected failure: its message says what was found, what is allowed and what to do."""


class StudyError(LinstudyError):
    """A study file that does not say what it should; a line or two for each mistake."""
