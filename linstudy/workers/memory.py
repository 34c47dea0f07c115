"""The memory of a worker that meets one network shape after another."""

import ctypes
import gc
import resource
import sys
from contextlib import suppress
from pathlib import Path

PROGRAM_BYTES = 2**30
"""Held by the process, from which on its compiled programs are dropped: a network shape leaves 10 to 30 MB of them."""

GROWTH = 1.5
"""What is held after that, such as data, may grow by this factor before it is done again."""


class Programs:
    """Compiled programs of this process, dropped when the process has grown; on disk they are kept."""

    def __init__(self, limit: int = PROGRAM_BYTES):
        self._limit = limit

    def drop_if_large(self) -> None:
        """Drop them if the process holds more than the limit."""
        if resident_bytes() <= self._limit:
            return
        import jax

        jax.clear_caches()
        gc.collect()
        with suppress(OSError, AttributeError):  # only glibc keeps, and gives back, what was freed
            ctypes.CDLL(None).malloc_trim(0)
        self._limit = max(self._limit, int(GROWTH * resident_bytes()))


def resident_bytes() -> int:
    """The memory that this process holds; the most that it has held where the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
