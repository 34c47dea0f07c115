"""What happens to jobs, steps and nodes of a real Slurm, while a study runs on three of its nodes."""

import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import disks
from bench import RUNS, SECONDS_TO_END, Bench, FaultError, pause

sys.path.append(str(Path(__file__).parents[1]))

import small_slurm
from small_slurm import SmallSlurm

WORKERS = 3
JOBS = 4
"""That are submitted at most: one that was cancelled is submitted again."""


@dataclass
class Case:
    """A study that runs as a job."""

    bench: Bench
    slurm: SmallSlurm
    chance: random.Random
    job: str = ""

    def submit(self) -> None:
        """Begin the study as a job."""
        out = self.command(f"--workers={WORKERS}", "--cpus-per-worker=1", "--", "--no-fuse")
        if not (found := re.search(r"job (\d+): ", out)):
            raise FaultError(f"submit printed {out}")
        self.job = found[1]

    def command(self, *arguments: str) -> str:
        """What `linstudy submit` prints."""
        done = subprocess.run(
            [sys.executable, "-m", "linstudy", "submit", "study.yaml", *arguments],
            cwd=self.bench.folder,
            env={**self.slurm.environment, **self.bench.environment()},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    def printed(self) -> str:
        """By the job so far."""
        log = self.bench.folder / f".linstudy/jobs/linstudy-disturbed-{self.job}.log"
        return log.read_text() if log.exists() else ""

    def state(self) -> str:
        """Of the job; empty once it has left the queue."""
        return self.slurm.run("squeue", "-h", "-o", "%T", "-j", self.job, check=False).strip()

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + SECONDS_TO_END
        while not condition():
            if time.monotonic() > deadline:
                raise FaultError(
                    f"waited for {what}; the job is {self.state() or 'gone'} and printed\n{self.printed()}"
                )
            time.sleep(0.1)

    def wait_for_end(self) -> None:
        """Until the study is done; what was requeued need not wait, what was cancelled is submitted again."""
        for _ in range(JOBS):
            self.wait_for(self.has_left, "the job's end")
            if self._is_done():
                return
            self.submit()
        raise FaultError(f"{JOBS} jobs did not finish the study; the last printed\n{self.printed()}")

    def _is_done(self) -> bool:
        """Whether the last summary that the job printed tells of nothing but done runs."""
        summaries = re.findall(rf"^{RUNS} runs: (.*)\.$", self.printed(), re.MULTILINE)
        return bool(summaries) and not re.search("failed|blocked|interrupted", summaries[-1])

    def has_left(self) -> bool:
        """Whether the job is over; one that is requeued need not wait."""
        if (state := self.state()) == "PENDING":
            self.slurm.start_again(self.job)
        return state in ("", "COMPLETED", "FAILED", "CANCELLED")

    def steps(self) -> list[str]:
        """The steps of the job that are workers."""
        listed = self.slurm.run("squeue", "-s", "-h", "-o", "%i", "-j", self.job).split()
        return [step for step in listed if step.split(".")[1].isdigit()]

    def node_of_job(self) -> str:
        """The node on which the study's own process is."""
        return self.slurm.run("squeue", "-h", "-o", "%B", "-j", self.job).strip()


def _end_of_node(case: Case, *, of_job: bool) -> str:
    first = case.node_of_job()
    node = first if of_job else case.chance.choice([one for one in case.slurm.nodes if one != first])
    case.slurm.kill_node(node)
    time.sleep(case.chance.uniform(0, 30))
    case.slurm.start_node(node)
    return f"node {'of the job' if of_job else 'of a worker'}, back later"


def _signal_to_step(case: Case, name: str) -> str:
    step = case.chance.choice(case.steps())
    case.slurm.run("scancel", f"--signal={name}", step, check=False)
    return f"SIG{name} to a step"


def _signal_to_job(case: Case, *options: str) -> str:
    case.slurm.run("scancel", *options, case.job)
    return f"scancel {' '.join(options)}".strip()


def _restart_controller(case: Case) -> str:
    case.slurm.restart_controller(case.chance.uniform(0, 10))
    return "slurmctld, restarted"


def _second_coordinator(case: Case) -> str:
    ended = case.bench.run()
    if "is in use by process" not in ended.printed or ended.status != 1:
        raise FaultError(f"a second command was not refused: {ended.printed}")
    return "second command refused"


def is_possible() -> bool:
    """Whether this machine can have a Slurm."""
    return small_slurm.is_there()


FAULTS: tuple[Callable[[Case], str], ...] = (
    lambda case: _end_of_node(case, of_job=False),
    lambda case: _end_of_node(case, of_job=True),
    lambda case: _signal_to_step(case, "TERM"),
    lambda case: _signal_to_step(case, "KILL"),
    lambda case: _signal_to_job(case, "--signal=USR1", "--batch"),
    lambda case: _signal_to_job(case, "--signal=TERM", "--full"),
    _signal_to_job,
    _restart_controller,
    lambda case: pause(case.chance.choice(case.bench.workers()), "worker"),
    _second_coordinator,
)


def disturb(bench: Bench, number: int, seconds: float) -> str:
    """Run the study as a job, let one thing happen to it at a random time, and see it through.

    Args:
        number: Which thing.
        seconds: What the study takes undisturbed on this machine.

    Returns:
        What happened.
    """
    chance = random.Random(number)
    with small_slurm.small_slurm(WORKERS) as slurm:
        case = Case(bench, slurm, chance)
        case.submit()
        case.wait_for(lambda: "running" in case.printed() and case.steps(), "the first run")
        time.sleep(chance.uniform(0, seconds / 2))
        what = FAULTS[number % (len(FAULTS) + 1)](case)
        case.wait_for_end()
        return what


def fill(bench: Bench, number: int, needed: int, check: Callable[[], object]) -> str:
    """Run the study as a job on a shared disk that is too small, make room, and submit it again.

    Args:
        needed: Bytes of an undisturbed workspace.
        check: Called while the disk is there.
    """
    chance = random.Random(number)
    size = disks.too_small(chance, needed)
    with disks.disk(bench, size), small_slurm.small_slurm(WORKERS) as slurm:
        bench.prepare()
        case = Case(bench, slurm, chance)
        case.submit()
        case.wait_for(case.has_left, "the job's end")
        disks.make_room(bench)
        case.wait_for_end()
        check()
    return f"a shared disk of {size // 1024:,} KiB"
