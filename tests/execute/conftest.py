"""Small real studies, run by the command line in a folder of their own."""

import fcntl
import os
import pty
import re
import shutil
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pytest

STUDY = """
study: small
data: {kind: npz, path: samples.npz, train: 64, test: 32}
model: {kind: mlp, hidden: [8]}
task: {kind: eigenfunction, index: 3}
train: {epochs: 4, batch_size: 16}
probes:
  - {kind: alignment, top: 5, at: [start, end]}
"""


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
            before=before,
            **dict.fromkeys(("stdin", "stdout", "stderr"), end),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(end, termios.TIOCSCTTY, 0),
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

    def rows(self, sql):
        with duckdb.connect(str(self.results), read_only=True) as connection:
            return connection.execute(sql).fetchall()


def begun(folder):
    """A bench with its study and samples."""
    bench = Bench(folder)
    bench.write(STUDY)
    bench.write_samples()
    return bench


@pytest.fixture
def bench(tmp_path):
    return begun(tmp_path)


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory):
    """A bench whose study has been run."""
    bench = begun(tmp_path_factory.mktemp("finished"))
    bench.run()
    return bench


@pytest.fixture
def finished(finished_study, tmp_path):
    """A copy of a bench whose study has been run."""
    shutil.copytree(finished_study.folder, tmp_path, dirs_exist_ok=True)
    return Bench(tmp_path)
