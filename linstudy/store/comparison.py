"""What one run gave in two workspaces: how far its numbers, vectors and artifacts are from each other."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from linstudy.facts import RESUME
from linstudy.store.artifacts import ArtifactStore
from linstudy.store.query import Ask
from linstudy.store.quoting import literal

_COLUMNS = {"numbers": ("metric", "step"), "vectors": ("vector", "NULL")}
"""The table of each, and what tells its rows apart beside name, label, split and epoch."""


@dataclass(frozen=True)
class Difference:
    """The largest difference among the numbers, vectors or artifacts of a run.

    Attributes:
        count: How many were compared.
        largest: |a - b| of two numbers over the larger one; of vectors and arrays the largest entry of |a - b| over the
            largest one of |a|. 0 if all are equal, infinite if one is missing or of another shape.
        place: Where it is; empty if there is none.
        unknown: How many could not be compared, since the file of then is missing or damaged.
    """

    what: str
    count: int
    largest: float
    place: str
    unknown: int = 0


@dataclass(frozen=True)
class Side:
    """One of two workspaces: what is published, and its files."""

    ask: Ask
    store: ArtifactStore


def compare_run(run_id: str, then: Side, now: Side) -> list[Difference]:
    """How a run differs; one entry for each of numbers, vectors and artifacts that either has."""
    found = [_compare(what, _rows(what, run_id, then), _rows(what, run_id, now)) for what in _COLUMNS]
    return [one for one in (*found, _compare_artifacts(run_id, then, now)) if one.count or one.unknown]


def relative_difference(one: np.ndarray, other: np.ndarray) -> float:
    """The largest entry of |one - other| over that of |one|, or of |other| where one is 0; NaN equals NaN."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return math.inf
    if one.tobytes() == other.tobytes():
        return 0.0
    wide = np.complex128 if np.iscomplexobj(one) else np.float64
    one, other = one.astype(wide), other.astype(wide)
    finite = np.isfinite(one)
    if not np.array_equal(finite, np.isfinite(other)):
        return math.inf
    apart = np.abs(one - other)[finite].max(initial=0.0)
    scale = max(np.abs(one)[finite].max(initial=0.0), np.abs(other)[finite].max(initial=0.0))
    return float(apart / scale) if apart else 0.0


def _compare(what: str, then: Mapping[str, np.ndarray], now: Mapping[str, np.ndarray]) -> Difference:
    found = {
        place: relative_difference(then[place], now[place]) if place in then and place in now else math.inf
        for place in dict.fromkeys([*then, *now])
    }
    place = max(found, key=lambda name: found[name], default="")
    largest = found.get(place, 0.0)
    return Difference(what, len(found), largest, place if largest else "")


def _rows(what: str, run_id: str, side: Side) -> dict[str, np.ndarray]:
    table, step = _COLUMNS[what]
    rows = side.ask(
        f"SELECT name, label, split, epoch, {step}, value FROM {table} WHERE run_id = {literal(run_id)} ORDER BY ALL"
    ).rows
    return {_place(*place): np.array(value, dtype=np.float64, ndmin=1) for *place, value in rows}


def _place(name: str, label: str, split: str, epoch: int | None, step: int | None) -> str:
    at = [f"epoch {epoch}"] * (epoch is not None) + [f"step {step}"] * (epoch is None and step is not None)
    return " ".join([*filter(None, (split, name, label)), *at])


def _artifacts(run_id: str, side: Side) -> dict[str, list[Any]]:
    """Path and hash of each, but of states to go on from, which are no results."""
    own = f"run_id = {literal(run_id)} AND name <> {literal(RESUME)}"
    rows = side.ask(f"SELECT name, epoch, path, sha256 FROM artifact WHERE {own}").rows
    return {_place(name, "", "", epoch, None): place for name, epoch, *place in rows}


def _compare_artifacts(run_id: str, then: Side, now: Side) -> Difference:
    sql = (
        f"SELECT name, epoch, path, sha256 FROM artifact WHERE run_id = {literal(run_id)} AND name <> {literal(RESUME)}"
    )
    before, after = (
        {_place(name, "", "", epoch, None): own for name, epoch, *own in side.ask(sql).rows} for side in (then, now)
    )
    known = {place: own for place, own in before.items() if then.store.has(*own)}
    found = {place: _artifact_difference(own, after.get(place), then, now) for place, own in known.items()}
    place = max(found, key=lambda name: found[name][0], default="")
    largest, array = found.get(place, (0.0, ""))
    return Difference(
        "artifacts", len(known), largest, f"{place} {array}".strip() if largest else "", len(before) - len(known)
    )


def _artifact_difference(own: list[Any], other: list[Any] | None, then: Side, now: Side) -> tuple[float, str]:
    if other is None:
        return math.inf, ""
    if own[1] == other[1]:
        return 0.0, ""
    one = _compare("arrays", then.store.load(*own), now.store.load(*other))
    return one.largest, one.place
