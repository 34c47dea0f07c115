import math
import subprocess
import sys

import duckdb
import numpy as np
import pytest

from linstudy.metrics import METRICS
from linstudy.store.artifacts import Artifact
from linstudy.store.database import LedgerError
from linstudy.store.ledger import Ledger
from linstudy.store.query import query
from linstudy.store.rows import ArtifactRow, Batch, MetricRow, StudyRow, VectorRow
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace


def loss(epoch, value=0.5, run_id="t"):
    return MetricRow(run_id, "loss", "", "train", epoch, None if epoch is None else 10 * epoch, value)


def checkpoint(epoch, digit="0"):
    return ArtifactRow("t", Artifact("checkpoint", f"artifacts/{digit}", digit * 64, 8, epoch))


def test_runs_are_planned_until_an_attempt_says_otherwise(ledger, study, runs):
    ledger.register(study, runs)
    assert ledger.statuses() == {"s": "planned", "t": "planned"}
    attempt = ledger.begin("t", {})
    assert ledger.statuses()["t"] == "running"
    ledger.finish(attempt, "failed", "no memory", "Traceback …")
    assert ledger.statuses()["t"] == "failed"
    ledger.finish(ledger.begin("t", {}), "done")
    assert ledger.statuses() == {"s": "planned", "t": "done"}


def test_a_done_run_is_done_for_every_study(ledger, study, runs):
    ledger.register(study, runs)
    ledger.finish(ledger.begin("t", {}), "done")
    ledger.register(StudyRow("other", "paper", "", ""), runs[1:])
    assert ledger.statuses()["t"] == "done"


def test_registering_again_replaces_the_points_of_this_variant_only(ledger, study, runs, rows):
    ledger.register(study, runs)
    ledger.register(study._replace(variant="paper"), runs)
    ledger.register(study._replace(title="new"), runs[1:])
    assert rows("SELECT variant, run_id, position FROM study_run ORDER BY ALL") == [
        ("", "t", 0),
        ("paper", "s", 0),
        ("paper", "t", 1),
    ]
    assert rows("SELECT title FROM study WHERE variant = ''") == [("new",)]
    assert rows("FROM dependency") == [("t", "spectrum", "s")]
    assert rows("SELECT source FROM run ORDER BY run_id") == [(None,), ("digits:1",)]


def test_registering_takes_the_newest_complete_spec(ledger, study, runs, rows):
    ledger.register(study, runs)
    ledger.register(study, [runs[1]._replace(spec={**runs[1].spec, "seed": 7})] * 2)
    assert rows("SELECT spec ->> 'seed' FROM run WHERE run_id = 't'") == [("7",)]


def test_an_empty_study_is_a_study(ledger, study, rows):
    ledger.register(study, [])
    assert rows("SELECT name FROM study") == [("rotation",)]


def test_attempt_records_its_environment(ledger, rows):
    facts = {"host": "h", "device": "cpu", "versions": {"jax": "0.10.2"}, "git_commit": "abc", "dirty": True}
    assert [ledger.begin("t", facts), ledger.begin("s", {})] == [1, 2]
    assert rows(
        "SELECT run_id, host, device, fused_group, versions ->> 'jax', git_commit, dirty FROM attempt "
        "ORDER BY attempt_id"
    ) == [("t", "h", "cpu", None, "0.10.2", "abc", True), ("s", None, None, None, None, None, None)]
    with pytest.raises(ValueError, match=r"\['hots'\].*host, device"):
        ledger.begin("t", {"hots": "h"})


def test_an_attempt_ends_once_and_as_something_known(ledger, rows):
    attempt = ledger.begin("t", {})
    with pytest.raises(ValueError, match='"planned".*done, failed'):
        ledger.finish(attempt, "planned")
    ledger.finish(attempt, "diverged", "loss is nan")
    with pytest.raises(ValueError, match="not running"):
        ledger.finish(attempt, "done")
    [(status, error, positive)] = rows("SELECT status, error, finished >= started FROM attempt")
    assert (status, error, positive) == ("diverged", "loss is nan", True)


def test_recover_marks_what_was_left_running(ledger, study, runs):
    ledger.register(study, runs)
    ledger.finish(ledger.begin("s", {}), "done")
    ledger.begin("t", {})
    assert ledger.recover() == ["t"]
    assert ledger.statuses() == {"s": "done", "t": "interrupted"}
    assert ledger.recover() == []


def test_a_batch_comes_back_as_written(ledger, rows):
    vector = VectorRow("t", "alignment", "", "train", 1, np.array([1.5, 0.25], np.float32))
    batch = Batch([loss(1, 0.1), loss(None, -2.0)], [vector], [checkpoint(None)])
    assert ledger.write(batch)
    assert rows("FROM metric") == [
        ("t", "loss", "", "train", 1, 10, 0.1),
        ("t", "loss", "", "train", None, None, -2.0),
    ]
    assert rows("FROM vector") == [("t", "alignment", "", "train", 1, [1.5, 0.25])]
    assert ledger.artifacts("t") == [checkpoint(None).artifact]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_null(ledger, rows, value):
    entries = np.array([1.5, value, -1.0], np.float32)
    ledger.write(Batch([loss(1, value)], [VectorRow("t", "alignment", "", "", 1, entries)]))
    assert rows("SELECT value FROM metric") == [(None,)]
    assert rows("SELECT value FROM vector") == [([1.5, None, -1.0],)]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO metric VALUES ('t', 'loss', '', '', 0, 0, {})",
        "INSERT INTO vector VALUES ('t', 'gaps', '', '', 0, [1, {}, NULL])",
    ],
)
def test_the_tables_themselves_refuse_what_is_not_finite(ledger, value, statement):
    with ledger.session() as session:
        session.execute(statement.format("NULL"))
        with pytest.raises(duckdb.ConstraintException):
            session.execute(statement.format(f"'{value}'::DOUBLE"))


def test_a_repeated_batch_changes_nothing(ledger, rows):
    batch = Batch([loss(1)], [VectorRow("t", "gaps", "", "", 0, (1.0,))], [checkpoint(1)])
    assert [ledger.write(batch), ledger.write(batch)] == [True, False]
    assert ledger.write(Batch(batch.metrics))
    assert rows("SELECT (SELECT count(*) FROM metric), (SELECT count(*) FROM vector)") == [(2, 1)]


def test_a_failing_batch_leaves_nothing_and_can_be_sent_again(ledger, rows):
    broken = Batch([loss(1), loss(2)._replace(split=None)], batch_id="b")
    with pytest.raises(duckdb.ConstraintException):
        ledger.write(broken)
    assert rows("FROM metric") == []
    assert ledger.write(Batch([loss(1)], batch_id="b"))


def test_a_name_that_is_no_metric_is_rejected(ledger):
    with pytest.raises(ValueError, match=r"\['lost'\] is no scalar metric.*loss"):
        ledger.write(Batch([loss(1)._replace(name="lost")]))
    with pytest.raises(ValueError, match=r"\['loss'\] is no vector metric.*alignment"):
        ledger.write(Batch(vectors=[VectorRow("t", "loss", "", "", 0, (1.0,))]))


def test_an_artifact_replaces_the_one_of_its_name_and_epoch(ledger):
    ledger.write(Batch(artifacts=[checkpoint(None, "0"), checkpoint(0, "1"), checkpoint(2, "2")]))
    ledger.write(Batch(artifacts=[checkpoint(2, "3"), checkpoint(None, "4")]))
    assert [(one.epoch, one.path) for one in ledger.artifacts("t")] == [
        (None, "artifacts/4"),
        (0, "artifacts/1"),
        (2, "artifacts/3"),
    ]


def test_the_epochs_that_are_stored_are_told_for_every_run(ledger):
    other = checkpoint(7)._replace(run_id="s")
    ledger.write(Batch(artifacts=[checkpoint(2), checkpoint(None), checkpoint(0), other]))
    assert ledger.stored_epochs() == {"t": [0, 2], "s": [7]}


def test_truncate_keeps_what_lies_before_the_resume_point(ledger, rows):
    metrics = [loss(epoch) for epoch in (0, 1, 2, None)] + [loss(9, run_id="s")]
    vectors = [VectorRow("t", "alignment", "", "", epoch, (1.0,)) for epoch in (0, 1, 2, None)]
    ledger.write(Batch(metrics, vectors, [checkpoint(epoch) for epoch in (None, 0, 1, 2)]))
    ledger.truncate("t", 1)
    assert rows("SELECT run_id, epoch FROM metric ORDER BY ALL") == [("s", 9), ("t", 0), ("t", 1)]
    assert rows("SELECT epoch FROM vector ORDER BY ALL") == [(0,), (1,)]
    assert [one.epoch for one in ledger.artifacts("t")] == [None, 0, 1]
    ledger.truncate("t")
    assert rows("SELECT run_id FROM metric") == [("s",)]
    assert rows("FROM vector") == ledger.artifacts("t") == []


def test_metrics_are_explained_in_the_ledger(ledger, rows):
    assert dict(rows("SELECT name, meaning FROM metric_def")) == {one.name: one.meaning for one in METRICS.values()}


def test_another_process_is_told_that_the_ledger_is_in_use(ledger, workspace):
    code = (
        "import sys; from pathlib import Path; from linstudy.store.ledger import Ledger\n"
        "from linstudy.store.workspace import Workspace\n"
        "try: Ledger.open(Workspace(Path(sys.argv[1])))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(workspace.root)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("LedgerError")
    assert "ledger.duckdb cannot be opened" in done.stdout
    assert "another process" in done.stdout


def test_what_was_written_is_there_after_opening_again(ledger, workspace):
    ledger.write(Batch(artifacts=[checkpoint(1)]))
    ledger.close()
    with Ledger.open(workspace) as again:
        assert again.artifacts("t") == [checkpoint(1).artifact]


def _replace_ledger(workspace, *statements):
    workspace.private.mkdir(parents=True)
    with duckdb.connect(workspace.ledger) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_database_of_another_program_is_refused(workspace):
    _replace_ledger(workspace, "CREATE TABLE orders (id INTEGER)")
    with pytest.raises(LedgerError, match="linstudy did not write.*--workspace"):
        Ledger.open(workspace)


def test_a_newer_schema_is_refused(workspace):
    _replace_ledger(
        workspace, "CREATE TABLE ledger_version AS SELECT 'linstudy' AS program, 99::INTEGER AS schema_version"
    )
    with pytest.raises(LedgerError, match="schema version 99; this linstudy reads and writes version 3"):
        Ledger.open(workspace)


VERSION_2 = (
    *(f"DROP VIEW IF EXISTS {view}" for view in ("rotations", "growths", "study_runs", "curves", "spectra")),
    *(f"DROP VIEW IF EXISTS {view}" for view in ("final", "settings")),
    "DROP MACRO TABLE IF EXISTS settings_among",
    "DROP VIEW IF EXISTS runs",
    "ALTER TABLE run DROP COLUMN setting_id",
    "CREATE OR REPLACE TABLE metric (run_id VARCHAR NOT NULL, name VARCHAR NOT NULL, label VARCHAR NOT NULL, "
    "split VARCHAR NOT NULL, epoch BIGINT, step BIGINT, value DOUBLE NOT NULL)",
    "CREATE OR REPLACE TABLE vector (run_id VARCHAR NOT NULL, name VARCHAR NOT NULL, label VARCHAR NOT NULL, "
    "split VARCHAR NOT NULL, epoch BIGINT, value DOUBLE[] NOT NULL)",
    "INSERT INTO metric VALUES ('t', 'loss', '', 'train', 1, 10, 'nan'), ('t', 'loss', '', 'train', 2, 20, 0.5)",
    "INSERT INTO vector VALUES ('t', 'gaps', '', '', 0, ['1', 'nan', 'inf', NULL]::DOUBLE[])",
    "UPDATE ledger_version SET schema_version = 2",
)
"""What makes a ledger one of the second schema version, with numbers that were not finite."""

VERSION_1 = (
    *VERSION_2,
    "ALTER TABLE attempt DROP COLUMN methods",
    "UPDATE ledger_version SET schema_version = 1",
)


@pytest.mark.parametrize("left", ["ledger", "results"])
@pytest.mark.parametrize("version", [VERSION_1, VERSION_2], ids=["1", "2"])
def test_an_earlier_schema_is_brought_up_to_date(workspace, study, runs, rows_of_schema, version, left):
    workspace.root.mkdir()
    with Ledger.open(workspace) as ledger:
        ledger.register(study, runs)
        ledger.finish(ledger.begin("t", {}), "done")
        publish(ledger, workspace.results)
    for file in (workspace.ledger, workspace.results):
        with duckdb.connect(file) as connection:
            for statement in version:
                connection.execute(statement)
    if left == "results":
        workspace.ledger.unlink()
    with Ledger.open(workspace) as ledger:
        assert ledger.statuses() == {"s": "planned", "t": "done"}
        with ledger.session() as session:
            assert rows_of_schema(session) == rows_of_schema(None)
            assert session.execute("SELECT epoch, value FROM metric ORDER BY ALL").fetchall() == [(1, None), (2, 0.5)]
            assert session.execute("SELECT value FROM vector").fetchall() == [([1.0, None, None, None],)]
            assert session.execute("SELECT DISTINCT setting_id FROM run").fetchall() == [(None,)]
        ledger.register(study, [run._replace(setting_id=f"of {run.run_id}") for run in runs])
        ledger.finish(ledger.begin("s", {}), "done", methods={"gram": "structured"})
        publish(ledger, workspace.results)
    with Ledger.open(workspace) as again:
        assert again.statuses() == {"s": "done", "t": "done"}
    assert query(workspace.results, "SELECT setting_id FROM settings ORDER BY ALL").rows == [("of s",), ("of t",)]
    assert query(workspace.results, "SELECT run_id, methods ->> 'gram' FROM runs ORDER BY ALL").rows == [
        ("s", "structured"),
        ("t", None),
    ]


@pytest.fixture
def rows_of_schema(tmp_path):
    """A function that gives the columns and the constraints of a ledger, of a new one where none is given."""

    def read(session):
        if session is None:
            (tmp_path / "new").mkdir()
            with Ledger.open(Workspace(tmp_path / "new")) as new, new.session() as own:
                return read(own)
        columns = session.execute(
            "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() "
            "WHERE database_name = 'ledger' ORDER BY table_name, column_index"
        ).fetchall()
        constraints = session.execute(
            "SELECT table_name, constraint_text FROM duckdb_constraints() WHERE database_name = 'ledger' ORDER BY ALL"
        ).fetchall()
        return columns, constraints

    return read


def test_an_attempt_remembers_how_it_computed(ledger, rows):
    ledger.finish(ledger.begin("t", {"fused_group": "g"}), "done", methods={"training": "function space"})
    ledger.finish(ledger.begin("s", {}), "done", methods={})
    assert rows("SELECT fused_group, methods ->> 'training' FROM attempt ORDER BY attempt_id") == [
        ("g", "function space"),
        (None, None),
    ]


def test_a_file_that_is_no_database_is_refused(workspace):
    workspace.private.mkdir(parents=True)
    workspace.ledger.write_text("hello")
    with pytest.raises(LedgerError, match="not a valid DuckDB database"):
        Ledger.open(workspace)


def test_a_foreign_results_file_is_refused_and_left_alone(workspace):
    workspace.root.mkdir()
    with duckdb.connect(workspace.results) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    content = workspace.results.read_bytes()
    with pytest.raises(LedgerError, match="results.duckdb is a DuckDB database that linstudy did not write"):
        Ledger.open(workspace)
    assert workspace.results.read_bytes() == content
    assert not workspace.ledger.exists()


KILLED = """
import sys
from itertools import count
from pathlib import Path
from linstudy.store.ledger import Ledger
from linstudy.store.rows import Batch, MetricRow
from linstudy.store.workspace import Workspace
ledger = Ledger.open(Workspace(Path(sys.argv[1])))
ledger.begin("t", {})
for epoch in count():
    rows = [MetricRow("t", "loss", "", "train", epoch, step, 0.5) for step in range(100)]
    ledger.write(Batch(rows))
    print(epoch, flush=True)
"""


def test_a_ledger_opens_after_its_process_was_killed_while_writing(workspace):
    workspace.root.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(workspace.root)], stdout=subprocess.PIPE, text=True
    ) as writer:
        told = [int(writer.stdout.readline()) for _ in range(30)][-1]
        writer.kill()
        told = max([told, *map(int, writer.stdout.read().split())])
    with Ledger.open(workspace) as ledger, ledger.session() as session:
        batches = session.execute("SELECT epoch, count(*) FROM metric GROUP BY epoch ORDER BY epoch").fetchall()
        assert {size for _, size in batches} == {100}
        assert len(batches) in (told + 1, told + 2)
        assert ledger.recover() == ["t"]
