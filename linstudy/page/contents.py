"""What a page says of runs, as plain lists and objects: columns, specs, attempts, and curves and spectra."""

import json
from collections.abc import Hashable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from linstudy import __version__
from linstudy.page.logs import TextBudget, read_end
from linstudy.page.series import CURVES, DIGITS, SPECTRA, choose_points, read_series, thinning
from linstudy.spec.errors import LinstudyError
from linstudy.store.lookup import find_runs
from linstudy.store.query import Ask, open_published
from linstudy.store.quoting import identifier, literal
from linstudy.store.workspace import Workspace

MOST_RUNS = 20_000
"""Runs of one page."""

TRACEBACK = 4_000
"""Characters of a traceback, its last ones."""

_EXACT = 2**53
"""Whole numbers beyond it are no numbers in a browser, but texts."""

_NUMBERS = {"BIGINT", "DOUBLE", "INTEGER"}

Contents = dict[str, Any]


def read_contents(workspace: Workspace, condition: str | None = None) -> Contents:
    """All that a page says, from one state of the published results.

    Args:
        condition: SQL over the columns of `runs`: which runs; without one, all.

    Raises:
        LinstudyError: If the condition is wrong or holds for none; if there are no results, or too many runs.
    """
    with open_published(workspace.results) as ask:
        run_ids = find_runs(ask, condition)
        if len(run_ids) > MOST_RUNS:
            raise LinstudyError(
                f"{len(run_ids):,} runs are too many for a page, which has {MOST_RUNS:,} at most. "
                "Choose some: linstudy page --only CONDITION"
            )
        # The ids and not the condition, which may mean others a moment later: started > now() - INTERVAL 1 HOUR.
        which = f"run_id IN ({', '.join(map(literal, run_ids))})" if condition else "true"
        places = {run_id: place for place, run_id in enumerate(run_ids)}
        most = choose_points(ask, which)
        return {
            "version": __version__,
            "source": workspace.results.name,
            "written": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
            "condition": condition,
            "most": most,
            "digits": DIGITS,
            "thinning": thinning(),
            "sources": {"curves": vars(CURVES), "spectra": vars(SPECTRA)},
            "runs": len(run_ids),
            "columns": [*_runs_columns(ask, which), *_final_columns(ask, which)],
            "specs": _specs(ask, which),
            "studies": _studies(ask, which, places),
            "needs": _needs(ask, which, places),
            "artifacts": _artifacts(ask, which, places),
            "attempts": _attempts(ask, which, places, workspace),
            "metrics": {name: [unit, meaning] for name, unit, meaning in ask(_METRICS).rows},
            "curves": read_series(ask, CURVES, places, which, most),
            "spectra": read_series(ask, SPECTRA, places, which, most),
        }


_METRICS = "SELECT name, unit, meaning FROM metric_def ORDER BY name"


def encode(cells: Sequence[Any]) -> dict[str, Any]:
    """A column, small: its `values` once, and the `codes` of its cells; one value for all without codes.

    Cells that are mostly different are a list of `cells`.
    """
    codes: dict[Hashable, int] = {}
    values: list[Any] = []
    coded = []
    for cell in cells:
        key = cell if isinstance(cell, str) or cell is None else json.dumps(cell)
        code = codes.setdefault((type(cell), key), len(values))
        if code == len(values):
            values.append(cell)
        coded.append(code)
    if len(values) == 1:
        return {"values": values}
    if len(values) > len(cells) / 2:
        return {"cells": list(cells)}
    return {"values": values, "codes": coded}


def _runs_columns(ask: Ask, which: str) -> list[dict[str, Any]]:
    """The columns of `runs`. Those of the spec stand between the status and the attempts, whose names are reserved."""
    types = _types(ask, "runs")
    names = list(types)
    of_spec = names[names.index("status") + 1 : names.index("attempts")]
    return [{**column, "spec": column["name"] in of_spec} for column in _columns(ask, "runs", types, which)]


def _final_columns(ask: Ask, which: str) -> list[dict[str, Any]]:
    types = {name: type_ for name, type_ in _types(ask, "final").items() if name not in ("run_id", "status")}
    return _columns(ask, "final", types, which)


def _types(ask: Ask, view: str) -> dict[str, str]:
    return {name: type_ for name, type_, *_ in ask(f"DESCRIBE {view}").rows}


def _columns(ask: Ask, view: str, types: dict[str, str], which: str) -> list[dict[str, Any]]:
    """Numbers as numbers, all else as the text that SQL makes of it: what the page compares, a query compares too."""
    shown = ", ".join(
        identifier(name) if type_ in _NUMBERS else f"CAST({identifier(name)} AS VARCHAR)"
        for name, type_ in types.items()
    )
    rows = ask(f"SELECT {shown} FROM {view} WHERE {which} ORDER BY run_id").rows
    return [
        _column(view, name, type_, [row[place] for row in rows]) for place, (name, type_) in enumerate(types.items())
    ]


def _column(view: str, name: str, type_: str, cells: list[Any]) -> dict[str, Any]:
    number = type_ in _NUMBERS and all(cell is None or abs(cell) < _EXACT for cell in cells)
    if type_ in _NUMBERS and not number:
        cells = [None if cell is None else str(cell) for cell in cells]
    return {"view": view, "name": name, "type": type_, "number": number, **encode(cells)}


def _specs(ask: Ask, which: str) -> list[dict[str, Any]]:
    """The specs by their parts, of which runs have many in common; None where a run has none."""
    specs = [spec for (spec,) in ask(f"SELECT spec FROM run WHERE {which} ORDER BY run_id").rows]
    parts = dict.fromkeys(part for spec in specs for part in spec)
    return [{"part": part, **encode([spec.get(part) for spec in specs])} for part in parts]


def _studies(ask: Ask, which: str, places: dict[str, int]) -> list[dict[str, Any]]:
    rows = ask(
        "SELECT name, variant, any_value(title), list(run_id ORDER BY position) "
        "FROM (SELECT study AS name, * EXCLUDE (study) FROM study_run) JOIN study USING (name, variant) "
        f"WHERE {which} GROUP BY name, variant ORDER BY ALL"
    ).rows
    return [
        {"name": name, "variant": variant, "title": title or "", "runs": [places[run_id] for run_id in runs]}
        for name, variant, title, runs in rows
    ]


def _needs(ask: Ask, which: str, places: dict[str, int]) -> list[tuple[int, str, Any]]:
    """What runs need: the place of a run on the page, or the id of one that is not there."""
    rows = ask(f"SELECT run_id, role, needs FROM dependency WHERE {which} ORDER BY ALL").rows
    return [(places[run_id], role, places.get(needs, needs)) for run_id, role, needs in rows]


def _artifacts(ask: Ask, which: str, places: dict[str, int]) -> dict[str, Any]:
    rows = ask(f"SELECT run_id, name, epoch, bytes FROM artifact WHERE {which} ORDER BY ALL").rows
    return _table(("run", "name", "epoch", "bytes"), [(places[run_id], *rest) for run_id, *rest in rows])


_OF_ATTEMPT = (
    *("status", "started", "seconds", "host", "device", "fused_group", "versions", "git_commit", "dirty"),
    *("methods", "notices", "error", "log"),
)


def _attempts(ask: Ask, which: str, places: dict[str, int], workspace: Workspace) -> dict[str, Any]:
    """Every attempt, the latest first; so tracebacks and logs of the latest have room."""
    rows = ask(f"""SELECT
        run_id, status, CAST(date_trunc('second', started) AS VARCHAR),
        date_diff('millisecond', started, finished) / 1e3, host, device, fused_group, CAST(versions AS VARCHAR),
        git_commit, dirty, CAST(methods AS VARCHAR), notices, error, log,
        right(traceback, {TRACEBACK}), coalesce(length(traceback), 0) > {TRACEBACK}
        FROM attempt WHERE {which} ORDER BY attempt_id DESC""").rows
    tracebacks, logs = TextBudget(), TextBudget()
    told = [
        (
            places[run_id],
            *rest,
            tracebacks.take(f"…{traceback}" if cut else traceback),
            logs.take(read_end(workspace, rest[-1])),
        )
        for run_id, *rest, traceback, cut in _failures_first(rows)
    ]
    return _table(("run", *_OF_ATTEMPT, "traceback", "end_of_log"), told)


def _failures_first(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=lambda row: row[1] in ("done", "running"))


def _table(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    cells = zip(*rows, strict=True) if rows else ((),) * len(names)
    columns = [{"name": name, **encode(column)} for name, column in zip(names, cells, strict=True)]
    return {"count": len(rows), "columns": columns}
