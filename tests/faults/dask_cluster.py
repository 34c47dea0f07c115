"""What happens to workers and the scheduler of a real Dask cluster, and to the command that uses it."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from bench import SECONDS_TO_END, Bench, FaultError, pause

sys.path.append(str(Path(__file__).parents[1]))

from small_dask import SmallDask, small_dask

WORKERS = 2
COMMANDS = 3
"""That are given at most."""


@dataclass
class Case:
    """A study that runs in a cluster."""

    bench: Bench
    cluster: SmallDask
    chance: random.Random
    command: subprocess.Popen

    def worker(self) -> subprocess.Popen:
        """One of Dask's."""
        return self.chance.choice(self.cluster.workers)

    def process(self) -> int:
        """One that computes, beside a worker of Dask's."""
        return self.chance.choice(self.bench.workers())

    def replace(self, worker: subprocess.Popen) -> None:
        """Let another worker come for one that is ended; at once, or some seconds later."""
        worker.wait()
        self.cluster.workers.remove(worker)
        time.sleep(self.chance.uniform(0, 5))
        self.cluster.start_worker()


def _end_of_worker(case: Case, number: signal.Signals) -> str:
    worker = case.worker()
    worker.send_signal(number)
    case.replace(worker)
    return f"{number.name} to a Dask worker, another comes"


def _end_of_process(case: Case, number: signal.Signals) -> str:
    os.kill(case.process(), number)
    return f"{number.name} to the process beside a Dask worker"


def _end_of_cluster(case: Case) -> str:
    case.cluster.stop()
    case.bench.wait(case.command)
    _start(case.cluster)
    return "power cut for the whole cluster"


def _end_of_scheduler(case: Case) -> str:
    case.cluster.scheduler.kill()
    case.bench.wait(case.command)
    case.cluster.stop()
    _start(case.cluster)
    return "SIGKILL to the scheduler"


def _signal_to_command(case: Case, number: signal.Signals) -> str:
    case.command.send_signal(number)
    case.bench.wait(case.command)
    return f"{number.name} to the command"


FAULTS: tuple[Callable[[Case], str], ...] = (
    lambda case: _end_of_worker(case, signal.SIGKILL),
    lambda case: _end_of_worker(case, signal.SIGTERM),
    lambda case: _end_of_process(case, signal.SIGKILL),
    _end_of_cluster,
    _end_of_scheduler,
    lambda case: pause(case.worker().pid, "Dask worker"),
    lambda case: pause(case.process(), "process beside a Dask worker"),
    lambda case: _signal_to_command(case, signal.SIGKILL),
    lambda case: _signal_to_command(case, signal.SIGINT),
)


def _start(cluster: SmallDask) -> None:
    """Let there be a scheduler with its workers."""
    cluster.start()
    for _ in range(WORKERS):
        cluster.start_worker()


def is_possible() -> bool:
    """Whether Dask is installed."""
    return find_spec("distributed") is not None


def disturb(bench: Bench, number: int, seconds: float) -> str:
    """Run the study in a cluster, let one thing happen at a random time, and give the command until it is done.

    Args:
        number: Which thing.
        seconds: What the study takes undisturbed on this machine.

    Returns:
        What happened.
    """
    chance = random.Random(number)
    with small_dask({**os.environ, **bench.environment()}) as cluster:
        for _ in range(WORKERS):
            cluster.start_worker()
        bench = replace(bench, options=("--dask", str(cluster.file)))
        case = Case(bench, cluster, chance, bench.start())
        _wait_for_runs(case)
        time.sleep(chance.uniform(0, seconds / 2))
        what = FAULTS[number % len(FAULTS)](case)
        ended = bench.wait(case.command)
        for _ in range(COMMANDS - 1):
            if ended.status == 0:
                return what
            ended = bench.run()
        if ended.status != 0:
            raise FaultError(f"{what}: {COMMANDS} commands did not finish the study; the last printed\n{ended.printed}")
        return what


def _wait_for_runs(case: Case) -> None:
    deadline = time.monotonic() + SECONDS_TO_END
    while len(case.bench.workers()) < WORKERS or "running" not in case.bench.log.read_text():
        if time.monotonic() > deadline or case.command.poll() is not None:
            raise FaultError(f"no run began; the command printed\n{case.bench.log.read_text()}")
        time.sleep(0.1)
