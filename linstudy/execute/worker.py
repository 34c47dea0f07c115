"""A worker's process: what must be settled before anything heavy is imported, then the service of its coordinator."""

import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from queue import Queue
from typing import TextIO

from linstudy.execute.messages import Interrupt, Sender, Start, Stop, receive
from linstudy.execute.signals import STOPPING

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Settings:
    """What a worker is told on its command line.

    Attributes:
        channel: The descriptors from which it hears its coordinator, and to which it speaks.
        artifacts: The folder of stored arrays.
        import_folders: Where a user's own modules lie.
        data_folder: Where data sets lie; the platform's cache if None.
        memory: Bytes that it may use; those there are if None.
        cpus: The processors that it may use; all if None.
        scratch: Where files go that exceed memory; beside the artifacts if None.
    """

    channel: tuple[int, int]
    artifacts: str
    import_folders: Sequence[str] = ()
    data_folder: str | None = None
    memory: int | None = None
    cpus: Sequence[int] | None = None
    scratch: str | None = None


def main(argument: str) -> None:
    """Serve the coordinator until its channel ends."""
    settings = Settings(**json.loads(argument))
    commands, sender = _open(settings.channel)
    _tell_signals(sender)
    _die_with_parent()
    _use_processors(settings.cpus)
    sys.path += settings.import_folders  # last: a file beside a study must not take a standard module's place
    starts: Queue[Start] = Queue()
    stopping = threading.Event()
    threading.Thread(target=_listen, args=(commands, starts, stopping), daemon=True).start()

    from linstudy.execute.service import serve

    serve(settings, starts, stopping, sender)


def _open(channel: Sequence[int]) -> tuple[TextIO, Sender]:
    for descriptor in channel:
        os.set_inheritable(descriptor, False)
    read, write = channel
    commands = os.fdopen(read, encoding="utf-8", errors="replace", newline="\n")
    return commands, Sender(os.fdopen(write, "w", encoding="utf-8"))


def _listen(commands: TextIO, starts: "Queue[Start]", stopping: threading.Event) -> None:
    try:
        for message in receive(commands):
            if isinstance(message, Stop):
                stopping.set()
            elif isinstance(message, Start):
                starts.put(message)
    finally:
        os._exit(0)  # the coordinator is gone, or cannot be understood, and a worker must not outlive it


def _tell_signals(sender: Sender) -> None:
    """Leave to the coordinator what a signal means, at once, whatever the main thread is computing."""
    taken = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
    signal.pthread_sigmask(signal.SIG_BLOCK, taken)  # for all threads that are started later, too

    def tell() -> None:
        while True:
            number = signal.sigwait(taken)
            with contextlib.suppress(OSError, ValueError):
                sender.send(Interrupt(signal.Signals(number).name))

    threading.Thread(target=tell, daemon=True).start()


def _die_with_parent() -> None:
    """Let the system kill this process with its coordinator, also while no Python code can run here."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _use_processors(cpus: Sequence[int] | None) -> None:
    # before NumPy and JAX are imported, which start as many threads as they may use
    if cpus is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cpus)


if __name__ == "__main__":
    main(sys.argv[1])
