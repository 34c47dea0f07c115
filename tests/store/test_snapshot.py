import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from linstudy import metrics
from linstudy.facts import Ending, Number, Report, Vector
from linstudy.history import Stored
from linstudy.spec.errors import LinstudyError
from linstudy.store import snapshot
from linstudy.store.database import adoption_note, attach
from linstudy.store.ledger import Ledger
from linstudy.store.query import export_parquet, query
from linstudy.store.snapshot import SECONDS_BETWEEN_TRIALS, Publisher, publish
from linstudy.store.workspace import Workspace


def count_rows(path):
    with duckdb.connect(path, read_only=True) as connection:
        return connection.execute("SELECT count(*) FROM metric").fetchone()[0]


def test_published_file_has_the_storage_version_that_older_clients_read(ledger, workspace):
    publish(ledger, workspace.results)
    with duckdb.connect(workspace.results, read_only=True) as connection:
        [(tags,)] = connection.execute("SELECT tags FROM duckdb_databases() WHERE NOT internal").fetchall()
    assert tags["storage_version"] == "v1.4.0+"


def test_views_are_planned_again_for_a_new_kind_of_number_alone(
    ledger, study, runs, workspace, tell, loss, monkeypatch
):
    ledger.register(study, runs)
    planned, trace = [], lambda epoch: Number(metrics.TRACE, epoch / 2, epoch=epoch)
    monkeypatch.setattr(snapshot, "_empty", {})
    monkeypatch.setattr(snapshot, "attach", lambda *arguments: planned.append(1) or attach(*arguments))
    counts = []
    for facts in ([loss(0)], [loss(1)], [trace(2)], [trace(3)]):
        tell("t", *facts)
        planned.clear()
        publish(ledger, workspace.results)
        counts.append(len(planned))
    assert counts == [2, 1, 2, 1]  # to make the empty file, and to fill it
    assert query(workspace.results, "SELECT epoch, trace FROM final WHERE run_id = 't'").rows == [(3, 1.5)]


def test_publishing_leaves_one_file(ledger, workspace):
    for _ in range(2):
        publish(ledger, workspace.results)
    assert [file.name for file in workspace.root.iterdir() if file.is_file()] == ["results.duckdb"]


def test_a_half_written_report_is_not_published(ledger, workspace, tell, loss):
    tell("t", *map(loss, range(3)))
    with ledger._transaction():
        ledger._insert("metric", [("t", "loss", "", "train", epoch, epoch, 0.5) for epoch in range(3, 8)])
        publish(ledger, workspace.results)
    assert count_rows(workspace.results) == 3


def test_results_become_the_ledger_of_a_workspace_that_has_none(ledger, study, runs, workspace, tell, loss, tmp_path):
    ledger.register(study, runs)
    tell("t", *map(loss, range(3)), Ending("done"))
    publish(ledger, workspace.results)
    copy = Workspace(tmp_path / "copy")
    copy.root.mkdir()
    shutil.copy(workspace.results, copy.results)
    with Ledger.open(copy) as adopted:
        assert adopted.stored() == {"t": Stored("done", told=2)}
        adopted.record(Report(adopted.begin("s", {}), (loss(3),)))
        adopted.flush()
        for _ in range(2):
            publish(adopted, copy.results)
    assert count_rows(copy.results) == 4
    assert count_rows(workspace.results) == 3


def test_what_a_user_wrote_into_the_published_file_cannot_break_it(ledger, workspace, tell, loss):
    publish(ledger, workspace.results)
    code = (
        "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); c.execute('CREATE TABLE mine (a INT)'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(workspace.results)], check=True)
    assert workspace.results.with_name("results.duckdb.wal").exists()
    tell("t", loss(0), loss(1))
    publish(ledger, workspace.results)
    assert count_rows(workspace.results) == 2


def test_published_results_without_their_views_become_a_ledger_that_is_published(ledger, workspace):
    """Their macro is in the way of the next one."""
    publish(ledger, workspace.results)
    ledger.close()
    shutil.rmtree(workspace.private)
    with duckdb.connect(workspace.results) as connection:
        views = connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        assert ("runs",) in views
        for (view,) in views:
            connection.execute(f"DROP VIEW {view}")
    with Ledger.open(workspace) as adopted:
        publish(adopted, workspace.results)
    with duckdb.connect(workspace.results) as connection:
        assert set(views) <= set(connection.execute("SHOW TABLES").fetchall())


HOLD = """
import sys, duckdb
held = duckdb.connect(sys.argv[1], read_only=True)
print(held.execute("SELECT count(*) FROM curves").fetchone()[0], flush=True)
for line in sys.stdin:
    print(held.execute("SELECT count(*) FROM curves").fetchone()[0], flush=True)
"""

LOOP = """
import sys, duckdb
seen = []
while True:
    with duckdb.connect(sys.argv[1], read_only=True) as connection:
        seen.append(connection.execute("SELECT count(*), count(DISTINCT run_id) FROM curves").fetchone()[0])
        connection.execute("FROM final").fetchall()
    assert seen == sorted(seen) and seen[-1] % 10 == 0, seen[-2:]
    print(len(seen), seen[-1], flush=True)
"""


def test_readers_at_any_moment_neither_fail_nor_block(ledger, study, runs, workspace, tell, loss):
    ledger.register(study, runs)
    tell("t", *map(loss, range(10)))
    publish(ledger, workspace.results)
    with (
        subprocess.Popen(
            [sys.executable, "-c", HOLD, str(workspace.results)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as holder,
        subprocess.Popen(
            [sys.executable, "-c", LOOP, str(workspace.results)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as looper,
    ):
        assert holder.stdout.readline() == "10\n"
        first = looper.stdout.readline()
        for number in range(1, 21):
            tell("t", *map(loss, range(10 * number, 10 * number + 10)))
            publish(ledger, workspace.results)
        holder.stdin.write("again\n")
        holder.stdin.close()
        assert holder.stdout.readline() == "10\n"
        line = first
        while line and line.split()[1] != "210":
            line = looper.stdout.readline()
        looper.kill()
        assert line.split()[1:] == ["210"], looper.stderr.read()
    assert int(line.split()[0]) > 5


EDITS = {
    "metric has 2 rows instead of 3": "DELETE FROM metric WHERE epoch = 1",
    "metric has other values in its 3 rows": "UPDATE metric SET value = 0.25 WHERE epoch = 1",
    "metric has 4 rows instead of 3": "INSERT INTO metric FROM metric WHERE epoch = 1",
    "vector has other values in its 1 rows": "UPDATE vector SET value = [1.0, 3.0]",
    "artifact is gone": "DROP TABLE artifact",
}


@pytest.fixture
def published(ledger, study, runs, workspace, tell, loss):
    """A workspace whose ledger is gone after it was published."""
    ledger.register(study, runs)
    tell("t", *map(loss, range(3)), Vector(metrics.ALIGNMENT, [1.0, 2.0], epoch=0))
    publish(ledger, workspace.results)
    ledger.close()
    shutil.rmtree(workspace.private)
    return workspace


@pytest.mark.parametrize("words", EDITS)
def test_an_edited_file_is_told_apart_before_it_becomes_the_ledger(published, words):
    assert adoption_note(published) is None
    with duckdb.connect(published.results) as connection:
        connection.execute(EDITS[words])
    assert f"was edited after linstudy published it: {words}." in adoption_note(published)


def test_a_file_in_another_order_of_rows_counts_as_the_same(published):
    with duckdb.connect(published.results) as connection:
        connection.execute("CREATE TEMP TABLE rows AS FROM metric ORDER BY epoch DESC")
        connection.execute("DELETE FROM metric")
        connection.execute("INSERT INTO metric FROM temp.rows")
    assert adoption_note(published) is None


def test_a_file_without_a_note_or_of_another_duckdb_says_nothing(published):
    for edit in ("UPDATE published SET duckdb = 'v1.0.0', checksum = 0", "DROP TABLE published"):
        with duckdb.connect(published.results) as connection:
            connection.execute(edit)
        assert adoption_note(published) is None


def test_a_workspace_with_a_ledger_or_without_results_has_nothing_to_adopt(ledger, workspace, tmp_path):
    publish(ledger, workspace.results)
    with duckdb.connect(workspace.results) as connection:
        connection.execute("DELETE FROM metric_def")
    assert adoption_note(workspace) is None
    assert adoption_note(Workspace(tmp_path / "none")) is None


def test_the_note_stays_out_of_the_ledger(published):
    with Ledger.open(published) as adopted:
        publish(adopted, published.results)
    with duckdb.connect(published.results, read_only=True) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM published").fetchall()]
    assert "metric" in names
    assert "published" not in names


def test_a_link_is_followed(ledger, workspace, tell, loss, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    workspace.results.symlink_to(tmp_path / "elsewhere" / "r.duckdb")
    tell("t", *map(loss, range(3)))
    publish(ledger, workspace.results)
    assert workspace.results.is_symlink()
    assert count_rows(tmp_path / "elsewhere" / "r.duckdb") == 3
    assert [file.name for file in (tmp_path / "elsewhere").iterdir()] == ["r.duckdb"]


NAMES = ["exp:1", "md:x", "sqlite:w", "a b", "it's", '"', "100%", "#1", "-w", "a\nb", "φ", "*[c]", "~", ":memory:"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_a_folder(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    workspace = Workspace(Path(name))
    with workspace.lock(), Ledger.open(workspace) as ledger:
        publish(ledger, workspace.results)
    assert query(workspace.results, "SELECT count(*) FROM run").rows == [(0,)]
    export_parquet(workspace.results, "SELECT 1", io.BytesIO())
    assert [folder.name for folder in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(("name", "words"), [(b"\xff", "this path is not UTF-8"), (b"a?b", r"with \? in its path")])
def test_a_name_that_duckdb_cannot_open_is_refused(tmp_path, name, words):
    workspace = Workspace(tmp_path / os.fsdecode(name))
    with workspace.lock(), pytest.raises(LinstudyError, match=f"{words}.*Rename the folder"):
        Ledger.open(workspace)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def slow(monkeypatch, clock):
    """Publishing takes a tenth of a second of the clock."""

    def take(ledger, path):
        clock.now += 0.1

    monkeypatch.setattr("linstudy.store.snapshot.publish", take)


@pytest.mark.usefixtures("slow")
def test_publisher_stays_within_its_share_of_the_time(tmp_path, clock):
    busy = SimpleNamespace(revision=0)
    publisher = Publisher(busy, tmp_path / "results.duckdb", interval=3.0, share=0.02, clock=clock)
    published = 0
    while clock.now < 1000:
        busy.revision += 1
        published += publisher.publish()
        clock.now += 0.5
    assert 0.9 * 0.02 < 0.1 * published / clock.now <= 0.02


@pytest.mark.usefixtures("slow")
def test_publisher_waits_unless_forced(ledger, workspace, tell, loss, clock):
    publisher = Publisher(ledger, workspace.results, interval=30.0, clock=clock)
    assert publisher.publish()
    tell("t", loss(0))
    clock.now += 29.9
    assert not publisher.publish()
    assert publisher.publish(force=True)
    clock.now += 100
    assert not publisher.publish(), "nothing is new"
    tell("t", loss(0))
    assert publisher.publish()


def attached(ledger):
    with ledger.session() as session:
        return {name for (name,) in session.execute("SELECT database_name FROM duckdb_databases()").fetchall()}


def test_a_publishing_that_fails_leaves_nothing_behind(ledger, workspace, tell, loss, monkeypatch):
    tell("t", loss(0))
    publish(ledger, workspace.results)
    tell("t", loss(1))
    before = attached(ledger)
    with monkeypatch.context() as patched:
        patched.setattr(snapshot, "note_content", _refuse)
        with pytest.raises(duckdb.IOException, match="no space left"):
            publish(ledger, workspace.results)
    assert attached(ledger) == before
    assert [file.name for file in workspace.root.iterdir() if file.is_file()] == ["results.duckdb"]
    assert count_rows(workspace.results) == 1
    publish(ledger, workspace.results)
    assert count_rows(workspace.results) == 2


def _refuse(*arguments):
    raise duckdb.IOException("no space left on device")


def test_a_publisher_says_why_it_failed_and_tries_again(ledger, workspace, tell, loss, clock, monkeypatch):
    publisher = Publisher(ledger, workspace.results, clock=clock)
    tell("t", loss(0))
    with monkeypatch.context() as patched:
        patched.setattr(snapshot, "note_content", _refuse)
        assert not publisher.publish()
        assert "results.duckdb: cannot be replaced: " in publisher.problem
        assert "no space left on device" in publisher.problem
        clock.now += SECONDS_BETWEEN_TRIALS / 2
    assert not publisher.publish(), "too early"
    assert publisher.problem
    assert not workspace.results.exists()
    clock.now += SECONDS_BETWEEN_TRIALS / 2
    assert publisher.publish(), "what failed is still new"
    assert publisher.problem == ""
    assert count_rows(workspace.results) == 1


def test_a_publisher_that_may_not_write_the_folder_loses_nothing(ledger, workspace, tell, loss, clock, monkeypatch):
    def refuse(temporary, final):
        raise PermissionError(13, "Permission denied")

    publisher = Publisher(ledger, workspace.results, clock=clock)
    tell("t", loss(0))
    with monkeypatch.context() as patched:
        patched.setattr(snapshot, "install", refuse)
        assert not publisher.publish(force=True)
        assert "Permission denied" in publisher.problem
    assert publisher.publish(force=True)
    assert [file.name for file in workspace.root.iterdir() if file.is_file()] == ["results.duckdb"]
