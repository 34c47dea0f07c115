"""A study of 30 runs, disturbed in every way, must end with what an undisturbed one has: `just faults`.

Bit for bit on one CPU device; to rounding where runs train together. No row is there twice, and nothing is left behind.
What was tried is kept in the folder --work, so that the same command goes on; --new begins again. The table goes to
standard output and, with --write, to reports/faults.md.
"""

import json
import os
import platform
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

import click
import cluster
import crashes
import damage
import dask_cluster
import disks
import kills
from bench import ROOT, RUNS, Bench, FaultError

REPORT = ROOT / "reports" / "faults.md"

COUNTS = {
    "kills": 70,
    "kills, fused": 30,
    "crash points": 50,
    "full disks": 20,
    "damaged files": 40,
    "slurm": 33,
    "dask": 36,
}
QUICK = {"kills": 4, "kills, fused": 4, "crash points": 4, "full disks": 3, "damaged files": 10, "slurm": 11, "dask": 9}

PLACES = 5
"""To crash at that are drawn until one is reached."""


@dataclass(frozen=True)
class Trial:
    """One workspace that was disturbed; `faults` counts how often, and `commit` is linstudy's."""

    kind: str
    number: int
    faults: int
    seconds: float
    commit: str
    what: str
    error: str = ""


@dataclass
class Harness:
    """The folder of the trials, and what they need in common."""

    work: Path
    trials: list[Trial] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.work.mkdir(parents=True, exist_ok=True)
        if self._record.exists():
            self.trials = [Trial(**json.loads(line)) for line in self._record.read_text().splitlines()]

    @property
    def _record(self) -> Path:
        return self.work / "trials.jsonl"

    def bench(self, name: str, *, fused: bool = False) -> Bench:
        """A workspace of this folder."""
        return Bench(self.work / name, self.work / "compile_cache", fused)

    def template(self, name: str, make: Callable[[Bench], object], *, fused: bool = False) -> Bench:
        """A workspace that is made once, and kept."""
        bench, mark = self.bench(name, fused=fused), self.work / f"{name}.made"
        if not mark.exists():
            start = time.monotonic()
            make(bench)
            mark.write_text(f"{time.monotonic() - start}")
        return bench

    def undisturbed(self, *, fused: bool = False) -> Bench:
        """The study as it ends when nothing happens; made twice, the first time to fill the compile cache."""

        def make(bench: Bench) -> None:
            for _ in range(2):
                start = time.monotonic()
                bench.prepare().finish()
                (self.work / f"{bench.folder.name}.seconds").write_text(f"{time.monotonic() - start}")

        return self.template("fused" if fused else "alone", make, fused=fused)

    def seconds(self, bench: Bench) -> float:
        """How long an undisturbed study takes."""
        return float((self.work / f"{bench.folder.name}.seconds").read_text())

    def note(self, trial: Trial) -> None:
        """Keep what came out."""
        self.trials.append(trial)
        with self._record.open("a") as file:
            file.write(json.dumps(asdict(trial)) + "\n")

    def faults(self, kind: str) -> int:
        """How many there were of a kind."""
        return sum(trial.faults for trial in self.trials if trial.kind == kind)


def kill(harness: Harness, number: int, *, fused: bool = False) -> tuple[int, str]:
    """A study with several kills."""
    calm, bench = harness.undisturbed(fused=fused), harness.bench("disturbed", fused=fused)
    count = kills.disturb(bench.prepare(), random.Random(number), harness.seconds(calm))
    bench.check(calm.content())
    return count, f"{count} kills"


def crash(harness: Harness, number: int) -> tuple[int, str]:
    """A study with a crash or two."""
    calm, bench = harness.undisturbed(), harness.bench("disturbed")
    known = harness.work / "calls.json"
    if not known.exists():
        calls = crashes.count_calls(bench)
        known.write_text(json.dumps([[*place, count] for place, count in calls.items()]))
    calls = {(role, point): count for role, point, count in json.loads(known.read_text())}
    chance = random.Random(number)
    for _ in range(PLACES):
        count, where = crashes.crash(bench.prepare(), chance, calls)
        if count:
            bench.check(calm.content())
            return count, where
    raise FaultError(f"none of {PLACES} places to crash at was reached")


def fill(harness: Harness, number: int) -> tuple[int, str]:
    """A study on a disk that is too small at first."""
    calm, bench = harness.undisturbed(), harness.bench("disk")
    what = disks.fill(bench, random.Random(number), size(calm), lambda: bench.check(calm.content()))
    return 1, what


def size(bench: Bench) -> int:
    """Bytes of a workspace."""
    return sum(file.stat().st_size for file in bench.folder.rglob("*") if file.is_file())


def spoil(harness: Harness, number: int) -> tuple[int, str]:
    """A file that is damaged."""
    calm, bench = harness.undisturbed(), harness.bench("disturbed")
    stopped = harness.template("stopped", lambda own: damage.make_stopped(own, harness.seconds(calm)))
    templates = {"done": calm.folder, "stopped": stopped.folder}
    what = damage.damage(bench, templates, number, random.Random(number))
    bench.check(calm.content())
    return 1, what


def submit(harness: Harness, number: int) -> tuple[int, str]:
    """A study that is a job of Slurm, on three nodes."""
    calm, bench = harness.undisturbed(), harness.bench("disturbed")
    if number % (len(cluster.FAULTS) + 1) == len(cluster.FAULTS):
        disk = harness.bench("disk")
        return 1, cluster.fill(disk, number, size(calm), lambda: disk.check(calm.content()))
    what = cluster.disturb(bench.prepare(), number, harness.seconds(calm))
    bench.check(calm.content())
    return 1, what


def spread(harness: Harness, number: int) -> tuple[int, str]:
    """A study in a Dask cluster of two workers."""
    calm, bench = harness.undisturbed(), harness.bench("disturbed")
    what = dask_cluster.disturb(bench.prepare(), number, harness.seconds(calm))
    bench.check(calm.content())
    return 1, what


KINDS: dict[str, Callable[[Harness, int], tuple[int, str]]] = {
    "kills": kill,
    "kills, fused": lambda harness, number: kill(harness, number, fused=True),
    "crash points": crash,
    "full disks": fill,
    "damaged files": spoil,
    "slurm": submit,
    "dask": spread,
}


def _try(harness: Harness, kind: str, number: int) -> Trial:
    start, commit = time.monotonic(), _commit()
    try:
        faults, what = KINDS[kind](harness, number)
    except FaultError as error:
        return Trial(kind, number, 1, time.monotonic() - start, commit, "", str(error))
    return Trial(kind, number, faults, time.monotonic() - start, commit, what)


def _table(harness: Harness) -> Iterator[str]:
    yield "# Faults\n"
    yield (
        f"A study of {RUNS} runs, disturbed, and the same command given again. It passes if what is published then\n"
        "equals an undisturbed study's, bit for bit (trainings that go together: to rounding), no row is there twice,\n"
        "and no file and no process is left behind. Made by `just faults`.\n"
    )
    yield "| fault | faults | studies | passed | seconds a study |\n|---|---:|---:|---:|---:|"
    for kind in KINDS:
        own = [trial for trial in harness.trials if trial.kind == kind]
        if own:
            seconds = sum(trial.seconds for trial in own) / len(own)
            passed = sum(not trial.error for trial in own)
            yield f"| {kind} | {harness.faults(kind)} | {len(own)} | {passed} | {seconds:.0f} |"
    commits = ", ".join(dict.fromkeys(trial.commit for trial in harness.trials))
    yield f"\n{_versions()}; linstudy at {commits}."
    failed = [trial for trial in harness.trials if trial.error]
    for trial in failed:
        yield f"\nFailed: {trial.kind}, number {trial.number}: {trial.error[:500]}"


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()


def _versions() -> str:
    packages = [f"{name} {metadata.version(name)}" for name in ("linstudy", "jax", "duckdb", "numpy")]
    python = f"Python {platform.python_version()}"
    return f"{', '.join(packages)}, {python}, {platform.system()}, {os.cpu_count()} processors"


@click.command(help=__doc__)
@click.argument("kinds", nargs=-1, metavar="[KIND]...")
@click.option("--quick", is_flag=True, help="A few of each kind.")
@click.option("--count", type=click.IntRange(min=1), help="So many faults of each kind.")
@click.option("--new", is_flag=True, help="Forget what was tried before.")
@click.option("--work", type=click.Path(path_type=Path), default=Path("/tmp/linstudy-faults"), show_default=True)
@click.option("--write", is_flag=True, help="Write the table to reports/faults.md.")
def main(kinds: tuple[str, ...], quick: bool, count: int | None, new: bool, work: Path, write: bool) -> None:
    if unknown := set(kinds) - set(KINDS):
        raise click.UsageError(f"{', '.join(unknown)}: no kind. Allowed: {', '.join(KINDS)}")
    if new:
        shutil.rmtree(work, ignore_errors=True)
    harness = Harness(work)
    for kind in kinds or KINDS:
        if kind == "full disks" and not disks.can_mount(harness.bench("disk")):
            click.echo("full disks: left out, since this user cannot mount a tmpfs")
            continue
        if kind == "slurm" and not cluster.is_possible():
            click.echo("slurm: left out, since it needs root, and Debian's packages slurm-wlm and munge")
            continue
        if kind == "dask" and not dask_cluster.is_possible():
            click.echo("dask: left out, since distributed is not installed")
            continue
        wanted = count or (QUICK if quick else COUNTS)[kind]
        while harness.faults(kind) < wanted:
            number = sum(trial.kind == kind for trial in harness.trials)
            trial = _try(harness, kind, number)
            harness.note(trial)
            done = f"{kind} {harness.faults(kind)}/{wanted}"
            click.echo(f"{done:<22} {trial.seconds:5.0f} s  {trial.what or 'FAILED: ' + trial.error}")
    table = "\n".join(_table(harness)) + "\n"
    click.echo(f"\n{table}")
    if write:
        REPORT.write_text(table)
    sys.exit(any(trial.error for trial in harness.trials))


if __name__ == "__main__":
    main()
