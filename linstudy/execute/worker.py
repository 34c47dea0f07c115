"""A worker's process: what must be settled before anything heavy is imported, then the service of its coordinator."""

import ctypes
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from linstudy.data.places import Places
from linstudy.execute.signals import STOPPING

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Settings:
    """What a worker is told on its command line.

    Attributes:
        artifacts: The folder of stored arrays.
        study_folder: Where the study file lies, and what it names.
        data_folder: Where data sets lie; the platform's cache if None.
        memory: Bytes that it may use; those there are if None.
        cpus: The processors that it may use; all if None.
        scratch: Where files go that exceed memory; beside the artifacts if None.
    """

    artifacts: str
    study_folder: str = ""
    data_folder: str | None = None
    memory: int | None = None
    cpus: Sequence[int] | None = None
    scratch: str | None = None

    @property
    def places(self) -> Places:
        """Where the paths of specs are looked for."""
        return Places(Path(self.study_folder), Path(self.data_folder) if self.data_folder else None)


def main(settings: Settings, descriptors: Sequence[int]) -> None:
    """Serve the coordinator until its channel ends.

    Args:
        descriptors: From which it hears its coordinator, and to which it speaks.
    """
    signals = _block_signals()
    _die_with_parent()
    _use_processors(settings.cpus)
    settings.places.extend_import_path()

    from linstudy.execute.channel import Channel  # brings NumPy, so that it comes after the rest

    channel = Channel(descriptors, signals)

    from linstudy.execute.service import serve  # brings JAX

    serve(settings, channel)


def _block_signals() -> list[signal.Signals]:
    """Let no thread of this process be disturbed by the signals that ask a study to stop.

    Returns:
        Those that are to be waited for: one that is ignored, as `nohup` ignores SIGHUP, stays so.
    """
    taken = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
    signal.pthread_sigmask(signal.SIG_BLOCK, taken)
    return taken


def _die_with_parent() -> None:
    """Let the system kill this process with its coordinator, also while no Python code can run here."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _use_processors(cpus: Sequence[int] | None) -> None:
    # before NumPy and JAX are imported, which start as many threads as they may use
    if cpus is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cpus)


if __name__ == "__main__":
    main(Settings(**json.loads(sys.argv[1])), [int(number) for number in sys.argv[2:]])
