"""Small real studies, run by the command line in a folder of their own: as a process, or here, with a worker that is a
thread. A process and its worker take three seconds of CPU, of which the study takes one.
"""

import functools
import os
import pty
import re
import shutil
import subprocess
import sys
import termios
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from types import SimpleNamespace

import duckdb
import numpy as np
import pytest
from command import command

from linstudy.plan import make_plan
from linstudy.spec.study import Point
from linstudy.store.artifacts import ArtifactStore
from linstudy.store.quoting import path_literal
from linstudy.workers import processes
from linstudy.workers.contract import Lost, Share
from linstudy.workers.messages import Start, Stop
from linstudy.workers.settings import Settings

STUDY = """
study: small
data: {kind: npz, path: samples.npz, train: 64, test: 32}
model: {kind: mlp, hidden: [8]}
task: {kind: eigenfunction, index: 3}
train: {epochs: 4, batch_size: 16}
probes:
  - {kind: alignment, top: 5, at: [start, end]}
"""


class Thread:
    """A worker of this process, which does what `service.serve` does."""

    def __init__(self, settings, inbox):
        self._settings, self._inbox = settings, inbox
        self._commands, self._stopping = Queue(), threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def send(self, command):
        if isinstance(command, Stop):
            self._stopping.set()
        else:
            self._commands.put(command)

    def kill(self):
        raise AssertionError("a thread cannot be killed: let the command be a process")

    def close(self):
        self._commands.put(None)

    def _serve(self):
        from linstudy.workers import service

        store = ArtifactStore(Path(self._settings.artifacts))
        resources, sender = service._resources(self._settings, store), Sender(self, self._inbox)
        sender.send(service._hello())
        while isinstance(start := self._commands.get(), Start):
            service._attempt(start.attempts, self._settings, store, resources, self._stopping.is_set, sender)
        sender.send(Lost("closed"))


@dataclass
class Sender:
    """Puts what a thread says where its coordinator hears it."""

    worker: Thread
    inbox: Queue

    def send(self, message):
        self.inbox.put((self.worker, message))


@dataclass
class Threads:
    """Starts threads where `worker_processes` starts processes."""

    settings: Settings
    started: list = field(default_factory=list)

    @classmethod
    def of(cls, workspace, folder, data_folder, scratch=None, **_):
        return cls(Settings(artifacts=str(workspace.artifacts.absolute()), study_folder=str(folder.absolute())))

    def places(self):
        return [Share()]

    def start(self, share, inbox):
        self.started.append(Thread(self.settings, inbox))
        return self.started[-1]


@dataclass(frozen=True)
class Bench:
    """A folder with a study file and its results."""

    folder: Path

    @property
    def results(self):
        return self.folder / "results.duckdb"

    def write(self, text, name="study.yaml"):
        (self.folder / name).write_text(text)

    def write_samples(self):
        """Those of the studies here. They are read in no time; the embedded digits cost each worker an import."""
        draw = np.random.default_rng(0)
        images, classes = draw.random((1000, 4, 4)), draw.integers(0, 10, 1000)
        train = dict(x_train=images[:800], y_train=classes[:800])
        np.savez(self.folder / "samples.npz", **train, x_test=images[800:], y_test=classes[800:])

    def start(self, *arguments, before=(), **options):
        """The command, begun; `before` are words before it, `options` those of `Popen`."""
        return subprocess.Popen(
            [*before, sys.executable, "-m", "linstudy", *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, "JAX_PLATFORMS": "cpu"},
            text=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )

    def start_in_terminal(self, *arguments, before=()):
        """`linstudy run` as a person gives it, and what that person sees and types."""
        terminal, end = pty.openpty()
        termios.tcsetwinsize(end, (50, 400))
        process = self.start(
            *("run", "study.yaml", *arguments),
            before=("setsid", "--ctty", *before),  # a `preexec_fn` would fork this process, which JAX gave threads
            **dict.fromkeys(("stdin", "stdout", "stderr"), end),
        )
        os.close(end)
        return process, terminal

    @staticmethod
    def read_until(pattern, terminal, wanted=bool):
        """Read what is shown until it has a match that is `wanted`."""
        shown = b""
        while not any(map(wanted, re.findall(pattern, shown))):
            shown += os.read(terminal, 4096)  # OSError once the command has ended

    def read_past(self, epoch, terminal):
        """Read until a training has told of a later epoch."""
        self.read_until(rb"epoch (\d+)/", terminal, lambda shown: int(shown) > epoch)

    def waiting(self):
        """What the ledger has committed, and not merged yet, as bytes: nobody else can open it meanwhile."""
        return (self.folder / ".linstudy" / "ledger.duckdb.wal").read_bytes()

    def linstudy(self, *arguments, exit_status=0):
        """The command's output, once it has ended with the status that is expected."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=240)
        assert process.returncode == exit_status, f"exit {process.returncode}\n{out}\n{err}"
        return out + err

    def run(self, *arguments, exit_status=0):
        return self.linstudy("run", "study.yaml", *arguments, exit_status=exit_status)

    def here(self, *arguments, exit_status=0):
        """As `linstudy`, in this process, where nothing is killed; what a run prints is told with the rest."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(processes, "worker_processes", Threads.of)
            ended = command(*arguments, cwd=self.folder)
        assert ended.returncode == exit_status, f"exit {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout + ended.stderr

    def run_here(self, *arguments, exit_status=0):
        return self.here("run", "study.yaml", *arguments, exit_status=exit_status)

    def rows(self, sql):
        with _database().cursor() as connection:
            connection.execute(f"ATTACH {path_literal(self.results)} AS results (READ_ONLY)")
            try:
                connection.execute("USE results")
                return connection.execute(sql).fetchall()
            finally:
                connection.execute("USE memory")
                connection.execute("DETACH results")


@functools.cache
def _database():
    """One for all questions: to make it takes longer than most of them."""
    return duckdb.connect()


def begun(folder):
    """A bench with its study and samples."""
    bench = Bench(folder)
    bench.write(STUDY)
    bench.write_samples()
    return bench


@pytest.fixture(scope="session")
def bench_in():
    """A function that gives the bench of a folder, for fixtures that several tests share."""
    return begun


@pytest.fixture
def bench(tmp_path):
    return begun(tmp_path)


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory):
    """A bench whose study has been run."""
    bench = begun(tmp_path_factory.mktemp("finished"))
    assert "3 runs: 3 done now." in bench.run()
    return bench


@pytest.fixture
def finished(finished_study, tmp_path):
    """A copy of a bench whose study has been run."""
    shutil.copytree(finished_study.folder, tmp_path, dirs_exist_ok=True)
    return Bench(tmp_path)


@pytest.fixture
def runs():
    """Three runs that differ in their seed alone."""
    parts = {"data": {"kind": "digits"}, "model": {"kind": "mlp"}, "task": {"kind": "binary_classes"}}
    points = [Point.model_validate({**parts, "train": {}, "seed": seed}, strict=False) for seed in range(3)]
    return list(make_plan(points, lambda part, spec: "").runs.values())


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when the test says so."""
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(time, "monotonic", lambda: now.seconds)
    return now
