"""A worker's end of the channel to its coordinator."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Collection, Sequence
from queue import Queue
from typing import TextIO

from linstudy.workers.lease import Lease
from linstudy.workers.messages import (
    Beat,
    Garbled,
    Help,
    Interrupt,
    Leaving,
    Message,
    Release,
    Sender,
    Start,
    Stop,
    receive,
)

SECONDS_TO_STOP = 60.0
"""For what is running to come to a safe point, before the place of its process ends."""


class Channel:
    """What the coordinator asks for, as it arrives, and the way to answer.

    Attributes:
        starts: The commands to start something.
        stopping: Set once what is running shall end.
        released: Set once help that is given shall end.
        lease: The right to write; None where the coordinator is on this machine, and can end this process itself.

    Args:
        descriptors: From which it is read, and to which it is written.
        lease: Its seconds; None for none.
        may_leave: Whether a signal means that this place ends, and not the study.
    """

    def __init__(
        self,
        descriptors: Sequence[int],
        signals: Collection[signal.Signals],
        lease: float | None = None,
        *,
        may_leave: bool = False,
    ):
        read, write = descriptors
        self._may_leave = may_leave
        self.starts: Queue[Start | Help] = Queue()
        self.stopping, self.released = threading.Event(), threading.Event()
        self.sender = Sender(os.fdopen(write, "w", encoding="utf-8"))
        self.lease = None if lease is None else Lease(self.sender, lease)
        if self.lease:
            self.lease.keep()
        commands = os.fdopen(read, encoding="utf-8", errors="replace", newline="\n")
        threading.Thread(target=self._listen, args=(commands,), daemon=True).start()
        threading.Thread(target=self._tell_signals, args=(signals,), daemon=True).start()

    def leave_before(self, seconds: float) -> None:
        """Tell the coordinator when little is left of the seconds after which the place of this process ends."""
        timer = threading.Timer(max(0.0, seconds - SECONDS_TO_STOP), self._tell, args=(Leaving(),))
        timer.daemon = True
        timer.start()

    def _tell(self, message: Message) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.sender.send(message)

    def _listen(self, commands: TextIO) -> None:
        try:
            for message in receive(commands):
                if isinstance(message, Stop):
                    self.stopping.set()
                elif isinstance(message, Release):
                    self.released.set()
                elif isinstance(message, Start | Help):
                    self.released.clear()  # here, where commands come in their order
                    self.starts.put(message)
                elif isinstance(message, Beat) and self.lease:
                    self.lease.renew(message)
                elif isinstance(message, Garbled) and message.is_gap:
                    return  # it may have been told to start something
        finally:
            os._exit(0)  # the coordinator is gone, or cannot be understood, and a worker must not outlive it

    def _tell_signals(self, signals: Collection[signal.Signals]) -> None:
        """Leave to the coordinator what a signal means, at once, whatever the main thread is computing."""
        while signals:
            number = signal.sigwait(signals)
            if not self._may_leave:
                self._tell(Interrupt(signal.Signals(number).name))
                continue
            self._tell(Leaving())
            time.sleep(SECONDS_TO_STOP)
            os._exit(0)  # where the place is still there, another can begin
