"""Rows a second, and publishing."""

import tempfile
from pathlib import Path

from measure import Candidate, calls
from settings import Settings
from table import Line, Section

from linstudy.store.ledger import Ledger
from linstudy.store.rows import Batch, MetricRow, RunRow, StudyRow, VectorRow
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace

LEGEND = """Batches written to the ledger of a workspace, each in one transaction; publishing copies all rows written \
so far to `results.duckdb`."""

VECTOR = 1000


def section(settings: Settings) -> Section:
    """Numbers, vectors, and the copy."""
    rows = 1_000 if settings.smoke else 100_000
    numbers = [MetricRow("r", "loss", "", "train", epoch, epoch, 0.5) for epoch in range(rows)]
    vectors = [VectorRow("r", "alignment", "", "", epoch, [0.5] * VECTOR) for epoch in range(rows // 1000)]
    small = [MetricRow("r", "loss", "", "train", 0, 0, 0.5)]
    with tempfile.TemporaryDirectory() as folder, Ledger.open(Workspace(Path(folder))) as ledger:
        ledger.register(StudyRow("bench", "", "", ""), [RunRow("r", "training", {"kind": "training"})])
        timings = settings.measure(
            [
                Candidate(f"{rows:,} metric rows", calls(lambda: ledger.write(Batch(metrics=numbers)))),
                Candidate(f"{len(vectors)} vectors of {VECTOR}", calls(lambda: ledger.write(Batch(vectors=vectors)))),
                Candidate("one metric row", calls(lambda: ledger.write(Batch(metrics=small)))),
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
