"""What a worker has to work with: memory and its parts, a place for what exceeds it, and what it keeps between runs."""

import math
import mmap
import os
import tempfile
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np

from linstudy.spec.errors import LinstudyError

T = TypeVar("T")

LIMITS = {
    "features": 2 * 2**30,
    "gram": 4 * 2**30,
    "basis": 3 * 2**30,
    "span": 4 * 2**30,
    "networks": 4 * 2**30,
}
"""The most bytes that each part takes, however much memory there is."""

REST = 3 * 2**30
"""What the limits leave for programs, data, and blocks that are converted or multiplied."""


SECONDS_TO_APPEAR = 30.0
"""For a file that another machine wrote: network file systems keep for some seconds what they saw of a folder."""


class MemoryShortage(LinstudyError, MemoryError):
    """What a run needs at once is more than its worker has."""


@dataclass
class Cache:
    """What a worker keeps from one run for the next: of each name the last thing, with the key it was made for."""

    _entries: dict[str, tuple[Hashable, Any]] = field(default_factory=dict)

    def of(self, name: str, key: Hashable, make: Callable[[], T]) -> T:
        """The thing of a name that was made for a key; another one is given up before this one is made."""
        if name not in self._entries or self._entries[name][0] != key:
            self.drop(name)
            self._entries[name] = (key, make())
        return self._entries[name][1]

    def drop(self, name: str) -> None:
        """Give up the thing of a name, if there is one: a run needs the room."""
        self._entries.pop(name, None)

    def clear(self) -> None:
        """Give up everything."""
        self._entries.clear()


@dataclass(frozen=True)
class Resources:
    """What one worker may use. All parts shrink by one factor where the memory is less than their limits and the rest.

    Attributes:
        memory: Bytes, of all parts and the rest together; None if nothing limits them.
        threads: Processors; None if nothing limits them.
        scratch: Opens a file without a name for what exceeds memory; it is gone once nothing holds it.
        folder: For files that the next attempt at a run goes on with; None if there is no such place.
        kind: Of device: those of one kind round alike.
        cache: What is kept from one run for the next.
    """

    memory: int | None = None
    threads: int | None = None
    scratch: Callable[[], IO[bytes]] = tempfile.TemporaryFile
    folder: Path | None = None
    kind: str = ""
    cache: Cache = field(default_factory=Cache, compare=False)

    @property
    def features(self) -> int:
        """Bytes of tangent features held while a Gram is computed on CPUs."""
        return self._part("features")

    @property
    def gram(self) -> int:
        """Bytes up to which a Gram is held in memory; a larger one in a file, whose pages the system takes back."""
        return self._part("gram")

    @property
    def basis(self) -> int:
        """Bytes of the basis of a Krylov subspace."""
        return self._part("basis")

    @property
    def span(self) -> int:
        """Bytes of the Gram up to which linearizations train in function space by themselves.

        All that the features and the rest leave: the rows of a Gram in a file are read again and again, in random
        order, and as long as their pages stay in memory that is no slower.
        """
        return max(self._part("span"), 0 if self.memory is None else self.memory - LIMITS["features"] - REST)

    @property
    def networks(self) -> int:
        """Bytes of what networks that train as one program do not share."""
        return self._part("networks")

    def _part(self, name: str) -> int:
        share = 1.0 if self.memory is None else min(1.0, self.memory / (sum(LIMITS.values()) + REST))
        return int(share * LIMITS[name])

    def holds(self, size: int) -> bool:
        """Whether a Gram of some bytes is held in memory, not in a file."""
        return size <= self.gram

    def array(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """New room for a Gram: in memory up to its part of it, else in a mapped file, whose disk space is claimed.

        Raises:
            LinstudyError: If the disk has no room.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if self.holds(size):
            # at the start of a page, where a device that shares the host's memory takes it as it is
            return np.frombuffer(mmap.mmap(-1, max(size, 1)), dtype, math.prod(shape)).reshape(shape)
        file = self.scratch()
        claim(file, size)
        return np.memmap(file, dtype, "w+", shape=shape)

    def require(self, size: int, purpose: str, remedy: str) -> None:
        """See that the memory is enough for what cannot be cut into parts; beyond a Gram's part the cache is given up.

        Raises:
            MemoryShortage: If it is not, with both sizes and what to do.
        """
        if not self.holds(size):
            self.cache.clear()
        if self.memory is not None and size > self.memory:
            raise MemoryShortage(
                f"{purpose} takes {size / 2**30:,.1f} GiB of memory, and this worker has {self.memory / 2**30:,.1f}. "
                f"{remedy}, or give it more by --memory or fewer --workers"
            )


def claim(file: IO[bytes], size: int) -> None:
    """Claim the space on the disk now: where it ran out later, writing to the mapped file would kill the process."""
    if hasattr(os, "posix_fallocate"):  # all but macOS
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            raise LinstudyError(
                f"the Gram needs {size / 2**30:,.1f} GiB of disk in the scratch folder, which has no room for them "
                f"({error.strerror}): free some, choose another folder with --scratch, or take fewer samples"
            ) from error
