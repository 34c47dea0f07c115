"""What workers cost: their start, short runs over nodes of a Slurm against as many local workers, and a thousand."""

import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

import many_workers
from settings import Settings
from table import Line, Section

from linstudy.execute.coordinator import Options
from linstudy.execute.display import Display
from linstudy.execute.execution import execute
from linstudy.execute.screen import PlainScreen
from linstudy.execute.terminal import Terminal
from linstudy.prepare.study import plan_study
from linstudy.store.workspace import Workspace
from linstudy.workers.contract import Inbox, Share, Worker, Workers
from linstudy.workers.messages import Hello
from linstudy.workers.peer import Death, Link, Peer
from linstudy.workers.processes import worker_processes
from linstudy.workers.worker import Settings as WorkerSettings

sys.path.append(str(Path(__file__).parents[1]))

import small_slurm

LEGEND = """Start: from the start of a process to its `Hello`, JAX imported. Short runs: trainings of 100 epochs, \
alone, whole commands; by three local workers, and by three on nodes of a Slurm on this machine, the same processors. \
Played workers: all in one other process, each a training of ten epochs after another, told over its own pipe; all of \
the time, and the processor time and memory of the coordinator, which also records and publishes."""

SHORT = """study: short
data: {{kind: digits, train: 64, test: 32}}
model: {{kind: mlp, hidden: [8]}}
train: {{epochs: 100, batch_size: 8}}
seeds: [{seeds}]
"""

TURNS = 3
"""Of each of two commands; the median counts."""

PLAYED = SHORT.replace("short", "played").replace("epochs: 100", f"epochs: {many_workers.EPOCHS}")


def section(settings: Settings) -> Section:
    """Seconds and ratios."""
    starts, runs = (1, 3) if settings.smoke else (5, 200)
    workers, each = (5, 1) if settings.smoke else (1000, 10)
    lines = [
        _start("here", (), starts),
        *([] if settings.smoke else [_start("by a launcher", ("env",), starts)]),
        *(_throughput(runs, settings.smoke)),
        _played(workers, each),
    ]
    return Section("Workers", LEGEND, lines)


def _start(name: str, launcher: Sequence[str], count: int) -> Line:
    with tempfile.TemporaryDirectory() as folder:
        processes = worker_processes(Workspace(Path(folder)), Path(folder), None, launcher=launcher)
        seconds = []
        for _ in range(count):
            inbox: Inbox = Queue()
            began = time.perf_counter()
            worker = processes.start(Share(), inbox)
            while not isinstance(inbox.get()[1], Hello):
                pass
            seconds.append(time.perf_counter() - began)
            worker.close()
    return Line("start of a worker", name, sorted(seconds)[count // 2])


def _throughput(runs: int, smoke: bool) -> Iterator[Line]:
    setting = f"{runs:,} short runs, 3 workers"
    if smoke or not small_slurm.is_there():
        yield Line(setting, "Slurm", remark="left out: it needs root, slurm-wlm, munge, and minutes")
        return
    taken: dict[str, list[float]] = {"local": [], "Slurm": []}
    words = ["salloc", "--quiet", "--nodes=3", "--ntasks=3", "--cpus-per-task=2"]
    with small_slurm.small_slurm(3) as slurm:
        for _ in range(TURNS):
            taken["local"].append(_command(runs, ["--workers=3"], {}))
            taken["Slurm"].append(_command(runs, ["--launch=slurm"], slurm.environment, before=words))
    middle = {name: sorted(seconds)[TURNS // 2] for name, seconds in taken.items()}
    for name, seconds in middle.items():
        remark = f"{min(taken[name]):.1f} to {max(taken[name]):.1f} s, {seconds / runs * 1e3:.0f} ms a run"
        yield Line(setting, name, seconds, seconds / middle["local"], remark=remark)


def _command(runs: int, options: Sequence[str], environment: dict[str, str], before: Sequence[str] = ()) -> float:
    """Seconds of a whole study, whose programs were compiled before."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "study.yaml").write_text(SHORT.format(seeds=", ".join(map(str, range(runs)))))
        command = [*before, sys.executable, "-m", "linstudy", "run", "study.yaml", "--no-fuse", *options]
        own = {**os.environ, **environment, "JAX_PLATFORMS": "cpu"}
        first = subprocess.run([*command, "--only=seed = 0"], cwd=folder, env=own, capture_output=True, check=False)
        began = time.perf_counter()
        done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - began
    if first.returncode or done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return seconds


def _played(workers: int, each: int) -> Line:
    """A study of so many runs for each worker, all of whom are played."""
    with tempfile.TemporaryDirectory() as folder, _many(workers, Path(folder)) as many:
        path, workspace = Path(folder, "study.yaml"), Workspace(Path(folder))
        path.write_text(PLAYED.format(seeds=", ".join(map(str, range(workers * each)))))
        study, plan = plan_study(path, None, (), None)
        display = Display(PlainScreen(Terminal(io.StringIO())))
        began, busy = time.perf_counter(), time.process_time()
        summary = execute(study, plan, workspace, display, Options(fuse=False), many)
        seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    if summary.done != workers * each:
        raise RuntimeError(str(summary))
    facts = workers * each * (many_workers.EPOCHS + 1) * 5
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return Line(
        f"{workers:,} played workers, {workers * each:,} runs",
        "coordinator",
        seconds,
        remark=f"{facts / seconds:,.0f} facts/s, {cpu / facts * 1e6:.0f} µs of CPU a fact, {memory:.1f} GiB at most",
    )


class _Many(Workers):
    """Peers whose processes are played by one other."""

    def __init__(self, pipes: Sequence[tuple[int, int]], folder: Path):
        self._free = list(pipes)
        self._settings = WorkerSettings(str(folder / "artifacts"), lease=45.0)
        self._shares = [Share(place=str(number)) for number in range(len(pipes))]

    def places(self) -> Sequence[Share]:
        return self._shares

    def start(self, share: Share, inbox: Inbox) -> Worker:
        return Peer(_Pipe(*self._free.pop()), self._settings, share, inbox)


class _Pipe(Link):
    def __init__(self, write: int, read: int):
        self.commands = os.fdopen(write, "w", encoding="utf-8")
        self.messages = os.fdopen(read, encoding="utf-8")

    def kill(self) -> None:
        raise AssertionError("a played worker is never killed")

    def end(self) -> Death:
        return Death("its part is over")


@contextmanager
def _many(count: int, folder: Path) -> Iterator[_Many]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 5 * count + 100)), hard))
    ours, theirs = [], []
    for _ in range(count):
        (read, write), (hear, speak) = os.pipe(), os.pipe()
        ours.append((write, hear))
        theirs += [read, speak]
    words = [sys.executable, many_workers.__file__, ",".join(map(str, theirs))]
    process = subprocess.Popen(words, pass_fds=theirs)
    for descriptor in theirs:
        os.close(descriptor)
    try:
        yield _Many(ours, folder)
    finally:
        process.kill()
        process.wait()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
