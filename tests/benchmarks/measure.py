"""Medians of calls that are made in turn: A B C, A B C, so that a machine's moods strike all alike."""

import dataclasses
import gc
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import jax

PAUSE = 0.3
"""Seconds before each timing: the threads of one library spin for a while after their work, on another's cores."""

LEAST = 0.2
"""Seconds that a timing should take; a shorter call is repeated, up to `MOST_IN_A_ROW` times, and divided."""

MOST_IN_A_ROW = 50

ENOUGH = 15.0
"""Seconds of timings, beyond which a candidate is not timed again, whatever the repeats."""

SLOW = 60.0
"""Seconds of a first call, beyond which it is taken for the one timing, though it may hold compilation."""

Run = Callable[[int], float]
"""Makes some calls in a row, and tells the seconds of one."""


@dataclasses.dataclass(frozen=True)
class Candidate:
    """Something to be timed.

    Attributes:
        run: None if it is left out, for the reason that `remark` gives.
        warm_up: Called first, in place of a call of `run`.
    """

    name: str
    run: Run | None
    warm_up: Callable[[], object] | None = None
    remark: str = ""


@dataclasses.dataclass(frozen=True)
class Timing:
    """The median seconds of a candidate's calls; None if it was left out or failed, for the reason in `remark`."""

    name: str
    seconds: float | None
    remark: str = ""


class LeftOutError(Exception):
    """Raised by a candidate that finds that it should not be measured, for the reason given."""


def calls(function: Callable[[], object]) -> Run:
    """Times calls of a function of this process, until its JAX results are there."""

    def run(times: int) -> float:
        start = time.perf_counter()
        for _ in range(times):
            jax.block_until_ready(function())
        return (time.perf_counter() - start) / times

    return run


def left_out(name: str, reason: str) -> Candidate:
    """A candidate that has a row, and no time."""
    return Candidate(name, None, remark=f"left out: {reason}")


def measure(
    candidates: Sequence[Candidate], repeats: int, *, pause: float = PAUSE, least: float = LEAST
) -> list[Timing]:
    """Warm up every candidate, then time them in turn. What fails says so in its timing; the others go on."""
    attempts = [_Attempt(candidate, least) for candidate in candidates]
    for attempt in attempts:
        attempt.warm_up()
    for _ in range(repeats):
        for attempt in attempts:
            attempt.take(pause)
    return [attempt.timing(repeats) for attempt in attempts]


class _Attempt:
    """A candidate with its times."""

    def __init__(self, candidate: Candidate, least: float):
        self._candidate, self._least = candidate, least
        self._times: list[float] = []
        self._failure: str | None = None
        self._in_a_row = 1
        self._spent = 0.0
        self._counted = ""

    def warm_up(self) -> None:
        if self._candidate.run is None:
            return
        try:
            self._first_calls(self._candidate.run)
        except Exception as error:
            self._fail(error)
        gc.collect()

    def _first_calls(self, run: Run) -> None:
        start, called = time.perf_counter(), 0.0
        if self._candidate.warm_up is None:
            called = run(1)
        else:
            self._candidate.warm_up()
        first = time.perf_counter() - start
        print(f"  {self._candidate.name}: warm after {first:.3g} s", file=sys.stderr, flush=True)
        if called > SLOW:
            self._times, self._spent = [called], called
            self._counted = "1 call, compilation included"
        elif self._least > 0 and first < ENOUGH:
            self._in_a_row = min(MOST_IN_A_ROW, math.ceil(self._least / max(run(1), 1e-9)))

    def take(self, pause: float) -> None:
        if self._candidate.run is None or self._failure is not None or self._spent > ENOUGH:
            return
        time.sleep(pause)
        try:
            self._times.append(self._candidate.run(self._in_a_row))
        except Exception as error:
            self._fail(error)
        else:
            self._spent += self._in_a_row * self._times[-1]

    def _fail(self, error: Exception) -> None:
        if isinstance(error, LeftOutError):
            self._failure = f"left out: {error}"
            return
        lines = str(error).strip().splitlines() or [""]
        self._failure = f"failed: {type(error).__name__}: {lines[0][:160]}"

    def timing(self, repeats: int) -> Timing:
        if self._failure is not None or not self._times:
            return Timing(self._candidate.name, None, self._failure or self._candidate.remark)
        number = len(self._times)
        counted = f"{number} call{'s' * (number > 1)}" if number < repeats else ""
        remarks = "; ".join(filter(None, (self._candidate.remark, self._counted or counted)))
        return Timing(self._candidate.name, statistics.median(self._times), remarks)
