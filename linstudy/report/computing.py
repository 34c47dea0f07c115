"""What was run, on what, and how long it took, beside what the paper prints."""

from typing import Any

from linstudy.report.document import Block, Cell, Paragraph, Section, Table
from linstudy.report.paper import COSTS
from linstudy.report.question import Rows, dictionaries
from linstudy.report.summary import data_name, model_name
from linstudy.store.query import Ask

_SPENT = """
WITH spent AS (
    SELECT *, (epoch(max(finished) OVER one) - epoch(min(started) OVER one)) / count(*) OVER one AS own_seconds
    FROM attempt
    WHERE finished IS NOT NULL
    WINDOW one AS (PARTITION BY coalesce(fused_group, attempt_id::VARCHAR))
),
spent_on AS (
    SELECT run_id, sum(own_seconds) AS own_seconds, list(DISTINCT device ORDER BY device) AS devices
    FROM spent GROUP BY run_id
)
"""
"""Runs that were computed as one program share its time."""

_STUDIES = f"""{_SPENT}
SELECT
    study, variant, data_kind, data_path, model_kind, model_width, model_factory,
    min(data_train) AS least, max(data_train) AS most, min(data_test) AS test_least, max(data_test) AS test_most,
    list(DISTINCT seed ORDER BY seed) FILTER (seed IS NOT NULL) AS seeds,
    count(*) AS runs, count(*) FILTER (status IN ('done', 'diverged')) AS done,
    sum(own_seconds) FILTER (kind = 'training') AS training,
    sum(own_seconds) FILTER (kind <> 'training') AS kernels,
    list_sort(list_distinct(coalesce(flatten(list(devices)), []))) AS devices
FROM study_runs LEFT JOIN spent_on USING (run_id)
GROUP BY ALL ORDER BY study, variant, data_kind, min(position)
"""

_COSTS = f"""{_SPENT}
SELECT
    kind, data_kind, data_path, model_kind, model_width, model_factory, devices, count(*) AS runs,
    min(data_train) AS least, max(data_train) AS most, min(data_test) AS test_least, max(data_test) AS test_most,
    min(train_epochs) AS epochs_least, max(train_epochs) AS epochs_most,
    min(own_seconds) AS shortest, median(own_seconds) AS middle, max(own_seconds) AS longest
FROM runs JOIN spent_on USING (run_id)
WHERE status = 'done' AND (kind = 'spectrum' OR kind = 'training' AND train_epochs > 0 AND train_linearize IS NULL)
GROUP BY ALL ORDER BY kind DESC, data_kind, middle
"""

_MACHINES = f"""{_SPENT}
SELECT
    host, device, versions, count(*) AS attempts, sum(own_seconds) AS seconds,
    min(started)::DATE AS first, max(finished)::DATE AS last,
    list(DISTINCT left(git_commit, 12) || CASE WHEN dirty THEN ' with changes' ELSE '' END ORDER BY 1)
        FILTER (git_commit IS NOT NULL) AS commits
FROM spent
GROUP BY ALL ORDER BY first, host, device
"""


def describe_computing(ask: Ask) -> Section:
    """The studies with their sizes and times, the times of single runs beside the paper's, and the machines."""
    studies, costs, machines = (dictionaries(ask(sql)) for sql in (_STUDIES, _COSTS, _MACHINES))
    [(total,)] = ask(f"{_SPENT} SELECT sum(own_seconds) FROM spent").rows
    blocks: tuple[Block, ...] = (
        Paragraph(
            f"{duration(total)} of computing in all. A run that two studies share is in the times of both; runs that "
            "were computed together as one program share its time. *Trainings* are those of networks and of "
            "linearizations, *kernels* are spectra, NADs and probes."
        ),
        _studies(studies),
        Section("A run, and the paper's", (Paragraph(_ABOUT_COSTS), _costs(costs)), "costs"),
        Section("Machines and versions", (_machines(machines),), "machines"),
    )
    return Section("What was run", blocks, "computing")


_ABOUT_COSTS = (
    "Computing time of one run here: trainings of networks, and spectra, each of which is a Gram and its eigenvectors. "
    "The paper's are for CIFAR-10, 50,000 + 10,000 images."
)


def duration(seconds: float | None) -> str:
    """A time in the unit that suits it."""
    if seconds is None:
        return ""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.{1 if seconds < 10 * size else 0}f} {unit}"
    return f"{seconds:.{1 if seconds < 10 else 0}f} s"


def _studies(rows: Rows) -> Table:
    columns = ("study", "data", "model", "seeds", "runs done", "trainings", "kernels", "on")
    cells = tuple(
        (
            Cell(row["study"], row["variant"]),
            Cell(data_name(row), _samples(row)),
            Cell(model_name(row)),
            Cell(_seeds(row["seeds"])),
            Cell(f"{row['done']} of {row['runs']}", number=True),
            Cell(duration(row["training"]), number=True),
            Cell(duration(row["kernels"]), number=True),
            Cell(", ".join(map(_device, row["devices"]))),
        )
        for row in rows
    )
    return Table(_heads(columns, numbers=("runs done", "trainings", "kernels")), cells)


def _costs(rows: Rows) -> Table:
    columns = ("run", "data", "runs", "median", "range", "on", "the paper's")
    cells = tuple(
        (
            Cell(f"{row['kind']}, {model_name(row)}", _epochs(row)),
            Cell(data_name(row), _samples(row)),
            Cell(str(row["runs"]), number=True),
            Cell(duration(row["middle"]), number=True),
            Cell(_range(duration(row["shortest"]), duration(row["longest"])), number=True),
            Cell(", ".join(map(_device, row["devices"]))),
            Cell(COSTS.get((row["kind"], row["model_kind"]), "not printed")),
        )
        for row in rows
    )
    return Table(_heads(columns, numbers=("runs", "median", "range")), cells)


def _machines(rows: Rows) -> Table:
    columns = ("host", "device", "attempts", "time", "from", "to", "commits of linstudy")
    cells = tuple(
        (
            Cell(row["host"] or "unknown", ", ".join(f"{name} {one}" for name, one in (row["versions"] or {}).items())),
            Cell(_device(row["device"])),
            Cell(str(row["attempts"]), number=True),
            Cell(duration(row["seconds"]), number=True),
            Cell(str(row["first"]), number=True),
            Cell(str(row["last"]), number=True),
            _commits(row["commits"] or []),
        )
        for row in rows
    )
    return Table(_heads(columns, numbers=("attempts", "time", "from", "to")), cells)


def _device(device: str | None) -> str:
    """A platform and what JAX calls its kind, which is the same word for CPUs."""
    platform, _, kind = (device or "").partition(": ")
    return platform if kind in ("", platform) else f"{platform}: {kind}"


def _commits(commits: list[str]) -> Cell:
    return Cell(str(len(commits)), listed=tuple(commits)) if len(commits) > 1 else Cell("".join(commits))


def _heads(columns: tuple[str, ...], numbers: tuple[str, ...]) -> tuple[Cell, ...]:
    return tuple(Cell(name, number=name in numbers) for name in columns)


def _samples(row: dict[str, Any]) -> str:
    """Training and test samples, with a range where settings have several."""
    if row["data_kind"] is None:
        return ""
    train, test = _counted(row["least"], row["most"]), _counted(row["test_least"], row["test_most"])
    return f"{train} train, {test} test"


def _counted(least: int | None, most: int | None) -> str:
    return _range(f"{least:,}", f"{most:,}") if least is not None and most is not None else "all"


def _epochs(row: dict[str, Any]) -> str:
    least, most = row["epochs_least"], row["epochs_most"]
    return f"{_range(str(least), str(most))} epochs" if row["kind"] == "training" else ""


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _seeds(seeds: list[int] | None) -> str:
    """Seeds in a row as a range."""
    if not seeds:
        return ""
    whole = seeds == list(range(seeds[0], seeds[-1] + 1)) and len(seeds) > 2
    return f"{seeds[0]} to {seeds[-1]}" if whole else ", ".join(map(str, seeds))
