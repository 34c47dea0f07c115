"""What workers print, in a file for each attempt."""

import re
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from linstudy.store.workspace import Workspace

HEAD_BYTES = 3 * 2**18
TAIL_BYTES = 2**18
"""Of what an attempt prints, the first 768 KiB and the last 256 KiB are kept."""

LAST_LINES = 5

_CHUNK = 2**16
_LONGEST_MARK = 300
_MARK = re.compile(rb"\n\x1e([^\n]*)\n")


def mark(log: str) -> bytes:
    """What a worker prints to say that the rest belongs to a log of this name; empty for its own."""
    return b"\n\x1e" + log.encode() + b"\n"


class Log:
    """A file of bounded size; it is made when something is printed."""

    def __init__(self, path: Path):
        self.path = path
        self._file: BinaryIO | None = None
        self._room = HEAD_BYTES
        self._tail: deque[bytes] = deque()
        self._waiting = self._left_out = 0

    def write(self, data: bytes) -> None:
        """Add to it."""
        if not data:
            return
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab", buffering=0)
        self._file.write(data[: self._room])
        self._keep(data[self._room :])
        self._room -= min(self._room, len(data))

    def close(self) -> None:
        """Write the end of what was beyond the first part."""
        if self._file is not None:
            note = f"\n[{self._left_out:,} bytes left out]\n".encode() if self._left_out else b""
            self._file.write(note + b"".join(self._tail))
            self._file.close()
            self._file = None
            self._tail.clear()

    def _keep(self, data: bytes) -> None:
        self._tail.append(data)
        self._waiting += len(data)
        while self._waiting - len(self._tail[0]) >= TAIL_BYTES:
            dropped = len(self._tail.popleft())
            self._waiting -= dropped
            self._left_out += dropped


class LogWriter:
    """Deals what one worker prints out to logs, by the marks in it."""

    def __init__(self, folder: Path, own: str):
        self.folder, self._own = folder, own
        self._log = Log(folder / own)
        self._held = b""

    def feed(self, data: bytes) -> None:
        """Take a piece of what was printed."""
        data = self._held + data
        end = _end_of_complete(data)
        printed, *rest = _MARK.split(data[:end])
        self._held = data[end:]
        self._log.write(printed)
        for name, printed in zip(rest[::2], rest[1::2], strict=True):
            self._log.close()
            self._log = Log(self.folder / (Path(name.decode(errors="replace")).name or self._own))
            self._log.write(printed)

    def follow(self, stream: BinaryIO) -> None:
        """Take all that is printed to a pipe, until its end."""
        with stream:
            while data := stream.read1(_CHUNK):  # type: ignore[attr-defined]
                with suppress(OSError, ValueError):  # a full disk must not stop what prints, nor odd marks
                    self.feed(data)

    def close(self) -> None:
        """Nothing more will be printed."""
        self._log.write(self._held)
        self._log.close()

    def last_words(self) -> str:
        """The end of the current log."""
        return "\n".join(read_end(self._log.path, LAST_LINES))


def log_file(workspace: Workspace, log: str) -> Path:
    """The file of an attempt's `log`: in the folder of logs, whatever the record says."""
    return workspace.logs / Path(log).name


def read_end(path: Path, lines: int) -> list[str]:
    """The last lines of a log, cut to 300 characters each; none where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return []
    return [line[:300] for line in text.splitlines()[-lines:]]


def _end_of_complete(data: bytes) -> int:
    """Where the beginning of a mark stands at the end of the data, else their end."""
    newline = data.rfind(b"\n")
    opened = data.rfind(b"\n\x1e")
    if newline == len(data) - 1 and newline >= 0 and newline != _closing(data, opened):
        return newline
    return opened if 0 <= opened == newline > len(data) - _LONGEST_MARK else len(data)


def _closing(data: bytes, opened: int) -> int:
    """Where the newline stands that ends the mark at a place."""
    return data.find(b"\n", opened + 1) if opened >= 0 else -1
