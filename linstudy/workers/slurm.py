"""Slurm: what an allocation has room for, and the words that start a worker in it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from linstudy.machine import available_memory, slurm_memory
from linstudy.spec.errors import LinstudyError

_LARGEST_STEP = 0xFFFFFFF0
"""Beyond it are the numbers of steps that `srun` has not started: a batch script, the shell of `salloc`."""

_NODES = re.compile(r"(\d+)(?:\(x(\d+)\))?")


@dataclass(frozen=True)
class Allocation:
    """What a job has, as its environment says.

    Attributes:
        cpus: Of each node.
        tasks: Of which the job asked for; None if it did not say.
        cpus_per_task, gpus_per_task: As the job asked for them; None if it did not say.
        gpus: On each node.
        memory: Bytes on each node that Slurm gives; None if it does not count memory.
    """

    cpus: tuple[int, ...]
    tasks: int | None = None
    cpus_per_task: int | None = None
    gpus_per_task: int | None = None
    gpus: int = 0
    memory: int | None = None

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Allocation":
        """The allocation that this process is in.

        Raises:
            LinstudyError: If it is in none.
        """
        if "SLURM_JOB_ID" not in environment:
            raise LinstudyError(
                "--launch slurm starts workers in an allocation of Slurm, and this is none. Begin one with "
                "`salloc`, or let `linstudy submit STUDY` make a job"
            )
        if int(environment.get("SLURM_STEP_ID", _LARGEST_STEP)) < _LARGEST_STEP and "SLURM_OVERLAP" not in environment:
            raise LinstudyError(
                "`srun` has started this linstudy, in a step that has the processors which its workers would wait for. "
                "Give the command without `srun`: --launch slurm starts the workers"
            )
        nodes = _NODES.findall(environment.get("SLURM_JOB_CPUS_PER_NODE", "1"))
        return cls(
            cpus=tuple(int(cpus) for cpus, count in nodes for _ in range(int(count or 1))),
            tasks=_number(environment, "SLURM_NTASKS"),
            cpus_per_task=_number(environment, "SLURM_CPUS_PER_TASK"),
            gpus_per_task=_number(environment, "SLURM_GPUS_PER_TASK"),
            gpus=_number(environment, "SLURM_GPUS_ON_NODE") or 0,
            memory=slurm_memory(environment),
        )


@dataclass(frozen=True)
class Steps:
    """The workers that fit an allocation, each a step of its job.

    Attributes:
        memory: Bytes of each, None where nothing tells; `is_counted` says whether Slurm counts them.
    """

    count: int
    cpus: int
    gpus: int = 0
    memory: int | None = None
    is_counted: bool = False

    @property
    def launcher(self) -> tuple[str, ...]:
        """The words before a worker's command."""
        memory = (f"--mem={self.memory // 2**20}M",) if self.memory and self.is_counted else ()
        gpus = (f"--gpus-per-task={self.gpus}",) if self.gpus else ()
        return ("srun", "--ntasks=1", "--nodes=1", "--exact", f"--cpus-per-task={self.cpus}", *memory, *gpus)


def fit(allocation: Allocation, workers: int | None = None) -> Steps:
    """The workers that an allocation has room for.

    Args:
        workers: Their number; if None as many as the job has tasks, or GPUs, or nodes.

    Raises:
        LinstudyError: If it has no room for so many.
    """
    nodes, gpus = len(allocation.cpus), allocation.gpus
    count = workers or allocation.tasks or nodes * max(1, gpus)
    cpus = allocation.cpus_per_task if workers in (None, allocation.tasks) else None
    cpus = cpus or next((one for one in range(max(allocation.cpus), 0, -1) if _room(allocation, one) >= count), 0)
    if not cpus or _room(allocation, cpus) < count:
        raise LinstudyError(
            f"the allocation has {sum(allocation.cpus)} processors on {nodes} node{'s' * (nodes > 1)}, "
            f"too few for {count} worker{'s' * (count > 1)}"
            f"{f' of {cpus} each' if cpus else ''}. Take fewer --workers, or a larger allocation"
        )
    on_node = min(count, max(allocation.cpus) // cpus)
    memory = allocation.memory or available_memory()
    return Steps(
        count,
        cpus,
        gpus=allocation.gpus_per_task or max(1, gpus // on_node) if gpus else 0,
        memory=memory // on_node if memory else None,
        is_counted=allocation.memory is not None,
    )


def _room(allocation: Allocation, cpus: int) -> int:
    """How many workers of so many processors there is room for."""
    return sum(own // cpus for own in allocation.cpus)


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "")
    return int(text) if text.isdecimal() else None
