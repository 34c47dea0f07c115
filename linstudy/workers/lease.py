"""The right of a worker on another machine to write, which ends where its coordinator hears it no more.

The worker says a beat several times in a lease, and the coordinator answers each. The lease holds from the saying of
the last beat that was answered; the coordinator waits longer since it heard one before it gives a worker up, answers it
no more, and lets another make its runs. So no clocks are compared, and a worker that is given up has ended, or ends as
soon as it can run again, before it writes.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable

from linstudy.workers.messages import Beat, Sender

LEASE = 45.0
"""Seconds."""

_BEATS = 9
"""In a lease."""


def silence(lease: float) -> float:
    """Seconds without a beat after which the coordinator gives a worker up."""
    return lease * 4 / 3


def now() -> float:
    """Seconds that also pass while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Lease:
    """A worker's side: it says beats, and ends its process when the lease is over.

    Args:
        end: Ends the process at once.
    """

    def __init__(self, sender: Sender, seconds: float, end: Callable[[], object] = lambda: os._exit(1)):
        self._sender, self._seconds, self._end = sender, seconds, end
        self._interval = seconds / _BEATS
        self._said: dict[int, float] = {}
        self._until = now() + seconds

    def keep(self) -> None:
        """Say beats, and watch, from two threads: one that says something can be held up by what carries it."""
        for work in (self._beat, self._watch):
            threading.Thread(target=work, daemon=True).start()

    def renew(self, beat: Beat) -> None:
        """The coordinator has answered."""
        said = self._said.pop(beat.count, None)
        if said is not None:
            self._until = max(self._until, said + self._seconds)

    def require(self) -> None:
        """End the process if the lease is over."""
        if now() > self._until:
            self._end()

    def _beat(self) -> None:
        count = 0
        while True:
            self._said[count] = now()
            with contextlib.suppress(OSError, ValueError):
                self._sender.send(Beat(count))
            count += 1
            time.sleep(self._interval)

    def _watch(self) -> None:
        while True:
            self.require()
            time.sleep(self._interval / 5)
