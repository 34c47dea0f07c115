"""Rows a second, and publishing."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

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

VECTOR = 1000


def section(settings: Settings) -> Section:
    """Numbers, vectors, and the copy."""
    rows = 1_000 if settings.smoke else 100_000
    numbers = [Number(metrics.LOSS, 0.5, "train", epoch, epoch) for epoch in range(rows)]
    vectors = [Vector(metrics.ALIGNMENT, [0.5] * VECTOR, epoch=epoch) for epoch in range(rows // 1000)]
    with tempfile.TemporaryDirectory() as folder, Ledger.open(Workspace(Path(folder))) as ledger:
        ledger.register(StudyRow("bench", "", "", ""), [RunRow("r", "training", {"kind": "training"})])
        attempt = ledger.begin("r", {})

        def write(facts: Sequence[Fact]) -> None:
            ledger.record(Report(attempt, tuple(facts)))
            ledger.flush()

        timings = settings.measure(
            [
                Candidate(f"{rows:,} metric rows", calls(lambda: write(numbers))),
                Candidate(f"{len(vectors)} vectors of {VECTOR}", calls(lambda: write(vectors))),
                Candidate("one metric row", calls(lambda: write(numbers[:1]))),
                Candidate("publishing", calls(lambda: publish(ledger, Path(folder) / "results.duckdb"))),
            ]
        )
        with ledger.session() as session:
            [[held]] = session.execute("SELECT count(*) FROM metric").fetchall()
    counts = [f"{rows} rows", f"{len(vectors)} rows", "1 row", ""]
    remarks = [
        f"{int(count.split()[0]) / timing.seconds:,.0f} rows a second" if count and timing.seconds else timing.remark
        for count, timing in zip(counts, timings, strict=True)
    ]
    remarks[-1] = remarks[-1] or f"{held:,} metric rows at the end"
    lines = [
        Line("ledger", timing.name, timing.seconds, remark=remark)
        for timing, remark in zip(timings, remarks, strict=True)
    ]
    return Section("Store", LEGEND, lines)
