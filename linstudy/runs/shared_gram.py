"""The Gram of one run, block by block, by its worker and by others that have nothing to do."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import numpy as np
from jaxtyping import Float

from linstudy.facts import Divided
from linstudy.resources import SECONDS_TO_APPEAR
from linstudy.runs.context import progress_of
from linstudy.runs.gram_file import GramFile, find_gram_file, make_gram_file
from linstudy.runs.job import Job, Stopped
from linstudy.spec.errors import LinstudyError
from linstudy.tangent import GramBlocks

LEAST_SECONDS = 20.0
"""Of what is left of a Gram for help to be asked for: a worker takes about 5 s to start."""

LEAST_LEADS = 1.5
"""Of what is left at least, in times of what this worker took before its first tile: data, programs, features. A helper
takes about as long, and is of use in what then is left."""

LEAST_BYTES = 2**28
SECONDS_FOR_FILE = 40.0
"""Of a Gram that is held in a file for the sake of helpers, though it fits memory: to write 1.6 GB took 2 s of CPU."""


def pays(tiles: int, pace: float, lead: float) -> bool:
    """Whether help is asked for.

    Args:
        tiles: That nobody has begun.
        pace: Seconds that this worker takes for each.
        lead: Seconds that it took before its first.
    """
    return tiles * pace >= max(LEAST_SECONDS, LEAST_LEADS * lead)


class _Share:
    """What one worker does of a Gram."""

    def __init__(self, job: Job, blocks: GramBlocks, file: GramFile):
        self._job, self._file, self._blocks = job, file, blocks
        self.blocks = blocks.division.blocks()
        self._saving = ThreadPoolExecutor(1)
        self._saved: Future[None] | None = None
        self._first = self._last = 0.0
        self._tiles = 0

    @property
    def lead(self) -> float:
        """Seconds from the beginning of the job to the first tile."""
        return self._first - self._job.began

    @property
    def pace(self) -> float:
        """Seconds of each tile but the first; none before there are two."""
        return (self._last - self._first) / max(1, self._tiles - 1)

    def count_tiles(self, numbers: Iterable[int]) -> int:
        """Those of some blocks."""
        return sum(len(self.blocks[number]) for number in numbers)

    def compute(self, number: int, tell: Callable[[int], object]) -> None:
        """Compute a block, unless another worker has finished it meanwhile; it is finished soon after, see `wait`.

        Args:
            tell: Called with the number of its tiles that are there, after each. What it raises ends the work.
        """
        try:
            for done, tile in enumerate(self._blocks.tiles(self.blocks[number]), start=1):
                self._last, self._tiles = time.monotonic(), self._tiles + 1
                self._first = self._first or self._last
                self._file.write(*tile)
                if self._file.is_finished(number):
                    return
                tell(done)
        except BaseException:
            self._file.release(number)
            raise
        self.wait()
        self._saved = self._saving.submit(self._file.finish, number)  # the next one is computed meanwhile

    def wait(self) -> None:
        """Wait until the last block is on the disk."""
        if self._saved is not None:
            self._saved.result()

    def close(self) -> None:
        """Do no more; what was computed is finished first."""
        self._saving.shutdown()
        self._file.close()


def shared_gram(job: Job, blocks: GramBlocks, report: Callable[[float], None]) -> Float[np.ndarray, "samples samples"]:
    """The Gram, in a file of the job's; help is asked for where it pays.

    Args:
        report: Called with the fraction that is there, of all workers together.

    Raises:
        LinstudyError: If the disk has no room for it.
        Stopped: If the job is asked to stop.
    """
    assert job.resources.folder is not None
    file = make_gram_file(job.resources.folder, job.name, blocks.division, blocks.dtype, job.resources.kind)
    with closing(_Share(job, blocks, file)) as share:
        total, has_asked = share.count_tiles(range(file.whole)), False

        def compute(number: int) -> None:
            before = total - share.count_tiles(file.unfinished())
            share.compute(number, lambda done: report(min(1.0, (before + done) / total)))

        while (number := file.claim_next()) is not None:
            compute(number)
            free = file.free()
            asks = pays(share.count_tiles(free), share.pace, share.lead)
            if asks or has_asked:
                job.tell(Divided(file.token, len(free) if asks else 0))
            has_asked = asks
        if has_asked:
            job.tell(Divided(file.token, 0))
        share.wait()
        while left := file.unfinished():  # those of helpers, which may be lost
            compute(left[0])
            share.wait()
    return file.array()


def help_with_gram(job: Job, blocks: GramBlocks, file: GramFile, is_released: Callable[[], bool]) -> None:
    """Compute blocks of a Gram that another worker makes, until nobody has left one.

    Args:
        is_released: Asked before each block, whether that is enough.

    Raises:
        Stopped: If the job is asked to stop.
    """
    report = progress_of(job, "help")
    with closing(_Share(job, blocks, file)) as share:
        # from the end, where blocks have other rows than the owner's, or fewer: not all features are made twice
        while not is_released() and (number := file.claim_next(from_end=True)) is not None:
            share.compute(number, lambda done: report(0.0))
        share.wait()


def wait_for_file(job: Job, token: str, is_released: Callable[[], bool]) -> GramFile:
    """The file in which another worker makes the Gram of a job's run; it may appear late.

    Raises:
        LinstudyError: If this worker does not see it, or computes on another kind of device.
        Stopped: If the job is asked to stop, or released, before.
    """
    folder, deadline = job.resources.folder, time.monotonic() + SECONDS_TO_APPEAR
    while folder is not None:
        file = find_gram_file(folder, job.name, token, job.resources.kind)
        if file is not None:
            return file
        if job.stop() or is_released():
            raise Stopped
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)
    raise LinstudyError("the file of the Gram is not here, or this is another kind of device")
