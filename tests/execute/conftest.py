"""Small real studies, run by the command line in a folder of their own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

STUDY = """
study: small
data: {kind: digits, train: 64, test: 32}
model: {kind: mlp, hidden: [8]}
task: {kind: eigenfunction, index: 3}
train: {epochs: 4, batch_size: 16}
probes:
  - {kind: alignment, top: 5, at: [start, end]}
"""


@dataclass(frozen=True)
class Bench:
    """A folder with a study file and its results; `cache` has compiled programs."""

    folder: Path
    cache: Path

    @property
    def results(self):
        return self.folder / "results.duckdb"

    def write(self, text, name="study.yaml"):
        (self.folder / name).write_text(text)

    def start(self, *arguments, before=(), **options):
        """The command, begun; `before` are words before it, `options` those of `Popen`."""
        environment = {
            **os.environ,
            "JAX_PLATFORMS": "cpu",
            "JAX_COMPILATION_CACHE_DIR": str(self.cache),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }
        return subprocess.Popen(
            [*before, sys.executable, "-m", "linstudy", *map(str, arguments)],
            cwd=self.folder,
            env=environment,
            text=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )

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


@pytest.fixture(scope="session")
def compile_cache(tmp_path_factory, worker_id):
    """A folder of compiled programs that all processes of a session of tests share: most of their time is compiling."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "compile_cache"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def bench(tmp_path, compile_cache):
    bench = Bench(tmp_path, compile_cache)
    bench.write(STUDY)
    return bench
