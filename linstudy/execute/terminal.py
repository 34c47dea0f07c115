"""Output that may be lost: what is shown is never worth a study."""

import os
from typing import TextIO


class Terminal:
    """A stream for a display; it falls silent when its reader is gone, be it a closed pipe or a dead terminal."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self.encoding = stream.encoding

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # ValueError: it is closed, or cannot encode the text
            self._fall_silent()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._fall_silent()

    def isatty(self) -> bool:
        return not self._stream.closed and self._stream.isatty()

    def print(self, line: str) -> None:
        """Write a line, seen at once."""
        self.write(f"{line}\n")
        self.flush()

    def _fall_silent(self) -> None:
        self._stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
