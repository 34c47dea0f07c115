"""The study that is disturbed, the command that runs it, and what must be there in the end."""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

ROOT = Path(__file__).parents[2]

STUDY = """
study: disturbed
data: {kind: gaussian, shape: [64], train: 64, test: 32}
model: {kind: mlp, hidden: [8]}
task: {kind: eigenfunction, index: 3}
train: {epochs: 400, batch_size: 16}
probes:
  - {kind: alignment, top: 5, at: [10, end]}
  - {kind: energy_concentration, top: 5, at: [200, end]}
sweep: {train.linearize: [null, {at: init}, {at: {epoch: 10}}]}
seeds: [0, 1, 2]
"""
"""No checkpoint is asked of the first epochs: a training that is stopped there leaves a state to go on from."""

RUNS = 30

QUERIES = {
    "status": "SELECT run_id, status FROM runs ORDER BY ALL",
    "metric": "SELECT run_id, name, label, split, epoch, step, value FROM metric ORDER BY ALL",
    "vector": "SELECT run_id, name, label, split, epoch, value FROM vector ORDER BY ALL",
    "artifact": "SELECT run_id, name, epoch, path, sha256, bytes FROM artifact ORDER BY ALL",
}
KEY_COLUMNS = {"status": 2, "metric": 6, "vector": 5, "artifact": 3}
"""So many columns of a row say what it is about; those after them are what runs trained together may round anew."""

TOLERANCE = 0.012
"""1e5 units of float32, of a metric's largest value: what a number may differ by where runs train together."""

LEFT_BEHIND = ("artifacts/**/.*", "artifacts/resume/*", "*.publishing*", "*.wal", ".linstudy/new-*", ".linstudy/*.wal")

SECONDS_TO_END = 1200

SECONDS_OF_A_PAUSE = 75
"""Longer than a worker is waited for that says nothing."""


class FaultError(Exception):
    """The product did not do what it must after a fault."""


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    status: int
    printed: str


@dataclass(frozen=True)
class Bench:
    """A workspace with the study, and the command that runs it, with some options."""

    folder: Path
    cache: Path
    fused: bool = False
    options: tuple[str, ...] = ()

    def prepare(self) -> "Bench":
        """Begin with nothing but the study."""
        self.clear()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "study.yaml").write_text(STUDY)
        return self

    def clear(self) -> None:
        """Leave an empty folder, or none."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, command: str = "run", **environment: str) -> subprocess.Popen:
        """The command, begun in a process group of its own."""
        options = [*self.options, *([] if self.fused else ["--no-fuse"])] if command == "run" else []
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "linstudy", command, "study.yaml", *options],
                cwd=self.folder,
                env={**os.environ, **self.environment(), **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def log(self) -> Path:
        """What the last command printed; beside the workspace, which may be full."""
        return self.folder.with_suffix(".log")

    @property
    def results(self) -> Path:
        return self.folder / "results.duckdb"

    def run(self, command: str = "run", **environment: str) -> Ended:
        """The command, once it has ended."""
        return self.wait(self.start(command, **environment))

    def wait(self, process: subprocess.Popen) -> Ended:
        """The end of a command that was begun; its workers are given some seconds more."""
        try:
            status = process.wait(timeout=SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise FaultError(f"the command hangs; it printed\n{self._printed()}") from None
        self._await_workers()
        return Ended(status, self._printed())

    def finish(self) -> Ended:
        """The command, which nothing disturbs and which must therefore end well."""
        ended = self.run()
        if ended.status != 0:
            raise FaultError(f"undisturbed, and exit status {ended.status}:\n{ended.printed}")
        return ended

    def workers(self) -> list[int]:
        """The processes that compute for this workspace."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self._is_worker(pid)]

    def content(self) -> dict[str, list[tuple]]:
        """What is published, without the book-keeping of attempts."""
        with duckdb.connect(str(self.results), read_only=True) as connection:
            return {name: connection.execute(sql).fetchall() for name, sql in QUERIES.items()}

    def rows(self, sql: str) -> list[tuple]:
        """What is published, asked with SQL."""
        with duckdb.connect(str(self.results), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def check(self, reference: dict[str, list[tuple]]) -> None:
        """See that nothing is lost, wrong, double or left behind.

        Raises:
            FaultError: If something is.
        """
        content = self.content()
        for table, rows in content.items():
            width = KEY_COLUMNS[table]
            keys, expected = ([row[:width] for row in own] for own in (rows, reference[table]))
            if len(set(keys)) != len(keys):
                raise FaultError(f"{table} has a row twice")
            if keys != expected:
                raise FaultError(f"{table} differs: {_difference(keys, expected)}")
            if not self.fused and rows != reference[table]:
                raise FaultError(f"{table} differs: {_difference(rows, reference[table])}")
        if self.fused:
            _compare_numbers(content["metric"], reference["metric"])
        self._check_files(content["artifact"])

    def _check_files(self, rows: list[tuple]) -> None:
        named = {self.folder / path: sha256 for _, _, _, path, sha256, _ in rows}
        for file, sha256 in named.items():
            if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != sha256:
                raise FaultError(f"{file} is not what was recorded")
        left = [file for pattern in LEFT_BEHIND for file in self.folder.glob(pattern)]
        if not self.fused:
            left += [file for file in self.folder.glob("artifacts/**/*") if file.is_file() and file not in named]
        if left or self.workers():
            raise FaultError(f"left behind: {left}, processes {self.workers()}")

    def _await_workers(self) -> None:
        deadline = time.monotonic() + 30
        while self.workers():
            if time.monotonic() > deadline:
                raise FaultError(f"workers outlive their coordinator: {self.workers()}")
            time.sleep(0.05)

    def _is_worker(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_text()
            return "linstudy.workers.worker" in words and self.folder == Path(f"/proc/{pid}/cwd").resolve()
        return False

    def _printed(self) -> str:
        return self.log.read_text(errors="replace")

    def environment(self) -> dict[str, str]:
        """What the command is given beside the variables of this process."""
        return {
            "JAX_PLATFORMS": "cpu",
            "JAX_COMPILATION_CACHE_DIR": str(self.cache),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "PYTHONPATH": str(ROOT),
        }


def _difference(rows: list[tuple], expected: list[tuple]) -> str:
    found, wanted = set(map(repr, rows)), set(map(repr, expected))
    return f"{len(found - wanted)} rows too many {sorted(found - wanted)[:3]}, missing {sorted(wanted - found)[:3]}"


def _compare_numbers(rows: list[tuple], expected: list[tuple]) -> None:
    scales: dict[str, float] = {}
    for _, name, *_, value in expected:
        scales[name] = max(scales.get(name, 0.0), abs(value))
    for row, other in zip(rows, expected, strict=True):
        # an accuracy counts samples, and a fit is reached at a step: rounding can move these by more
        if row[1] in ("loss", "distance_l2") and not np.isclose(
            row[-1], other[-1], rtol=0, atol=TOLERANCE * scales[row[1]]
        ):
            raise FaultError(f"{row} is not near {other}")


def pause(pid: int, what: str) -> str:
    """Let a process stand still for a while; gives what happened."""
    os.kill(pid, signal.SIGSTOP)
    time.sleep(SECONDS_OF_A_PAUSE)
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return f"{what} paused, and ended meanwhile"
    return f"{what} paused"
