"""A worker's process: what must be settled before anything heavy is imported, then the service of its coordinator."""

import ctypes
import gc
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from linstudy.machine import host_name
from linstudy.workers.programs import compilation_cache
from linstudy.workers.settings import Settings
from linstudy.workers.signals import STOPPING

_PR_SET_PDEATHSIG = 1
_SHARE = "Workers on other machines need it at the same path, on a file system that they share"


def main() -> None:
    """Serve the coordinator, whose channel is the standard input and output, until it ends.

    An argument says after how many seconds the place of this process ends.
    """
    signals = _block_signals()
    _die_with_parent()
    descriptors = _take_channel()
    settings = Settings(**json.loads(_first_line(descriptors[0])))
    _check_places(settings)
    _use_processors(settings.cpus)
    os.environ.update(settings.environment)
    if settings.compile_cache:
        os.environ.update(compilation_cache(Path(settings.compile_cache)))
    os.chdir(settings.study_folder)  # where a relative path in a user's model is looked for first
    settings.places.extend_import_path()
    gc.disable()  # an eighth of the time to import JAX goes into looking for garbage that is not there

    from linstudy.workers.channel import Channel  # brings NumPy, so that it comes after the rest

    channel = Channel(descriptors, signals, settings.lease, may_leave=settings.may_leave)
    if len(sys.argv) > 1:
        channel.leave_before(float(sys.argv[1]))

    from linstudy.workers.service import serve  # brings JAX

    gc.freeze()  # what is imported stays
    gc.enable()
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
    """Let the system kill this process with its coordinator or launcher, also while no Python code can run here."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _take_channel() -> tuple[int, int]:
    """Keep the standard input and output for the channel: what else reads finds nothing, what else prints is logged.

    Returns:
        The descriptors to read from and to write to, which no child inherits.
    """
    channel = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return channel


def _first_line(descriptor: int) -> bytes:
    """What comes up to a newline, and no byte of what comes after."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(descriptor, 1)
        if not byte:
            sys.exit(0)  # the coordinator ended meanwhile
        line += byte
    return line


def _check_places(settings: Settings) -> None:
    """See that the folders here are those of the coordinator."""
    folders = {"the study's folder": settings.study_folder, "the data folder": settings.data_folder}
    if settings.mark:
        path, text = settings.mark
        if not Path(path).is_file() or Path(path).read_text() != text:
            sys.exit(f"{host_name()}: the workspace {Path(path).parents[1]} is not here. {_SHARE}")
        for name, folder in folders.items():
            if folder and not Path(folder).is_dir():
                sys.exit(f"{host_name()}: {name} {folder} is not here. {_SHARE}")


def _use_processors(cpus: Sequence[int] | None) -> None:
    # before NumPy and JAX are imported, which start as many threads as they may use
    if cpus is not None and hasattr(os, "sched_setaffinity"):
        own = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {own[cpu % len(own)] for cpu in cpus})


if __name__ == "__main__":
    main()
