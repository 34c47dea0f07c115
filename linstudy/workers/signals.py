"""The signals that ask a study to stop: Ctrl-C, a queue's end of time, a closed terminal."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

STOPPING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2") if hasattr(signal, name)
)
"""SIGTERM ends jobs of queues and containers, SIGUSR1 and SIGUSR2 announce that (`sbatch --signal`), SIGHUP comes when
a terminal is closed."""


class Interrupts:
    """What has asked for an end so far.

    Attributes:
        first: The name of the first signal; empty before.
        insists: Whether Ctrl-C came again: only a person does that, while a queue sends several signals by itself.
    """

    def __init__(self) -> None:
        self.first = ""
        self.insists = False

    def note(self, signal_name: str) -> None:
        """A signal came: to this process, or to a worker, perhaps with all of its group, perhaps alone."""
        self.first = self.first or signal_name

    @contextlib.contextmanager
    def collect(self) -> Iterator[None]:
        """Take signals to this process. One that is ignored, as `nohup` ignores SIGHUP, stays so."""

        def take(number: int, frame: FrameType | None) -> None:
            self.insists = self.insists or (bool(self.first) and number == signal.SIGINT)
            self.note(signal.Signals(number).name)

        taken = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
        previous = {number: signal.signal(number, take) for number in taken}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
