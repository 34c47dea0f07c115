"""In what two runs, settings or variants of a study differ, and what they came to, in lines."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linstudy.describe.details import LAST, PLACE, flat
from linstudy.explain import StoredRun, parts_of_source
from linstudy.plan import numerics_of
from linstudy.prepare.study import plan_variant, run_rows
from linstudy.spec.catalogue import named_studies
from linstudy.spec.errors import LinstudyError
from linstudy.store.lookup import find_run, find_setting, list_runs, may_be_an_id
from linstudy.store.query import Ask, open_published
from linstudy.store.quoting import literal
from linstudy.store.workspace import Workspace
from linstudy.text.layout import in_columns

MOST_VALUES = 6
"""Values of a field that are listed, where the runs of one side have several."""

_RUNS = """
SELECT run_id, any_value(kind), any_value(setting_id), any_value(spec)::VARCHAR, any_value(source),
    list(role) FILTER (role IS NOT NULL), list(needs) FILTER (role IS NOT NULL)
FROM run LEFT JOIN dependency USING (run_id) WHERE {where} GROUP BY run_id ORDER BY run_id
"""
_ATTEMPT = """
SELECT device, git_commit, methods, versions FROM attempt
WHERE attempt_id = (SELECT max(attempt_id) FROM attempt WHERE run_id = {run})
"""
_NUMBERS = f"""
WITH chosen(pair, side, run_id) AS (VALUES {{chosen}}),
last AS (
    SELECT
        run_id,
        {PLACE},
        {LAST}
    FROM metric WHERE run_id IN (SELECT run_id FROM chosen) GROUP BY run_id, name, label, split
)
SELECT pair, place, side, avg(value), half_width(value), count(value)
FROM chosen JOIN last USING (run_id) JOIN runs USING (run_id) WHERE status = 'done' OR {{all}}
GROUP BY ALL ORDER BY ALL
"""


@dataclass(frozen=True)
class One:
    """A run of a side, with all that can tell it from others, by name."""

    run_id: str
    kind: str
    setting: str
    facets: Mapping[str, str]


@dataclass(frozen=True)
class Side:
    """What is compared: one run, those of a setting, or those of a variant of a study."""

    name: str
    runs: Sequence[One]
    is_run: bool = False


@dataclass(frozen=True)
class _Pair:
    """Runs of both sides that differ in nothing but the seed and what tells the sides apart."""

    title: str
    sides: tuple[list[str], list[str]]


def describe_comparison(
    names: tuple[str, str], workspace: Workspace, data_folder: Path | None, width: int
) -> Iterator[str]:
    """The fields that differ, then the last numbers side by side.

    Args:
        names: Each the beginning of the id of a run or of a setting, or `STUDY` or `STUDY:VARIANT`.
        width: Columns of the terminal.

    Raises:
        LinstudyError: If there is none of a name.
    """
    is_needed = workspace.results.exists() or any(map(may_be_an_id, names))
    with open_published(workspace.results) if is_needed else nullcontext() as ask:
        left, right = (find_side(name, ask, data_folder) for name in names)
        fields = [*_fields(left, right), *(_environments(left, right, ask) if ask else ())]
        yield from in_columns([("", left.name, right.name), *_counts(left, right), *fields], width)
        if not fields:
            yield "no field differs"
        pairs, alone = _pairs(left, right)
        numbers = _numbers(pairs, ask, left.is_run and right.is_run) if ask else {}
        yield from _describe_numbers(pairs, numbers, (left.name, right.name), width)
        if alone:
            yield f"{alone} settings have no counterpart of the other side, and are left out"


def find_side(name: str, ask: Ask | None, data_folder: Path | None) -> Side:
    """What a name stands for: published runs, or for a variant that is not published those that its file plans."""
    study, _, variant = name.partition(":")
    if ask is not None:
        chosen = f"SELECT run_id FROM study_run WHERE study = {literal(study)} AND variant = {literal(variant)}"
        if found := _published(ask, f"run_id IN ({chosen})"):
            return Side(name, found)
        if may_be_an_id(name):
            return _by_id(name, ask)
        _check_variant(study, variant, ask)
    _, plan = plan_variant(study, variant, data_folder)
    ones = (
        _one(row.run_id, row.kind, row.setting_id, json.dumps(row.spec), row.source, dict(row.dependencies))
        for row in run_rows(plan)
    )
    return Side(name, list(ones))


def _check_variant(study: str, variant: str, ask: Ask) -> None:
    """See that a study which is known by its results alone has the variant."""
    if Path(study).exists() or study in named_studies():
        return
    known = [one for (one,) in ask(f"SELECT variant FROM study WHERE name = {literal(study)} ORDER BY ALL").rows]
    if known:
        quoted = ", ".join(f'"{one}"' for one in known)
        raise LinstudyError(f'study {study} has no variant "{variant}" in the workspace. Allowed: {quoted}')


def _by_id(start: str, ask: Ask) -> Side:
    """The run whose id begins so; if no run's does, the setting."""
    if not list_runs(ask, start, 1):
        with suppress(LinstudyError):
            setting = find_setting(ask, start)
            return Side(setting, _published(ask, f"setting_id = {literal(setting)}"))
    run_id = find_run(ask, start)
    return Side(run_id, _published(ask, f"run_id = {literal(run_id)}"), is_run=True)


def _published(ask: Ask, where: str) -> list[One]:
    return [
        _one(run_id, kind, setting, spec, source, dict(zip(roles or (), needs or (), strict=True)))
        for run_id, kind, setting, spec, source, roles, needs in ask(_RUNS.format(where=where)).rows
    ]


def _one(run_id: str, kind: str, setting: str | None, spec: str, source: str | None, needs: Mapping[str, str]) -> One:
    facets = {name: json.dumps(value, ensure_ascii=False) for name, value in flat(json.loads(spec))}
    contents = {f"content of {name}": str(value)[:16] for name, value in flat(parts_of_source(source or ""))}
    read = StoredRun.read(run_id, spec, source, needs)
    version = None if read is None else numerics_of(run_id, read.spec, needs.values(), read.source)
    numerics = {} if version is None else {f"numerics of {kind}": str(version)}
    return One(run_id, kind, setting or run_id, {**facets, **contents, **numerics})


def _counts(left: Side, right: Side) -> Iterator[tuple[str, str, str]]:
    if not (left.is_run and right.is_run):
        yield "runs", str(len(left.runs)), str(len(right.runs))


def _fields(left: Side, right: Side) -> Iterator[tuple[str, str, str]]:
    """The fields whose values the sides do not share, of all kinds of runs that both have."""
    for name in dict.fromkeys(name for side in (left, right) for one in side.runs for name in one.facets):
        here, there = (_values(side.runs, name) for side in (left, right))
        if set(here) != set(there):
            yield name, _some(here), _some(there)


def _values(runs: Iterable[One], name: str) -> list[str]:
    """The different values of a field, in order; `nothing` where no run has it."""
    return sorted({one.facets[name] for one in runs if name in one.facets}, key=_by_size) or ["nothing"]


def _by_size(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:  # texts and lists
        return 0.0, text


def _some(values: Collection[str]) -> str:
    more = len(values) - MOST_VALUES
    return ", ".join([*list(values)[:MOST_VALUES], *([f"and {more} more"] if more > 0 else [])])


def _environments(left: Side, right: Side, ask: Ask) -> Iterator[tuple[str, str, str]]:
    """In what the last attempts of two runs differ: devices, methods, versions."""
    if not (left.is_run and right.is_run):
        return
    here, there = (_environment(side.runs[0].run_id, ask) for side in (left, right))
    for name in dict.fromkeys([*here, *there]):
        if here and there and here.get(name) != there.get(name):
            yield name, str(here.get(name, "nothing")), str(there.get(name, "nothing"))


def _environment(run_id: str, ask: Ask) -> dict[str, Any]:
    rows = ask(_ATTEMPT.format(run=literal(run_id))).rows
    names = ("device", "commit", "methods", "versions")
    return dict(flat(dict(zip(names, rows[0], strict=True)))) if rows else {}


def _pairs(left: Side, right: Side) -> tuple[list[_Pair], int]:
    """The settings of both sides that belong together, and how many have no counterpart."""
    if len({one.setting for one in left.runs}) == len({one.setting for one in right.runs}) == 1:
        ids = ([one.run_id for one in left.runs], [one.run_id for one in right.runs])
        return [_Pair(left.runs[0].kind, ids)], 0
    pairs: list[_Pair] = []
    alone = 0
    for kind in dict.fromkeys(one.kind for one in left.runs):
        sides = [[one for one in side.runs if one.kind == kind] for side in (left, right)]
        axes = _axes(sides)
        groups = [_by_axes(runs, axes) for runs in sides]
        both = [key for key in groups[0] if len(groups[0][key]) == len(groups[1].get(key, ())) == 1]
        for key in both:
            [here], [there] = (list(group[key].values()) for group in groups)
            pairs.append(_Pair(" ".join([kind, *key]), (here, there)))
        alone += sum(map(len, groups[0].values())) + sum(map(len, groups[1].values())) - 2 * len(both)
    return pairs, alone


def _axes(sides: Sequence[Sequence[One]]) -> list[str]:
    """The fields, but the seed, that vary within a side."""
    names = dict.fromkeys(name for runs in sides for one in runs for name in one.facets)
    return [name for name in names if name != "seed" and any(_varies(runs, name) for runs in sides)]


def _varies(runs: Iterable[One], name: str) -> bool:
    return len({one.facets.get(name) for one in runs}) > 1


def _by_axes(runs: Iterable[One], axes: Iterable[str]) -> dict[tuple[str, ...], dict[str, list[str]]]:
    """The ids of runs by their place on the axes, and there by setting."""
    found: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for one in runs:
        place = tuple(f"{name}={one.facets[name]}" for name in axes if name in one.facets)
        found.setdefault(place, {}).setdefault(one.setting, []).append(one.run_id)
    return found


def _numbers(pairs: Sequence[_Pair], ask: Ask, all_: bool) -> dict[int, dict[str, dict[int, tuple[float, ...]]]]:
    """Mean, half of its 95 % interval and count of every last number, by pair, name and side."""
    chosen = [
        f"({number}, {side}, {literal(run_id)})"
        for number, pair in enumerate(pairs)
        for side, runs in enumerate(pair.sides)
        for run_id in runs
    ]
    found: dict[int, dict[str, dict[int, tuple[float, ...]]]] = {}
    if chosen:
        for number, place, side, *values in ask(_NUMBERS.format(chosen=", ".join(chosen), all=str(all_))).rows:
            found.setdefault(number, {}).setdefault(place, {})[side] = tuple(values)
    return found


def _describe_numbers(
    pairs: Sequence[_Pair],
    numbers: Mapping[int, Mapping[str, Mapping[int, tuple[float, ...]]]],
    names: tuple[str, str],
    width: int,
) -> Iterator[str]:
    for number, pair in enumerate(pairs):
        if number in numbers:
            rows = [
                (place, *map(_number, (of.get(0), of.get(1))), _change(of)) for place, of in numbers[number].items()
            ]
            yield ""
            yield f"{pair.title}, last numbers"
            yield from in_columns([("", *names, "change"), *rows], width)
    if any(one[2] > 1 for of in numbers.values() for sides in of.values() for one in sides.values()):
        yield "(n): the mean over the n seeds that are done, ± half of its 95 % interval"
    if without := len(pairs) - len(numbers):
        yield f"{without} of {len(pairs)} pairs of settings have no numbers yet"


def _number(one: tuple[float, ...] | None) -> str:
    """A mean, ± half of its 95 % interval, and of how many seeds; one number as it is."""
    if one is None or not one[2]:
        return "none"
    mean, half, count = one
    return f"{mean:.6g}" if count == 1 else f"{mean:.6g} ± {half:.2g} ({count:.0f})"


def _change(of: Mapping[int, tuple[float, ...]]) -> str:
    """From the left to the right one."""
    if not all(side in of and of[side][2] for side in (0, 1)):
        return ""
    return f"{of[1][0] - of[0][0]:+.6g}"
