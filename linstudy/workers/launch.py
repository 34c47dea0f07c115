"""Which workers a study has, and the words that start each: here, through a launcher, or in a Slurm allocation."""

import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from linstudy.spec.errors import LinstudyError
from linstudy.workers import slurm
from linstudy.workers.contract import Share
from linstudy.workers.devices import platform_variable, worker_shares

SLURM = "slurm"


@dataclass(frozen=True)
class Launch:
    """How workers are started.

    Attributes:
        shares: What each may use.
        launcher: The words before a worker's command; none for workers of this machine.
        note: What will be started, in words; empty for workers of this machine.
    """

    shares: Sequence[Share]
    launcher: tuple[str, ...] = ()
    note: str = ""


def plan_launch(launcher: str | None, workers: int | None, device: str | None, memory: int | None) -> Launch:
    """The workers of a study.

    Args:
        launcher: `slurm`, or the words before a worker's command; None for workers of this machine.
        workers: Their number; what there is room for if None, or one.
        device: `cpu`, `gpu` or another platform of JAX; the best there is if None.
        memory: Bytes that all of them may use; what there is if None.

    Raises:
        LinstudyError: If there is no room for them, or no such command.
    """
    if launcher is None:
        return Launch(worker_shares(workers, device, memory))
    if launcher == SLURM:
        steps = slurm.fit(slurm.Allocation.read(os.environ), workers)
        words, count, own = steps.launcher, steps.count, steps.memory
    else:
        words, count, own = _words(launcher), workers or 1, None
    each = own if memory is None else memory // count
    share = Share(platform_variable(device), each)
    return Launch([share] * count, words, f"{count} {'workers' if count > 1 else 'worker'} by: {shlex.join(words)}")


def _words(launcher: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(launcher))
    except ValueError as error:
        raise LinstudyError(f"--launch {launcher!r} is no command: {error}") from error
    if not words:
        raise LinstudyError("--launch needs `slurm`, or a command such as `ssh host`")
    if shutil.which(words[0]) is None:
        raise LinstudyError(f"--launch: there is no command {words[0]} here")
    return words
