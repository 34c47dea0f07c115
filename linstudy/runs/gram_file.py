"""A Gram in a file that outlives its attempt, so that the next one goes on with the tiles that are missing."""

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from linstudy.resources import claim
from linstudy.tangent.tiling import Finished

SECONDS_BETWEEN_NOTES = 60.0
"""What a killed worker loses of a Gram at most: what is finished is noted once the file's pages are on the disk."""


def discard(folder: Path | None, name: str) -> None:
    """Give back the room that a Gram of this name takes on the disk, if there is one; nothing needs it any more."""
    if folder is not None:
        for suffix in (".json", ".gram"):
            (folder / name).with_suffix(suffix).unlink(missing_ok=True)


class GramFile:
    """`NAME.gram` of a folder, and beside it `NAME.json`, which says how much of it is finished.

    Raises:
        LinstudyError: If the disk has no room for it.
    """

    def __init__(self, folder: Path, name: str, shape: tuple[int, ...], dtype: Any):
        folder.mkdir(parents=True, exist_ok=True)
        self._path, self._note = folder / f"{name}.gram", folder / f"{name}.json"
        self._form = {"shape": list(shape), "dtype": np.dtype(dtype).str}
        self._bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        self.finished = self._noted()
        if self.finished is None:
            self._note.unlink(missing_ok=True)
            with self._path.open("wb") as file:
                claim(file, self._bytes)
        self.array = np.memmap(self._path, dtype, "r+", shape=shape)
        self._last = self.finished
        self._noted_at = time.monotonic()

    def keep(self, finished: Finished) -> None:
        """Take tiles for finished; now and then, note it."""
        self._last = finished
        if time.monotonic() - self._noted_at >= SECONDS_BETWEEN_NOTES:
            self.note()

    def note(self) -> None:
        """Write down what is finished, after the tiles themselves."""
        if self._last is not None:
            self.array.flush()
            temporary = self._note.with_suffix(".incoming")
            temporary.write_text(json.dumps({**self._form, "order": self._last.order, "tiles": self._last.tiles}))
            temporary.replace(self._note)
        self._noted_at = time.monotonic()

    def _noted(self) -> Finished | None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            noted = json.loads(self._note.read_text())
            if {name: noted[name] for name in self._form} == self._form and self._path.stat().st_size == self._bytes:
                return Finished(noted["order"], noted["tiles"])
        return None
