"""What can go wrong with a data set."""

from linstudy.spec.errors import LinstudyError


class DataError(LinstudyError):
    """A data set is missing, incomplete, damaged, or smaller than what was asked of it."""
