"""Exports, and what a workspace takes in of them."""

import re
from dataclasses import replace

import duckdb
import numpy as np
import pytest

from linstudy import metrics
from linstudy.facts import CHECKPOINT, RESUME, Ending, Number, Report, Vector
from linstudy.spec.errors import LinstudyError
from linstudy.store.artifacts import ArtifactStore
from linstudy.store.exchange import TABLES, ExportError, export_tables
from linstudy.store.ledger import Ledger
from linstudy.store.merge import merge, merged_results
from linstudy.store.query import QueryError, query
from linstudy.store.rows import RunRow, StudyRow
from linstudy.store.workspace import Workspace

STUDY = StudyRow("a", "", "", "study: a")
RUNS = [
    RunRow("s", "spectrum", {"kind": "spectrum", "seed": 0}, setting_id="of s"),
    RunRow("t", "training", {"kind": "training", "seed": 0}, (("spectrum", "s"),), "digits:1", "of t"),
    RunRow("u", "training", {"kind": "training", "seed": 1}, (("spectrum", "s"),), "digits:1", "of t"),
]


def loss(epoch, value=0.5):
    return Number(metrics.LOSS, value, "train", epoch, 10 * epoch)


class Place:
    """A workspace in which a study was registered and some of its runs were tried."""

    def __init__(self, folder, study=STUDY, runs=RUNS):
        self.workspace, self.exported = Workspace(folder / "workspace"), folder / "exported"
        self.store, self.study, self.runs = ArtifactStore(self.workspace.artifacts), study, runs
        self.workspace.artifacts.mkdir(parents=True)
        with Ledger.open(self.workspace) as ledger:
            ledger.register(study, runs)

    def tell(self, run_id, *facts):
        """Record an attempt at a run."""
        with Ledger.open(self.workspace) as ledger:
            ledger.record(Report(ledger.begin(run_id, {"host": "of " + self.workspace.root.parent.name}), facts))
            ledger.flush()

    def save(self, epoch=2, name=CHECKPOINT, **options):
        """A stored file, as a fact."""
        return self.store.save(name, {"weights": np.full(3, float(epoch))}, epoch, **options)

    def export(self, artifacts=True):
        """Export what would be published, without its views, which take time; gives the folder."""
        export_tables(self.workspace.ledger, self.exported, self.store if artifacts else None)
        return self.exported

    def merge(self, *others, artifacts=True):
        """Take in what others export; gives what came of each."""
        return [self.take(other.export(artifacts)) for other in others]

    def take(self, folder):
        """Take in an export."""
        with Ledger.open(self.workspace) as ledger:
            return merge(ledger, folder, self.store)

    def rows(self, sql):
        """The answer of the ledger."""
        with Ledger.open(self.workspace) as ledger, ledger.session() as session:
            return session.execute(sql).fetchall()

    def last(self, run_id, columns="status"):
        """Of the last attempt at a run."""
        [row] = self.rows(f"SELECT {columns} FROM attempt WHERE run_id = '{run_id}' ORDER BY attempt_id DESC LIMIT 1")
        return row

    def content(self):
        """All rows of all tables, without what is this workspace's own: numbers of attempts, and logs."""
        own = {"attempt": "SELECT * EXCLUDE (attempt_id, log) FROM attempt"}
        with Ledger.open(self.workspace) as ledger, ledger.session() as session:
            return {
                table: session.execute(f"{own.get(table, f'FROM {table}')} ORDER BY ALL").fetchall() for table in TABLES
            }


@pytest.fixture
def places(tmp_path):
    """Two workspaces of one study."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    return Place(tmp_path / "one"), Place(tmp_path / "other")


def finish(place, run_id="t", *facts):
    place.tell(run_id, loss(1), loss(2, 0.25), Vector(metrics.GAPS, np.array([1.0, np.nan])), *facts, Ending("done"))


def test_what_is_exported_is_what_is_taken_in(places):
    one, other = places
    finish(other, "s", other.save())
    finish(other)
    [found] = one.merge(other)
    assert str(found) == "2 runs taken, 0 known already, 0 conflicts"
    assert one.content() == other.content()
    assert one.store.load(other.save().path)["weights"].tolist() == [2.0] * 3


def test_a_second_time_changes_nothing(places):
    one, other = places
    finish(one, "s", one.save())
    finish(other, "t", other.save())
    one.merge(other)
    once = one.content()
    assert str(one.merge(other)[0]) == "0 runs taken, 1 known already, 0 conflicts"
    assert one.content() == once


def test_the_order_of_places_does_not_matter(places, tmp_path):
    halves = places
    for run_id, place in zip(("t", "u"), halves, strict=True):
        finish(place, "s")  # in both, with the same numbers
        finish(place, run_id, place.save(int(run_id == "u")))
    wholes = []
    for name, order in (("whole", halves), ("turned", halves[::-1])):
        (tmp_path / name).mkdir()
        wholes.append(Place(tmp_path / name))
        assert not any(found.conflicts for found in wholes[-1].merge(*order))
    first, second = (whole.content() for whole in wholes)
    hosts = [content.pop("attempt") for content in (first, second)]
    assert first == second
    assert [len(rows) for rows in hosts] == [3, 3]
    assert [wholes[0].last(run_id) for run_id in ("s", "t", "u")] == [("done",)] * 3


def test_some_runs_are_exported_with_what_they_need_and_the_studies_that_name_them(places):
    one, other = places
    for run_id, epoch in (("s", 1), ("t", 2), ("u", 3)):
        finish(other, run_id, other.save(epoch))
    with Ledger.open(other.workspace) as ledger:
        ledger.register(StudyRow("b", "", "", "study: b"), RUNS[:1])
        ledger.register(StudyRow("c", "", "", "study: c"), RUNS[2:])
    found = export_tables(other.workspace.ledger, other.exported, other.store, ["t"])
    assert (found.runs, found.rows, found.artifacts) == (2, 6, 2)
    assert str(one.take(other.exported)) == "2 runs taken, 0 known already, 0 conflicts"
    assert one.rows("SELECT run_id, count(*) FROM metric GROUP BY ALL ORDER BY ALL") == [("s", 2), ("t", 2)]
    assert one.rows("SELECT study, run_id FROM study_run WHERE study <> 'a' ORDER BY ALL") == [("b", "s")]
    assert one.rows("SELECT name FROM study ORDER BY ALL") == [("a",), ("b",)]
    assert sorted(one.rows("SELECT run_id, epoch FROM artifact")) == [("s", 1), ("t", 2)]
    assert str(one.merge(other)[0]) == "1 runs taken, 2 known already, 0 conflicts"  # the rest, later
    assert one.content() == other.content()


@pytest.mark.parametrize("ending", [Ending("failed", "odd"), Ending("interrupted"), None])
def test_what_is_done_there_replaces_what_is_unfinished_here(places, ending):
    one, other = places
    one.tell("t", loss(1, 9.0), one.save(1, RESUME), *([ending] if ending else []))
    finish(other, "t", other.save())
    one.merge(other)
    assert one.rows("SELECT epoch, value FROM metric ORDER BY ALL") == [(1, 0.5), (2, 0.25)]
    assert one.rows("SELECT name, epoch FROM artifact") == [(CHECKPOINT, 2)]
    assert one.last("t") == ("done",)
    assert one.rows("SELECT host FROM attempt ORDER BY attempt_id") == [("of one",), ("of other",)]


@pytest.mark.parametrize("ending", [Ending("done"), Ending("diverged", "nan"), Ending("failed", "odd")])
def test_what_has_come_no_further_there_changes_nothing_here(places, ending):
    one, other = places
    one.tell("t", loss(1), ending)
    other.tell("t", loss(1, 9.0), Ending("failed", "odd"))
    before = one.content()
    assert not one.merge(other)[0].conflicts
    assert one.content() == before


def test_a_run_that_was_running_when_it_was_exported_is_interrupted(places):
    one, other = places
    other.tell("t", loss(1))
    one.merge(other)
    assert one.last("t", "status, error") == ("interrupted", "it was running when it was exported")


def test_what_differs_is_named_and_what_is_here_stays(places):
    one, other = places
    finish(one, "t", one.save())
    other.tell("t", loss(1), loss(2, 0.75), Vector(metrics.GAPS, np.array([1.0, 2.0])), other.save(3), Ending("done"))
    before = one.content()
    [found] = one.merge(other)
    [line] = found.conflicts
    assert re.fullmatch(
        r"training t: gaps is one vector here and another in .*exported, and 1 more. What is here stays", line
    )
    assert one.content() == before
    with pytest.raises(LinstudyError, match="training t: gaps"), merged_results([one.export(), other.export()]):
        pass


def test_a_run_that_was_extended_there_agrees(places):
    one, other = places
    finish(one, "t", one.save(2))
    finish(other, "t", other.save(2), other.save(1))
    assert not one.merge(other)[0].conflicts
    assert one.rows("SELECT epoch FROM artifact ORDER BY ALL") == [(1,), (2,)]


def test_another_file_of_the_same_study_is_named(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    one = Place(tmp_path / "one", runs=RUNS[:2])
    other = Place(tmp_path / "other", StudyRow("a", "", "", "study: a # 2"), [RUNS[0], RUNS[2]])
    finish(other, "u")
    [found] = one.merge(other)
    assert found.conflicts == [
        f"study a: its file here is not the one of {other.exported}. Its points stay those here; runs were taken"
    ]
    assert one.rows("SELECT run_id FROM study_run ORDER BY position") == [("s",), ("t",)]
    assert one.last("u") == ("done",)


def test_artifacts_come_where_their_files_do(places):
    one, other = places
    kept = other.save(1)
    finish(other, "t", kept, other.save(2))
    one.merge(other, artifacts=False)
    assert one.rows("SELECT epoch FROM artifact") == [], "none was copied"
    one.merge(other)
    assert one.rows("SELECT epoch FROM artifact ORDER BY ALL") == [(1,), (2,)]


def test_a_damaged_or_a_strange_file_is_not_taken(places, tmp_path):
    one, other = places
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    damaged = other.save(1)
    strange = replace(other.save(2), path="artifacts/../../../secret")
    (tmp_path / "secret.safetensors").write_bytes(b"secret")
    stranger = replace(other.save(4), path="artifacts/../../../secret.safetensors", sha256="../../secret")
    finish(other, "t", damaged, strange, stranger, other.save(3))
    folder = other.export()
    ArtifactStore(folder / "artifacts").file(damaged.path).write_bytes(b"x")
    one.take(folder)
    assert one.rows("SELECT epoch FROM artifact") == [(3,)]
    assert [path.name for path in one.workspace.artifacts.rglob("*") if path.is_file()] == [
        f"{other.save(3).sha256}.safetensors"
    ]


def test_equal_tables_are_equal_files(places):
    one, _ = places
    finish(one)
    first = {path.name: path.read_bytes() for path in one.export().glob("*.parquet")}
    assert first.keys() == {f"{table}.parquet" for table in (*TABLES, "ledger_version")}
    assert {path.name: path.read_bytes() for path in one.export().glob("*.parquet")} == first
    assert duckdb.sql(f"SELECT max(epoch) FROM '{one.exported}/metric.parquet'").fetchall() == [(2,)]


def test_a_folder_of_other_things_is_left_alone(places):
    one, _ = places
    one.exported.mkdir()
    (one.exported / "thesis.tex").write_text("")
    with pytest.raises(ExportError, match=r"holds thesis\.tex, which is no part of an export"):
        one.export()
    assert [path.name for path in one.exported.iterdir()] == ["thesis.tex"]
    (one.exported / "thesis.tex").rename(one.exported.parent / "file")
    with pytest.raises(ExportError, match="is no folder"):
        export_tables(one.workspace.results, one.exported.parent / "file")
    with pytest.raises(QueryError, match="run a study here first"):
        export_tables(one.exported.parent / "results.duckdb", one.exported)


def test_an_export_that_is_broken_off_is_none(places):
    one, other = places
    finish(other)
    folder = other.export()
    (folder / "ledger_version.parquet").unlink()
    before = one.content()
    with pytest.raises(ExportError, match="holds no export. Make one there: linstudy export"):
        one.take(folder)
    other.export()
    (folder / "metric.parquet").write_bytes(b"PAR1")
    with pytest.raises(ExportError, match=r"metric\.parquet.* Export it anew, or copy it again"):
        one.take(folder)
    assert one.content() == before


@pytest.mark.parametrize(("version", "message"), [(99, "has schema version 99; this linstudy"), (2, None)])
def test_an_export_of_another_version(places, version, message):
    one, other = places
    finish(other)
    folder = other.export()
    with duckdb.connect() as connection:
        for table, content in (
            ("ledger_version", f"SELECT 'linstudy' AS program, {version}::INTEGER AS schema_version"),
            ("study", f"SELECT * EXCLUDE (file) FROM '{folder}/study.parquet'"),
            ("run", f"SELECT * EXCLUDE (setting_id) FROM '{folder}/run.parquet'"),
            ("attempt", f"SELECT * EXCLUDE (log, notices, code) FROM '{folder}/attempt.parquet'"),
        ):
            connection.execute(f"CREATE TABLE {table} AS {content}")
            connection.execute(f"COPY {table} TO '{folder}/{table}.parquet'")
    for table in ("code", "note"):
        (folder / f"{table}.parquet").unlink()
    if message:
        with pytest.raises(LinstudyError, match=message):
            one.take(folder)
    else:
        one.take(folder)
        assert one.last("t") == ("done",)
        assert one.rows("SELECT setting_id FROM run WHERE run_id = 't'") == [("of t",)], "as here"


ODD_ROWS = {
    "run": ["'[1]' AS spec", '\'{"kind": {"a": 1}}\' AS spec', "'{bad' AS spec", "'nobody' AS run_id"],
    "attempt": ["'[1]' AS code", '\'{"a": {"b": 1}}\' AS code', "'3' AS versions", "'odd' AS status", "3 AS notices"],
    "code": ["'other' AS content"],
    "dependency": ["run_id AS needs"],
    "metric": ["'nan'::DOUBLE AS value"],
    "ledger_version": ["0 AS schema_version", "'x' AS schema_version"],
}


def test_rows_that_no_linstudy_writes_are_refused(places):
    """Taken in, they would spoil every later publishing, `forget` or `show` of the workspace."""
    one, other = places
    with Ledger.open(other.workspace) as ledger:
        ledger.begin("t", {"code": ledger.keep_code({"changes": "+ a"})})
        ledger.flush()
    finish(other)
    folder, before = other.export(), one.content()
    with Ledger.open(one.workspace) as ledger, duckdb.connect() as connection:
        for table, odd in ((table, odd) for table, several in ODD_ROWS.items() for odd in several):
            file = folder / f"{table}.parquet"
            content = file.read_bytes()
            connection.execute(f"CREATE OR REPLACE TABLE odd AS SELECT * REPLACE ({odd}) FROM '{file}'")
            connection.execute(f"COPY odd TO '{file}'")
            with pytest.raises(LinstudyError, match=r"Export it anew|did not write"):
                merge(ledger, folder, one.store)
            file.write_bytes(content)
    assert one.content() == before


def test_exports_together_are_read_like_a_workspace(places):
    one, other = places
    finish(one, "t")
    finish(other, "u")
    with merged_results([one.export(), other.export()]) as results:
        assert query(results, "SELECT seeds, done FROM settings WHERE kind = 'training'").rows == [(2, 2)]
    assert not results.exists()


def test_where_a_study_was_read_is_known_there_alone(tmp_path):
    one, other = (
        Place(tmp_path / "one", StudyRow("b", "", "", "")),
        Place(tmp_path / "o", STUDY._replace(file="a.yaml")),
    )
    one.merge(other)
    assert other.rows("SELECT file FROM study") == [("a.yaml",)]
    assert one.rows("SELECT file FROM study WHERE name = 'a'") == [(None,)]


def test_an_export_over_another_has_none_of_its_files(places):
    one, _ = places
    one.tell("t", one.save(), Ending("done"))
    folder = one.export()
    assert list(folder.glob("artifacts/*/*.safetensors"))
    one.export(artifacts=False)
    assert list(folder.glob("artifacts/*/*.safetensors")) == []
