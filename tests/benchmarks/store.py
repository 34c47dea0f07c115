"""Rows a second, and publishing."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from measure import Candidate, calls
from settings import Settings
from table import Line, Section

from linstudy import metrics
from linstudy.facts import Fact, Number, Report, Vector
from linstudy.store.ledger import Ledger
from linstudy.store.rows import RunRow, StudyRow
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace

LEGEND = """Reports written to the ledger of a workspace, each in one transaction; publishing copies all rows written \
so far to `results.duckdb`."""

LENGTHS = (1_000, 60_000)


def section(settings: Settings) -> Section:
    """Numbers, vectors, and the copy."""
    rows = 1_000 if settings.smoke else 100_000
    numbers = [Number(metrics.LOSS, 0.5, "train", epoch, epoch) for epoch in range(rows)]
    vectors = {length: _vectors(2 if settings.smoke else 50, length) for length in LENGTHS}
    with tempfile.TemporaryDirectory() as folder, Ledger.open(Workspace(Path(folder))) as ledger:
        ledger.register(StudyRow("bench", "", "", ""), [RunRow("r", "training", {"kind": "training"})])
        attempt = ledger.begin("r", {})

        def write(facts: Sequence[Fact]) -> None:
            ledger.record(Report(attempt, tuple(facts)))
            ledger.flush()

        timings = settings.measure(
            [
                Candidate(f"{rows:,} metric rows", calls(lambda: write(numbers))),
                Candidate("one metric row", calls(lambda: write(numbers[:1]))),
                *(
                    Candidate(f"{len(each)} vectors of {length:,}", calls(lambda each=each: write(each)))
                    for length, each in vectors.items()
                ),
                Candidate("publishing", calls(lambda: publish(ledger, Path(folder) / "results.duckdb"))),
            ]
        )
        with ledger.session() as session:
            [[held]] = session.execute("SELECT count(*) FROM metric").fetchall()
    counts = [rows, 1, *(len(each) * length for length, each in vectors.items())]
    remarks = [
        f"{count / timing.seconds:,.0f} numbers a second" if timing.seconds else timing.remark
        for count, timing in zip(counts, timings[:-1], strict=True)
    ]
    remarks.append(timings[-1].remark or f"{held:,} metric rows at the end")
    lines = [
        Line("ledger", timing.name, timing.seconds, remark=remark)
        for timing, remark in zip(timings, remarks, strict=True)
    ]
    return Section("Store", LEGEND, lines)


def _vectors(count: int, length: int) -> list[Vector]:
    draws = np.random.default_rng(0).standard_normal((count, length))
    return [Vector(metrics.ALIGNMENT, values, epoch=epoch) for epoch, values in enumerate(draws)]
