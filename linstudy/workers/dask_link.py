"""The coordinator's end of the way to a worker's process in a Dask cluster."""

import contextlib
import functools
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from linstudy.workers.lease import silence
from linstudy.workers.peer import SECONDS_TO_LEAVE, Death, Link
from linstudy.workers.processes import death


class DaskLink(Link):
    """The way to a process that a task holds.

    Args:
        place: The address of its Dask worker.
        lease: Seconds that the process may write since it was heard.
        begin: Gives the queue of what the process is told, and the task's future.
        forget: Called at its end.
        later: Has something done where the scheduler may be waited for, one after the other.
    """

    def __init__(
        self,
        place: str,
        lease: float,
        begin: Callable[[], tuple[Any, Any]],
        forget: Callable[[], object],
        later: Callable[[Callable[[], object]], object],
    ):
        self.place = place
        self._begin, self._forget, self._patience = begin, forget, silence(lease)
        self._queue: Any = None
        self._task: Any = None
        self._is_wanted = True
        self.commands: TextIO = _Commands(  # type: ignore[assignment]
            lambda item: later(functools.partial(self._tell, item))
        )
        self._said: queue.SimpleQueue[bytes | Death] = queue.SimpleQueue()
        self._heard = time.monotonic()
        self._death: Death | None = None
        self.messages = self._lines()

    def start(self) -> None:
        """Start the process, which may wait for the scheduler."""
        if self._is_wanted:
            self._queue, self._task = self._begin()
        if not self._is_wanted:  # by now
            self._release()

    def receive(self, said: bytes, status: int = 0, last_words: str = "") -> None:
        """Take what the task sent: what the process said, or nothing and its exit status."""
        self._heard = time.monotonic()
        self._said.put(said or death(status, last_words))

    def lose(self, reason: str, after: float = 0.0) -> None:
        """Nothing more will come, or nothing more is waited for after some seconds."""
        if not after:
            return self._said.put(Death(reason))
        timer = threading.Timer(after, self._said.put, args=(Death(reason),))
        timer.daemon = True
        timer.start()

    def seconds_of_doubt(self) -> float:
        """How long the process may still write, whose Dask worker the scheduler has lost.

        None where it was heard till then: then its machine has closed the connection, and ended the process with the
        Dask worker. After a silence it is perhaps the network that is gone, and the process ends with its lease.
        """
        left = self._heard + self._patience - time.monotonic()
        return 0.0 if left > self._patience * 5 / 6 else max(0.0, left)  # which is more than a beat

    def failure(self) -> BaseException | None:
        """Why its task failed, if it did."""
        return self._task.exception() if self._task is not None and self._task.status == "error" else None

    def kill(self) -> None:
        self._release()  # which the task sees; where it cannot, the process ends with its lease
        patience = max(SECONDS_TO_LEAVE, self._heard + self._patience - time.monotonic())
        self.lose("its task did not say that it has ended", after=patience)

    def _release(self) -> None:
        self._is_wanted = False
        if self._task is not None:
            self._task.release()

    def _tell(self, item: bytes | None) -> None:
        if self._death is None and self._queue is not None:
            with contextlib.suppress(Exception):  # who listens sees that the scheduler is gone, and says so
                self._queue.put(item, callback_timeout=self._patience)

    def end(self) -> Death:
        while self._death is None:  # what is left to hear, where hearing was broken off
            self._take(self._said.get())
        self._release()
        with contextlib.suppress(Exception):
            for _ in range(2):  # also for a task that was lost
                self._queue.close()
        self._forget()
        return self._death

    def _take(self, said: bytes | Death) -> bytes:
        if isinstance(said, Death):
            self._death = said
            return b""
        return said

    def _lines(self) -> Iterator[str]:
        rest = b""
        while self._death is None:
            *lines, rest = (rest + self._take(self._said.get())).split(b"\n")
            for line in lines:
                yield line.decode(errors="replace") + "\n"
        if rest:
            yield rest.decode(errors="replace")


class _Commands:
    """What a process is told, as a stream; writing waits for nothing, since the scheduler may be gone."""

    def __init__(self, tell: Callable[[bytes | None], object]):
        self._tell = tell

    def write(self, text: str) -> None:
        self._tell(text.encode())

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self._tell(None)
