"""Files that are deleted, cut, changed or replaced between two commands."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from bench import RUNS, Bench, FaultError

TARGETS = {
    "artifact": ("done", "artifacts/[0-9a-f][0-9a-f]/*.safetensors"),
    "checkpoint of a stopped study": ("stopped", "artifacts/[0-9a-f][0-9a-f]/*.safetensors"),
    "resume state": ("stopped", "artifacts/resume/*.safetensors"),
    "results.duckdb": ("done", "results.duckdb"),
    "write-ahead log": ("stopped", ".linstudy/ledger.duckdb.wal"),
}
"""What is damaged, in which workspace, and where it lies."""


def _cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x10
    file.write_bytes(content)


def _replace_by_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


WAYS: dict[str, Callable[[Path], None]] = {
    "deleted": Path.unlink,
    "cut in half": _cut,
    "one bit changed": _flip,
    "a folder in its place": _replace_by_folder,
}


def make_stopped(bench: Bench, seconds: float) -> None:
    """Leave a workspace with the state of a stopped training and a log of what is not in the ledger's file yet."""
    for part in range(1, 20):
        bench.prepare()
        _end(bench, signal.SIGTERM, lambda: "training" in _last_line(bench), seconds)
        _end(bench, signal.SIGKILL, lambda: _has_stopped_state(bench), seconds * part / 10)
        if _has_stopped_state(bench):
            return
    raise FaultError("no workspace with a resume state and a write-ahead log could be made")


def _end(bench: Bench, number: int, is_time: Callable[[], bool], seconds: float) -> None:
    process, deadline = bench.start(), time.monotonic() + max(seconds, 20)
    while process.poll() is None and not is_time() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    bench.wait(process)


def _last_line(bench: Bench) -> str:
    return bench.log.read_text().rstrip().rpartition("\n")[2]


def _has_stopped_state(bench: Bench) -> bool:
    patterns = [TARGETS[name][1] for name in ("resume state", "write-ahead log")]
    return "running" in bench.log.read_text() and all(any(bench.folder.glob(pattern)) for pattern in patterns)


def damage(bench: Bench, templates: dict[str, Path], number: int, chance: random.Random) -> str:
    """Damage one file of a workspace, and give the same command again; each pair of target and way has its turn."""
    target = list(TARGETS)[number % len(TARGETS)]
    way = list(WAYS)[number // len(TARGETS) % len(WAYS)]
    template, pattern = TARGETS[target]
    bench.clear()
    shutil.copytree(templates[template], bench.folder)
    file = chance.choice(sorted(bench.folder.glob(pattern)))
    owners = _owners(bench, file) if target == "artifact" else set()
    WAYS[way](file)
    if owners:
        _check_plan(bench, owners)
    answer = _heal(bench, file)
    if owners and (again := {row for (row,) in bench.rows("SELECT run_id FROM runs WHERE attempts > 1")}) != owners:
        raise FaultError(f"made by {owners}, and run again: {again}")
    return f"{target}, {way}{answer}"


def _owners(bench: Bench, file: Path) -> set[str]:
    path = file.relative_to(bench.folder).as_posix()
    return {run for (run,) in bench.rows(f"SELECT run_id FROM artifact WHERE path = '{path}'")}


def _check_plan(bench: Bench, owners: set[str]) -> None:
    lines = bench.run("plan").printed.splitlines()
    announced = {line.split()[1] for line in lines if line.startswith(("planned", "extend"))}
    if len(lines) != RUNS + 2 or announced != owners:  # after the runs their counts, and what is left will take
        raise FaultError(f"made by {owners}, and announced: {announced}\n" + "\n".join(lines))


def _heal(bench: Bench, file: Path) -> str:
    """Give the command, do what its message says where there is one, and give it again."""
    ended = bench.run()
    if ended.status == 0:
        if file.is_dir():  # in the place of a state that was not needed any more; of others, `Bench.check` finds it
            file.rmdir()
        return ""
    if "Traceback" in ended.printed or "Unexpected" in ended.printed or str(file.name) not in ended.printed:
        raise FaultError(f"exit status {ended.status}, and no word of {file}:\n{ended.printed}")
    if file.is_dir():
        file.rmdir()
    elif file.suffix == ".wal":
        if "move it away" not in ended.printed:
            raise FaultError(f"{file}: no remedy is named:\n{ended.printed}")
        file.unlink()
        file.with_suffix("").unlink()
    bench.finish()
    return f" (exit status {ended.status}, healed as its message says)"
