"""How many workers, and what each computes on."""

import os

from linstudy.accelerators import visible_accelerators
from linstudy.machine import available_memory
from linstudy.workers.contract import Share

MEMORY_SHARE = 0.9
"""Of an accelerator's memory, divided among the workers on it; the rest is for the driver and other programs."""


def worker_shares(workers: int | None, device: str | None, memory: int | None = None) -> list[Share]:
    """What each worker may use.

    The accelerators are dealt out evenly; without any, the processors are. Of fewer workers each has several
    accelerators, which share its Grams and the runs that it trains together; more workers share them and their memory.

    Args:
        workers: Their number; one per accelerator, or one, if None.
        device: `cpu`, `gpu` or another platform of JAX; the best there is if None.
        memory: Bytes of the host's memory that all workers may use; what the machine, a container and a queue allow if
            None.
    """
    platform = platform_variable(device)
    accelerators = [] if device == "cpu" else visible_accelerators()
    count = workers or max(len(accelerators), 1)
    total = available_memory() if memory is None else memory
    each = None if total is None else total // count
    if not accelerators:
        return [Share(platform, each, cpus) for cpus in _dealt_processors(count)]
    per_accelerator = -(-count // len(accelerators))
    fraction = {"XLA_PYTHON_CLIENT_MEM_FRACTION": f"{MEMORY_SHARE / per_accelerator:.3f}"}
    own = [",".join(accelerators[worker % len(accelerators) :: count]) for worker in range(count)]
    return [Share({**platform, **fraction, "CUDA_VISIBLE_DEVICES": devices}, each) for devices in own]


def platform_variable(device: str | None) -> dict[str, str]:
    """The variable that lets JAX compute on `cpu`, `gpu` or another platform; none for the best there is."""
    return {} if device is None else {"JAX_PLATFORMS": {"gpu": "cuda"}.get(device, device)}


def _dealt_processors(workers: int) -> list[tuple[int, ...] | None]:
    """The processors of this process dealt out; one to each where there are fewer than workers."""
    if workers == 1 or not hasattr(os, "sched_getaffinity"):
        return [None] * workers
    own = len(os.sched_getaffinity(0))
    return [tuple(range(worker, own, workers)) or (worker,) for worker in range(workers)]
