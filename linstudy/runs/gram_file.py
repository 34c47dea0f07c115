"""A Gram in a file to which several workers can write, block by block; the next attempt goes on with what is missing.

Whoever writes to it writes the same bytes, so that two who compute one block do no harm: claims save work, and nothing
depends on them. What is finished is on the disk before it is said to be.
"""

import json
import os
from contextlib import suppress
from dataclasses import asdict
from io import FileIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from jaxtyping import Float

from linstudy.resources import claim
from linstudy.tangent import Division

_FREE, _CLAIMED, _FINISHED = b".", b"c", b"f"


def discard(folder: Path | None, name: str) -> None:
    """Give back the room that a Gram of this name takes on the disk, if there is one; nothing needs it any more."""
    if folder is not None:
        for file in folder.glob(f"{name}.*"):
            file.unlink(missing_ok=True)


class GramFile:
    """`NAME.json` says what it is; `NAME.TOKEN.gram` has its entries, `NAME.TOKEN.blocks` a byte a block.

    Entries are written at their places, not mapped, to a file that is opened for writing alone: on a network file
    system two that had mapped one page, or read it to write a part of it, would undo what the other wrote.

    Attributes:
        division: Of the Gram into the blocks that are counted.
        token: Of this one file: a worker that reads it elsewhere has the same one before it.
        whole: How many blocks there are.
    """

    def __init__(self, folder: Path, name: str, note: dict[str, Any]):
        self.division, self.token = Division(**note["division"]), str(note["token"])
        self._path, self._states = _paths(folder, name, self.token)
        self._dtype = np.dtype(note["dtype"])
        self.whole = len(self.division.blocks())
        self._file = _open_to_write(self._path)

    def claim_next(self, *, from_end: bool = False) -> int | None:
        """The number of the first or the last block that nobody has claimed, which now is; None if there is none."""
        states = self._read()
        number = states.rfind(_FREE) if from_end else states.find(_FREE)
        if number < 0:
            return None
        self._mark(number, _CLAIMED)
        return number

    def unfinished(self) -> list[int]:
        """The numbers of the blocks that are not finished, those that nobody has claimed first."""
        states = self._read()
        numbers = [number for number in range(self.whole) if states[number : number + 1] != _FINISHED]
        return sorted(numbers, key=lambda number: states[number : number + 1] == _CLAIMED)

    def free(self) -> list[int]:
        """The numbers of the blocks that nobody has claimed."""
        states = self._read()
        return [number for number in range(self.whole) if states[number : number + 1] == _FREE]

    def write(self, rows: slice, columns: slice, values: Float[np.ndarray, "rows columns"]) -> None:
        """Write a tile and its mirror image.

        Raises:
            OSError: If it cannot be written.
        """
        self._write(rows.start, columns.start, values)
        if rows != columns:
            self._write(columns.start, rows.start, values.T)

    def finish(self, number: int) -> None:
        """Say that a block is finished, once it is on the disk."""
        os.fsync(self._file.fileno())
        self._mark(number, _FINISHED)

    def is_finished(self, number: int) -> bool:
        """Whether a block is finished, or the Gram is no longer needed."""
        with suppress(FileNotFoundError):
            return self._read()[number : number + 1] == _FINISHED
        return True

    def release(self, number: int) -> None:
        """Give back a block that was claimed, and is not finished."""
        with suppress(OSError):
            self._mark(number, _FREE)

    def array(self) -> Float[np.ndarray, "samples samples"]:
        """The Gram, as a mapped file."""
        samples = self.division.samples
        return np.memmap(self._path, self._dtype, "r+", shape=(samples, samples))

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def _write(self, row: int, column: int, values: np.ndarray) -> None:
        size = self._dtype.itemsize
        for number, line in enumerate(values, start=row):
            _write_at(self._file.fileno(), line.tobytes(), (number * self.division.samples + column) * size)

    def _read(self) -> bytes:
        return self._states.read_bytes()  # opened anew, so that a network file system asks its server

    def _mark(self, number: int, state: bytes) -> None:
        with _open_to_write(self._states) as file:
            os.pwrite(file.fileno(), state, number)


def make_gram_file(folder: Path, name: str, division: Division, dtype: Any, kind: str) -> GramFile:
    """The file of an attempt: what an earlier one has left, if it fits, else a new one, whose disk space is claimed.

    Args:
        kind: Of the device, since others round otherwise.

    Raises:
        LinstudyError: If the disk has no room for it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    form = {"dtype": np.dtype(dtype).str, "kind": kind, "division": asdict(division)}
    if (found := _open(folder, name, form)) is not None:
        for number in found.unfinished():
            found.release(number)
        return found
    discard(folder, name)
    note = {**form, "token": uuid4().hex}
    entries, states = _paths(folder, name, note["token"])
    with entries.open("wb") as file:
        claim(file, division.samples**2 * np.dtype(dtype).itemsize)
    states.write_bytes(_FREE * len(division.blocks()))
    temporary = folder / f"{name}.incoming"
    temporary.write_text(json.dumps(note))
    temporary.replace(folder / f"{name}.json")
    return GramFile(folder, name, note)


def find_gram_file(folder: Path, name: str, token: str, kind: str) -> GramFile | None:
    """The file that another worker writes to; None if there is none of this token, or the device is of another kind."""
    return _open(folder, name, {"token": token, "kind": kind})


def _open(folder: Path, name: str, form: dict[str, Any]) -> GramFile | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        note = json.loads((folder / f"{name}.json").read_text())
        if any(note[key] != value for key, value in form.items()):
            return None
        found = GramFile(folder, name, note)
        samples = found.division.samples
        right = (samples**2 * np.dtype(note["dtype"]).itemsize, found.whole)
        if tuple(path.stat().st_size for path in _paths(folder, name, found.token)) == right:
            return found
        found.close()
    return None


def _paths(folder: Path, name: str, token: str) -> tuple[Path, Path]:
    """Those of the entries and of the states; a new file never takes the place of one that others still write to."""
    return folder / f"{name}.{token}.gram", folder / f"{name}.{token}.blocks"


def _open_to_write(path: Path) -> FileIO:
    return FileIO(os.open(path, os.O_WRONLY), "wb")


def _write_at(descriptor: int, line: bytes, offset: int) -> None:
    while line:
        done = os.pwrite(descriptor, line, offset)
        line, offset = line[done:], offset + done
