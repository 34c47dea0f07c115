import math
import subprocess
import sys

import duckdb
import numpy as np
import pytest

from linstudy import metrics
from linstudy.facts import RESUME, Ending, Fingerprint, Method, Notice, Number, Progress, Report, Vector
from linstudy.history import Stored
from linstudy.metrics import METRICS
from linstudy.store import ledger as ledger_module
from linstudy.store.database import LedgerError
from linstudy.store.entries import Rejected
from linstudy.store.ledger import Ledger
from linstudy.store.query import query
from linstudy.store.rows import StudyRow
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace


def statuses(ledger):
    return {run_id: stored.status for run_id, stored in ledger.stored().items()}


def gaps(epoch, *values):
    return Vector(metrics.GAPS, values, epoch=epoch)


def test_a_run_has_the_status_of_its_last_attempt(ledger, study, runs, tell):
    ledger.register(study, runs)
    assert statuses(ledger) == {}
    attempt = tell("t")
    assert statuses(ledger) == {"t": "running"}
    ledger.record(Report(attempt, (Ending("failed", "no memory", "Traceback …"),)))
    ledger.flush()
    assert statuses(ledger) == {"t": "failed"}
    tell("t", Ending("done"))
    assert statuses(ledger) == {"t": "done"}


def test_a_done_run_is_done_for_every_study(ledger, study, runs, tell):
    ledger.register(study, runs)
    tell("t", Ending("done"))
    ledger.register(StudyRow("other", "paper", "", ""), runs[1:])
    assert statuses(ledger)["t"] == "done"


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


def test_attempt_records_its_environment(ledger, tell, rows):
    facts = {"host": "h", "device": "cpu", "versions": {"jax": "0.10.2"}, "git_commit": "abc", "dirty": True}
    assert [tell("t", **facts, log="t-1.log", fused_group="g"), tell("s")] == [1, 2]
    assert rows(
        "SELECT run_id, host, device, fused_group, versions ->> 'jax', git_commit, dirty, log FROM attempt "
        "ORDER BY attempt_id"
    ) == [("t", "h", "cpu", "g", "0.10.2", "abc", True, "t-1.log"), ("s", *[None] * 7)]


def test_an_attempt_has_no_other_environment(ledger):
    with pytest.raises(ValueError, match=r"environment has \['colour'\]; an attempt records host, device,"):
        ledger.begin("t", {"colour": "red"})


def test_the_next_attempt_is_known_before_it_is_begun(ledger, workspace, tell):
    tell("t")
    following = ledger.next_attempt
    assert ledger.begin("s", {}) == following == 2
    ledger.flush()
    ledger.close()
    with Ledger.open(workspace) as again:
        assert again.next_attempt == 3


def test_an_attempt_records_how_it_ended_and_what_it_loaded(tell, rows):
    tell("t", Fingerprint("f" * 64), Ending("diverged", "the loss is not finite at epoch 3"))
    [(status, error, fingerprint, took)] = rows("SELECT status, error, fingerprint, finished >= started FROM attempt")
    assert (status, error, fingerprint, took) == ("diverged", "the loss is not finite at epoch 3", "f" * 64, True)


def test_recover_marks_what_was_left_running(ledger, tell, rows):
    tell("s", Ending("done"))
    tell("t")
    assert ledger.recover() == ["t"]
    assert statuses(ledger) == {"s": "done", "t": "interrupted"}
    assert rows("SELECT error FROM attempt WHERE run_id = 't'") == [("the program that ran it ended before it did",)]
    assert ledger.recover() == []


def test_facts_come_back_as_they_were_told(ledger, tell, loss, checkpoint, rows):
    vector = Vector(metrics.ALIGNMENT, np.array([1.5, 0.25], np.float32), "train", 1, "mine")
    tell("t", loss(1, 0.25), loss(None, 0.5), vector, checkpoint(None), Progress(0.5, "half"))
    assert rows("FROM metric") == [
        ("t", "loss", "", "train", 1, 10, 0.25),
        ("t", "loss", "", "train", None, None, 0.5),
    ]
    assert rows("FROM vector") == [("t", "alignment", "mine", "train", 1, [1.5, 0.25])]
    assert ledger.stored()["t"].artifacts == {("checkpoint", None): checkpoint(None)}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_null(tell, loss, rows, value):
    tell("t", loss(0), loss(1, value), Vector(metrics.ALIGNMENT, np.array([1.5, value, -1.0], np.float32), epoch=1))
    assert rows("SELECT epoch, value FROM metric ORDER BY epoch") == [(0, 0.5), (1, None)]
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


def test_nothing_is_written_before_it_is_due(ledger, rows, loss, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(ledger_module.time, "monotonic", lambda: clock[0])
    ledger.flush()
    revision = ledger.revision
    ledger.record(Report(ledger.begin("t", {}), (loss(0),)))
    clock[0] += ledger_module.SECONDS_BETWEEN_FLUSHES / 2
    assert not ledger.flush_if_due()
    assert rows("FROM attempt") == rows("FROM metric") == []
    clock[0] += ledger_module.SECONDS_BETWEEN_FLUSHES
    assert ledger.flush_if_due()
    assert len(rows("FROM attempt")) == len(rows("FROM metric")) == 1
    assert ledger.revision == revision + 1
    assert not ledger.flush()
    assert ledger.revision == revision + 1


def test_what_waits_is_written_in_one_transaction(ledger, loss, checkpoint, rows, monkeypatch):
    """A reader that looks between any two statements sees nothing of it."""
    first, second = ledger.begin("t", {}), ledger.begin("s", {})
    ledger.record(Report(first, (loss(0), gaps(0, 1.0), checkpoint(0), Method("training", "parameters"))))
    ledger.record(Report(second, (loss(0), Ending("done"))))
    counts = "SELECT count(*) FROM attempt UNION ALL SELECT count(*) FROM metric UNION ALL SELECT count(*) FROM vector"
    seen, insert, update = [], Ledger._insert, Ledger._update

    def looking(method):
        def look(self, *arguments, **options):
            method(self, *arguments, **options)
            seen.append(sum(count for (count,) in rows(counts)))

        return look

    monkeypatch.setattr(Ledger, "_insert", looking(insert))
    monkeypatch.setattr(Ledger, "_update", looking(update))
    ledger.flush()
    assert set(seen) == {0}
    assert len(seen) == 4  # attempts, numbers, artifacts, changes
    assert sum(count for (count,) in rows(counts)) == 5


def test_a_report_is_stored_as_a_whole_or_not_at_all(ledger, tell, loss, rows, monkeypatch):
    """What fails between two statements leaves nothing, and is not lost."""
    attempt = tell("t")
    ledger.record(Report(attempt, (loss(1), gaps(1, 1.0))))
    with monkeypatch.context() as patched:
        patched.setattr(ledger_module, "insert_vectors", refuse(duckdb.IOException("no space left on device")))
        with pytest.raises(ledger_module.LedgerError, match=r"cannot be written: no space left.*Free some space"):
            ledger.flush()
        assert rows("FROM metric") == []
    ledger.flush()
    assert len(rows("FROM metric")) == len(rows("FROM vector")) == 1


def refuse(error):
    def fail(*arguments):
        raise error

    return fail


def test_a_fact_that_the_database_refuses_fails_its_own_attempt_alone(ledger, loss, checkpoint, rows):
    good, bad, other = (ledger.begin(run_id, {}) for run_id in ("t", "s", "u"))
    ledger.record(Report(good, (loss(1), checkpoint(1), Ending("done"))))
    ledger.record(Report(bad, (loss(2), Number(metrics.LOSS, 0.5, epoch=2**70), Method("training", "parameters"))))
    ledger.record(Report(other, (loss(3),)))
    ledger.flush()
    assert rows("SELECT run_id, epoch FROM metric ORDER BY ALL") == [("t", 1), ("u", 3)]
    assert statuses(ledger) == {"t": "done", "s": "failed", "u": "running"}
    [(error,)] = rows("SELECT error FROM attempt WHERE run_id = 's'")
    assert error.startswith("what it reported cannot be stored: ")
    assert ledger.take_rejected() == [Rejected(bad, "s", error)]
    assert ledger.take_rejected() == []
    ledger.record(Report(bad, (loss(4), Ending("done"))))
    ledger.record(Report(other, (loss(5), Ending("done"))))
    ledger.flush()
    assert statuses(ledger) == {"t": "done", "s": "failed", "u": "done"}
    assert rows("SELECT run_id, epoch FROM metric ORDER BY ALL") == [("t", 1), ("u", 3), ("u", 5)]


def test_a_later_fact_that_is_refused_leaves_what_was_written_before(ledger, tell, loss, rows):
    attempt = tell("t", loss(1))
    ledger.record(Report(attempt, (Number(metrics.LOSS, 0.5, epoch=2**70),)))
    ledger.flush()
    assert rows("SELECT epoch FROM metric") == [(1,)]
    assert statuses(ledger) == {"t": "failed"}


@pytest.mark.parametrize("outcome", ["done", "failed", "interrupted", "diverged"])
def test_a_report_of_an_attempt_that_is_over_changes_nothing(ledger, tell, loss, checkpoint, rows, outcome):
    attempt = tell("t", loss(0), Ending(outcome, "first"))
    before = [rows(f"FROM {table}") for table in ("attempt", "metric", "vector", "artifact")]
    late = (loss(1), gaps(1, 1.0), checkpoint(1), Method("gram", "structured"), Notice("late"), Ending("done"))
    ledger.record(Report(attempt, late))
    assert not ledger.flush()
    ledger.record(Report(attempt + 1, late))  # of no attempt
    assert not ledger.flush()
    assert [rows(f"FROM {table}") for table in ("attempt", "metric", "vector", "artifact")] == before


def test_a_report_after_the_ending_changes_nothing_before_it_is_written_either(ledger, loss, rows):
    attempt = ledger.begin("t", {})
    ledger.record(Report(attempt, (loss(0), Ending("failed", "why"))))
    ledger.record(Report(attempt, (loss(1), Ending("done"))))
    ledger.flush()
    assert rows("SELECT epoch FROM metric") == [(0,)]
    assert rows("SELECT status, error FROM attempt") == [("failed", "why")]


def test_what_a_lost_worker_says_late_does_not_touch_the_next_attempt(ledger, tell, loss, rows):
    lost = tell("t", Ending("failed", "the worker process was killed"))
    tell("t", loss(0))
    ledger.record(Report(lost, (loss(0), Ending("done"))))
    ledger.flush()
    assert rows("SELECT count(*) FROM metric") == [(1,)]
    assert statuses(ledger) == {"t": "running"}


def test_an_artifact_replaces_the_one_of_its_name_and_epoch(ledger, tell, checkpoint):
    tell("t", checkpoint(None, "0"), checkpoint(0, "1"), checkpoint(2, "2"), checkpoint(2, "9", "spectrum"))
    tell("s", checkpoint(2, "8"))
    tell("t", checkpoint(2, "3"), checkpoint(None, "4"))
    stored = ledger.stored()
    assert {key: own.path for key, own in stored["t"].artifacts.items()} == {
        ("checkpoint", None): "artifacts/4",
        ("checkpoint", 0): "artifacts/1",
        ("checkpoint", 2): "artifacts/3",
        ("spectrum", 2): "artifacts/9",
    }
    assert stored["s"].artifacts[("checkpoint", 2)].path == "artifacts/8"


def test_one_rolling_state_is_kept_and_none_once_the_run_is_done(ledger, tell, checkpoint):
    attempt = tell("t", checkpoint(0), checkpoint(1, "1", RESUME))
    tell("s", checkpoint(1, "5", RESUME))
    for epoch in (2, 3):  # one after the other in one writing, then in one of its own
        ledger.record(Report(attempt, (checkpoint(epoch, str(epoch), RESUME, epoch - 1),)))
    ledger.flush()
    assert set(ledger.stored()["t"].artifacts) == {("checkpoint", 0), ("resume", 3)}
    ledger.record(Report(attempt, (checkpoint(4, "4", RESUME, 3),)))
    ledger.flush()
    assert set(ledger.stored()["t"].artifacts) == {("checkpoint", 0), ("resume", 4)}
    ledger.record(Report(attempt, (checkpoint(5, "5"), Ending("done"))))
    ledger.flush()
    stored = ledger.stored()
    assert set(stored["t"].artifacts) == {("checkpoint", 0), ("checkpoint", 5)}
    assert set(stored["s"].artifacts) == {("resume", 1)}
    assert ledger.paths() == {"artifacts/0", "artifacts/5"}


def test_the_ledger_stores_what_the_history_says_it_stores(ledger, tell, loss, checkpoint):
    facts = [
        *(Fingerprint("f" * 64), loss(0), checkpoint(0), loss(1), checkpoint(1, "1", RESUME), loss(2)),
        *(gaps(2, 1.0), checkpoint(2, "2", RESUME, 1), Notice("odd"), loss(3), checkpoint(3, "3"), Ending("done")),
    ]
    attempt, expected = tell("t"), Stored("running")
    for fact in facts:
        ledger.record(Report(attempt, (fact,)))
        ledger.flush()
        expected = expected.after(fact)
        found = ledger.stored()["t"]
        assert (found.status, found.told, found.fingerprint) == (expected.status, expected.told, expected.fingerprint)
        assert {key: own.path for key, own in found.artifacts.items()} == {
            key: own.path for key, own in expected.artifacts.items()
        }


@pytest.mark.parametrize("kept", [None, 0, 1, 5])
def test_cutting_keeps_what_lies_before_the_resume_point(ledger, tell, loss, checkpoint, rows, kept):
    epochs = (0, 1, 2, None)
    tell("t", *map(loss, epochs), *(gaps(epoch, 1.0) for epoch in epochs), checkpoint(1), checkpoint(2, "2", RESUME))
    tell("s", loss(9), loss(None), gaps(9, 1.0), checkpoint(0, "9"))
    ledger.cut("t", kept)
    left = [epoch for epoch in (0, 1, 2) if kept is not None and epoch <= kept]
    for table in ("metric", "vector"):
        found = [epoch for (epoch,) in rows(f"SELECT epoch FROM {table} WHERE run_id = 't' ORDER BY ALL")]
        assert found == [*left, *([] if kept is None else [None])], "what has no epoch stays where anything does"
    assert rows("SELECT count(*) FROM metric WHERE run_id = 's'") == [(2,)]
    assert rows("SELECT count(*) FROM vector WHERE run_id = 's'") == [(1,)]
    stored = ledger.stored()
    assert set(stored["t"].artifacts) == (set() if kept is None else {("checkpoint", 1), ("resume", 2)})
    assert stored["t"].told == max(left, default=None)
    assert set(stored["s"].artifacts) == {("checkpoint", 0)}


def test_cutting_and_forgetting_reach_what_was_not_written_yet(ledger, loss, checkpoint, rows):
    ledger.record(Report(ledger.begin("t", {}), (loss(0), loss(1), checkpoint(0, "1"), checkpoint(1, "2"))))
    ledger.cut("t", 0)
    ledger.forget(["artifacts/2"])
    ledger.flush()
    assert rows("SELECT epoch FROM metric") == [(0,)]
    assert ledger.paths() == {"artifacts/1"}


def test_lost_files_are_forgotten_for_every_run_that_had_them(ledger, tell, checkpoint):
    tell("t", checkpoint(0, "1"), checkpoint(1, "2"))
    tell("s", checkpoint(0, "1"))
    ledger.forget(["artifacts/1", "artifacts/unknown"])
    stored = ledger.stored()
    assert [set(stored[run_id].artifacts) for run_id in ("t", "s")] == [{("checkpoint", 1)}, set()]


def test_metrics_are_explained_in_the_ledger(ledger, rows):
    assert dict(rows("SELECT name, meaning FROM metric_def")) == {one.name: one.meaning for one in METRICS.values()}


def test_opening_writes_the_metrics_that_are_not_known_and_else_nothing(ledger, workspace):
    assert ledger.revision == 1
    ledger.close()
    with Ledger.open(workspace) as again:
        assert again.revision == 0
        with again.write() as connection:
            connection.execute("UPDATE metric_def SET meaning = 'as of old' WHERE name = 'loss'")
    with Ledger.open(workspace) as changed:
        assert changed.revision == 1
        found = changed.session().execute("SELECT meaning FROM metric_def WHERE name = 'loss'").fetchall()
    assert found == [(METRICS["loss"].meaning,)]


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


def test_what_was_written_is_there_after_opening_again(ledger, workspace, tell, loss, checkpoint):
    tell("t", loss(3), checkpoint(1), Fingerprint("f"), Ending("interrupted"))
    before = ledger.stored()
    ledger.close()
    with Ledger.open(workspace) as again:
        assert again.stored() == before
    assert before == {"t": Stored("interrupted", {("checkpoint", 1): checkpoint(1)}, 3, "f")}


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
    with pytest.raises(LedgerError, match="schema version 99; this linstudy reads and writes version 4"):
        Ledger.open(workspace)


VERSION_3 = (
    "ALTER TABLE study DROP COLUMN file",
    "ALTER TABLE attempt DROP COLUMN code",
    "DROP TABLE code",
    "DROP TABLE note",
    "UPDATE ledger_version SET schema_version = 3",
)
VERSION_2 = (
    *(f"DROP VIEW IF EXISTS {view}" for view in ("rotations", "growths", "study_runs", "curves", "spectra")),
    *(f"DROP VIEW IF EXISTS {view}" for view in ("final", "settings")),
    "DROP MACRO TABLE IF EXISTS settings_among",
    "DROP VIEW IF EXISTS runs",
    "DROP TABLE IF EXISTS published",
    *VERSION_3,
    "ALTER TABLE run DROP COLUMN setting_id",
    "ALTER TABLE attempt DROP COLUMN log",
    "ALTER TABLE attempt DROP COLUMN notices",
    "CREATE OR REPLACE TABLE metric (run_id VARCHAR NOT NULL, name VARCHAR NOT NULL, label VARCHAR NOT NULL, "
    "split VARCHAR NOT NULL, epoch BIGINT, step BIGINT, value DOUBLE NOT NULL)",
    "CREATE OR REPLACE TABLE vector (run_id VARCHAR NOT NULL, name VARCHAR NOT NULL, label VARCHAR NOT NULL, "
    "split VARCHAR NOT NULL, epoch BIGINT, value DOUBLE[] NOT NULL)",
    "INSERT INTO metric VALUES ('t', 'loss', '', 'train', 1, 10, 'nan'), ('t', 'loss', '', 'train', 2, 20, 0.5)",
    "INSERT INTO vector VALUES ('t', 'gaps', '', '', 0, ['1', 'nan', 'inf', NULL]::DOUBLE[])",
    "CREATE TABLE batch (batch_id VARCHAR PRIMARY KEY)",
    "UPDATE ledger_version SET schema_version = 2",
)
"""What makes a ledger one of the second schema version, with numbers that were not finite."""

VERSION_1 = (
    *VERSION_2,
    "ALTER TABLE attempt DROP COLUMN methods",
    "UPDATE ledger_version SET schema_version = 1",
)


def rows_of_schema(session):
    """The columns and the constraints of a ledger."""
    columns = session.execute(
        "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() "
        "WHERE database_name = 'ledger' ORDER BY table_name, column_index"
    ).fetchall()
    constraints = session.execute(
        "SELECT table_name, constraint_text FROM duckdb_constraints() WHERE database_name = 'ledger' ORDER BY ALL"
    ).fetchall()
    return columns, constraints


@pytest.fixture
def new_schema(tmp_path):
    """The columns and the constraints of a new ledger."""
    (tmp_path / "new").mkdir()
    with Ledger.open(Workspace(tmp_path / "new")) as ledger, ledger.session() as session:
        return rows_of_schema(session)


@pytest.fixture(params=[VERSION_1, VERSION_2], ids=["1", "2"])
def earlier(request, workspace, study, runs, checkpoint):
    """A workspace whose ledger and results are of an earlier schema version, with one run that is done."""
    workspace.root.mkdir()
    with Ledger.open(workspace) as ledger:
        ledger.register(study, runs)
        ledger.record(Report(ledger.begin("t", {}), (checkpoint(2), Ending("done"))))
        ledger.flush()
        publish(ledger, workspace.results)
    for file in (workspace.ledger, workspace.results):
        with duckdb.connect(file) as connection:
            for statement in request.param:
                connection.execute(statement)
    return workspace


@pytest.mark.parametrize("left", ["ledger", "results"])
def test_an_earlier_schema_is_brought_up_to_date(earlier, checkpoint, new_schema, left):
    if left == "results":
        earlier.ledger.unlink()
    with duckdb.connect(earlier.ledger if left == "ledger" else earlier.results) as connection:
        assert {table for table, *_ in connection.execute("SHOW TABLES").fetchall()} > {"batch", "metric"}
    with Ledger.open(earlier) as ledger, ledger.session() as session:
        assert rows_of_schema(session) == new_schema
        assert session.execute("SELECT epoch, value FROM metric ORDER BY ALL").fetchall() == [(1, None), (2, 0.5)]
        assert session.execute("SELECT value FROM vector").fetchall() == [([1.0, None, None, None],)]
        assert session.execute("SELECT DISTINCT setting_id FROM run").fetchall() == [(None,)]
        assert ledger.stored() == {"t": Stored("done", {("checkpoint", 2): checkpoint(2)}, 2)}


def test_a_ledger_of_an_earlier_schema_takes_what_is_new(earlier, study, runs):
    with Ledger.open(earlier) as ledger:
        ledger.register(study, [run._replace(setting_id=f"of {run.run_id}") for run in runs])
        facts = (Method("gram", "structured"), Notice("odd"), gaps(0, 1.0, np.nan), Ending("done"))
        ledger.record(Report(ledger.begin("s", {"log": "s-2.log"}), facts))
        ledger.flush()
        assert ledger.take_rejected() == []
        publish(ledger, earlier.results)
    with Ledger.open(earlier) as again:
        assert statuses(again) == {"s": "done", "t": "done"}
    assert query(earlier.results, "SELECT setting_id FROM settings ORDER BY ALL").rows == [("of s",), ("of t",)]
    attempts = "SELECT run_id, methods ->> 'gram', log, notices FROM attempt ORDER BY ALL"
    assert query(earlier.results, attempts).rows == [("s", "structured", "s-2.log", ["odd"]), ("t", None, None, None)]


def test_an_attempt_remembers_how_it_computed_and_what_to_be_warned_of(ledger, tell, rows):
    attempt = tell("t", Method("training", "function space"), Method("gram", "structured"), Notice("one"))
    ledger.record(Report(attempt, (Method("training", "parameters"), Notice("two"), Ending("done"))))
    ledger.flush()
    tell("s", Ending("done"))
    columns = "methods ->> 'training', methods ->> 'gram', notices"
    assert rows(f"SELECT {columns} FROM attempt ORDER BY attempt_id") == [
        ("parameters", "structured", ["one", "two"]),
        (None, None, None),
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
from linstudy import metrics
from linstudy.facts import Number, Report
from linstudy.store.ledger import Ledger
from linstudy.store.workspace import Workspace
ledger = Ledger.open(Workspace(Path(sys.argv[1])))
attempt = ledger.begin("t", {})
for epoch in count():
    ledger.record(Report(attempt, tuple(Number(metrics.LOSS, 0.5, "train", epoch, step) for step in range(100))))
    ledger.flush()
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
        reports = session.execute("SELECT epoch, count(*) FROM metric GROUP BY epoch ORDER BY epoch").fetchall()
        assert {size for _, size in reports} == {100}
        assert len(reports) in (told + 1, told + 2)
        assert ledger.recover() == ["t"]
