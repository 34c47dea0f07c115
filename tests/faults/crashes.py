"""Processes that end at a chosen call of a chosen function, by `crash/sitecustomize.py`."""

import json
import os
import random
from pathlib import Path

from bench import ROOT, Bench, FaultError

POINTS = (
    "os:replace",
    "os:fsync",
    "linstudy.store.artifacts:ArtifactStore.save",
    "linstudy.store.artifacts:ArtifactStore.delete",
    "linstudy.store.artifacts:ArtifactStore.sweep",
    "linstudy.store.ledger:Ledger.register",
    "linstudy.store.ledger:Ledger.recover",
    "linstudy.store.ledger:Ledger.begin",
    "linstudy.store.ledger:Ledger.cut",
    "linstudy.store.ledger:Ledger.forget",
    "linstudy.store.ledger:Ledger.flush",
    "linstudy.store.ledger:Ledger._update",  # the last thing before a COMMIT
    "linstudy.store.ledger:Ledger._insert",
    "linstudy.store.snapshot:publish",
    "linstudy.store.snapshot:_make",
    "linstudy.store.integrity:Seals.write",
    "linstudy.workers.messages:Sender.send",
)


def count_calls(bench: Bench) -> dict[tuple[str, str], int]:
    """How often each process of an undisturbed study calls each function."""
    folder = _empty(bench.folder.with_suffix(".calls"))
    bench.prepare()
    ended = bench.run(**_environment({"folder": str(folder), "count": POINTS}))
    if ended.status != 0:
        raise FaultError(f"undisturbed, and exit status {ended.status}:\n{ended.printed}")
    sizes = {tuple(file.name.split(" ", 1)): file.stat().st_size for file in folder.iterdir()}
    return {(role, point): size for (role, point), size in sorted(sizes.items())}


def crash(bench: Bench, chance: random.Random, calls: dict[tuple[str, str], int]) -> tuple[int, str]:
    """Crash, crash again while the next command repairs that, and give the command once more.

    Returns:
        How many crashes there were, and where; none where the study took less time than the one whose calls were
        counted, so that what is written each second was written less often.
    """
    crashes, places = 0, []
    repairs = {("coordinator", point): 3 for point in POINTS} | calls
    for candidates in (calls, repairs):
        role, point = chance.choice(list(candidates))
        when, call = chance.choice(("before", "after")), chance.randint(1, candidates[role, point])
        folder = _empty(bench.folder.with_suffix(".calls"))
        order = {"folder": str(folder), "role": role, "point": point, "when": when, "call": call}
        ended = bench.run(**_environment(order))
        if (folder / "crashed").exists():
            crashes += 1
            places.append(f"{role}: {when} call {call} of {point.rpartition(':')[2]}")
        if "Unexpected error" in ended.printed or "Traceback" in ended.printed:
            raise FaultError(f"{order}: {ended.printed}")
    bench.finish()
    return crashes, "; ".join(places)


def _empty(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    return folder


def _environment(order: dict[str, object]) -> dict[str, str]:
    path = os.pathsep.join([str(Path(__file__).parent / "crash"), str(ROOT)])
    return {"FAULTS": json.dumps(order), "PYTHONPATH": path}
