"""What goes, what stays, and what a death in between leaves."""

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from linstudy import metrics
from linstudy.facts import CHECKPOINT, RESUME, Ending, Report, Vector
from linstudy.spec.errors import LinstudyError
from linstudy.store import database, removal
from linstudy.store.artifacts import ArtifactStore
from linstudy.store.clean import DAYS_OF_LOGS, LOGS, OF_RUNS, PROGRAMS, STATES, UNNAMED, find_superfluous
from linstudy.store.forget import Scope, find_forgotten
from linstudy.store.ledger import Ledger
from linstudy.store.notes import write_notes
from linstudy.store.query import open_published, query
from linstudy.store.removal import needed_by_others, remove
from linstudy.store.rows import StudyRow
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace

ID = {name: name * 16 for name in "abcd"}


@pytest.fixture(scope="module")
def kept_once(tmp_path_factory, runs, loss):
    """A workspace: study one has a training `b` that needs the spectrum `a`; study two has `a` and the training `c`.

    `b` and `c` share one file, and `b` has one of its own; `d` failed, and no study names it any more.
    """
    workspace = Workspace(tmp_path_factory.mktemp("kept"))
    spectrum, training = runs
    a = spectrum._replace(run_id=ID["a"])
    b, c, d = (training._replace(run_id=ID[name], dependencies=(("spectrum", ID["a"]),)) for name in "bcd")
    store = ArtifactStore(workspace.artifacts)
    with workspace.lock(), Ledger.open(workspace) as ledger:
        ledger.register(StudyRow("one", "", "", ""), [a, b, d])
        ledger.register(StudyRow("one", "", "", ""), [a, b])
        ledger.register(StudyRow("two", "", "", ""), [a, c])
        for run, weight in ((a, 0), (b, 1), (c, 1), (d, None)):
            name = f"{run.run_id}-{ledger.next_attempt}.log"
            workspace.logs.mkdir(exist_ok=True)
            (workspace.logs / name).write_text("printed\n")
            attempt = ledger.begin(run.run_id, {"log": f".linstudy/logs/{name}"})
            facts = [loss(0), loss(1)]
            if weight is not None:
                facts.append(store.save(CHECKPOINT, {"weight": np.full(3, weight)}, 1))
            if run is b:
                facts.append(store.save(CHECKPOINT, {"weight": np.full(3, 7)}, 0))
            ledger.record(Report(attempt, (*facts, Ending("failed" if run is d else "done"))))
        ledger.flush()
        publish(ledger, workspace.results)
    return workspace


@pytest.fixture
def kept(kept_once, workspace):
    """A copy of it."""
    shutil.copytree(kept_once.root, workspace.root)
    return workspace


def forgetting(workspace, *scope):
    with open_published(workspace.results) as ask:
        return find_forgotten(ask, Scope(*scope), workspace)


def forget(workspace, *scope):
    return remove(workspace, lambda ask: find_forgotten(ask, Scope(*scope), workspace))


def superfluous(workspace):
    with open_published(workspace.results) as ask:
        return find_superfluous(ask, workspace)


def clean(workspace):
    return remove(workspace, lambda ask: find_superfluous(ask, workspace))


def read(workspace, sql):
    return query(workspace.results, sql).rows


def letters(run_ids):
    return "".join(sorted(run_id[0] for run_id in run_ids))


def test_a_forgotten_study_takes_its_own_runs_along_and_no_others(kept):
    found = forgetting(kept, "one")
    assert (letters(found.removal.runs), letters(found.named), found.needed) == ("b", "a", {})
    assert (found.states, found.attempts, found.rows) == ({"done": 1}, 1, 2)
    assert {what: len(files) for what, files in found.removal.files.items()} == {"artifacts": 1, "logs": 1}
    assert letters(run_id for (run_id,) in read(kept, "SELECT run_id FROM runs")) == "abcd", "nothing is done"
    assert forget(kept, "one") == found
    assert read(kept, "SELECT name FROM study") == [("two",)]
    for table in ("run", "attempt", "metric"):
        assert letters({run_id for (run_id,) in read(kept, f"SELECT run_id FROM {table}")}) == "acd"
    assert letters(run_id for (run_id,) in read(kept, "SELECT DISTINCT run_id FROM dependency")) == "cd"
    paths = {path for (path,) in read(kept, "SELECT path FROM artifact")}
    assert {file.name for file in kept.artifacts.rglob("*.safetensors")} == {Path(path).name for path in paths}
    assert len(list(kept.logs.glob("*.log"))) == 3


def test_a_variant_is_forgotten_alone(kept, runs):
    with Ledger.open(kept) as ledger:
        row = runs[1]._replace(run_id=ID["b"], dependencies=())
        ledger.register(StudyRow("one", "paper", "", ""), [row, row._replace(run_id="e" * 16)])
        publish(ledger, kept.results)
    assert letters(forget(kept, "one", "paper").removal.runs) == "e"
    assert read(kept, "SELECT name, variant FROM study ORDER BY ALL") == [("one", ""), ("two", "")]


def test_selected_runs_go_from_all_studies_but_those_that_others_need(kept):
    found = forget(kept, None, None, "kind = 'spectrum' OR left(run_id, 1) = 'b'")
    assert letters(found.removal.runs) == "b"
    assert {need[0]: by[0] for need, by in found.needed.items()} in ({"a": "c"}, {"a": "d"})
    assert read(kept, "SELECT left(run_id, 1) FROM study_run WHERE study = 'one'") == [("a",)]
    assert letters(forget(kept, None, None, "true").removal.runs) == "acd"
    assert read(kept, "SELECT count(*) FROM study") == [(2,)], "the studies stay"


def test_selected_runs_of_one_study_stay_where_another_names_them(kept):
    found = forget(kept, "two", None, "true")
    assert (letters(found.removal.runs), letters(found.named), letters(found.needed)) == ("c", "", "a")
    assert read(kept, "SELECT left(run_id, 1) FROM study_run WHERE study = 'two'") == [("a",)]


@pytest.mark.parametrize(
    ("scope", "message"),
    [
        (("three",), 'there is no study "three" in the workspace. Allowed: one, two'),
        (("on",), 'Did you mean "one"'),
        (("one", "paper"), 'study one has no variant "paper" here. Allowed: ""'),
        (("one", None, "left(run_id, 1) = 'c'"), "the condition holds for none of the 2 runs of one"),
    ],
)
def test_what_is_not_there_cannot_be_forgotten(kept, scope, message):
    with pytest.raises(LinstudyError, match=message):
        forgetting(kept, *scope)


def test_where_there_is_no_workspace_none_is_made(tmp_path):
    with pytest.raises(LinstudyError, match="run a study here first"):
        clean(Workspace(tmp_path / "typo"))
    assert not (tmp_path / "typo").exists()


def test_what_others_need_is_followed_to_the_end():
    chain = [("d", "c"), ("c", "b"), ("b", "a")]
    assert needed_by_others("abc", chain) == {"c": "d", "b": "c", "a": "b"}
    assert needed_by_others("abcd", chain) == {}
    assert needed_by_others("ac", chain) == {"a": "b", "c": "d"}


def litter(workspace):
    """One file of each sort that goes, and files that stay beside them."""
    for name in ("artifacts/ab/.1.incoming", "artifacts/scratch/gone.gram", ".linstudy/new-ledger.duckdb"):
        (workspace.root / name).parent.mkdir(exist_ok=True)
        (workspace.root / name).write_bytes(b"12345")
    lost = workspace.artifacts / "ab" / f"{'ab' * 32}.safetensors"
    lost.write_bytes(b"12345")
    (workspace.artifacts / "ab" / "notes.safetensors").write_text("of the user")
    (workspace.compile_cache / "cpu").mkdir(parents=True)
    (workspace.compile_cache / "cpu" / "program").write_bytes(b"1")
    week = time.time() - (DAYS_OF_LOGS + 1) * 86_400
    for name, age in (("worker-1.log", week), ("worker-2.log", None), (f"{'e' * 16}-7.log", None), ("notes.txt", week)):
        (workspace.logs / name).write_text("printed\n")
        if age:
            os.utime(workspace.logs / name, (age, age))


def test_clean_takes_what_nothing_needs(kept):
    litter(kept)
    with Ledger.open(kept) as ledger:
        state = ArtifactStore(kept.artifacts).save(RESUME, {"weight": np.zeros(2)}, 1, owner=ID["c"])
        with ledger.write() as connection:
            row = [ID["c"], state.name, state.path, state.sha256, state.bytes, 1]
            connection.execute("INSERT INTO artifact VALUES (?, ?, ?, ?, ?, ?)", row)
        publish(ledger, kept.results)
    found = superfluous(kept)
    counts = {what: len(files) for what, files in found.removal.files.items()}
    assert counts == {OF_RUNS: 1, STATES: 1, UNNAMED: 4, LOGS: 2, PROGRAMS: 1}
    assert (letters(found.removal.runs), found.states, found.orphans) == ("d", {"failed": 1}, 0)
    assert clean(kept) == found
    assert superfluous(kept).removal.is_empty
    assert read(kept, "SELECT count(*) FROM artifact WHERE name = 'resume'") == [(0,)]
    left = {file.name for file in kept.root.rglob("*") if file.is_file()}
    assert {"notes.safetensors", "worker-2.log", "notes.txt"} <= left
    assert not {"worker-1.log", "program", "gone.gram", ".1.incoming", "new-ledger.duckdb"} & left


@pytest.mark.parametrize(
    ("outcome", "has_state", "goes"),
    [(None, False, True), ("interrupted", False, True), ("interrupted", True, False), ("done", False, False)],
)
def test_runs_that_no_study_names_go_only_without_a_result(kept, runs, checkpoint, outcome, has_state, goes):
    with Ledger.open(kept) as ledger:
        ledger.register(StudyRow("three", "", "", ""), [runs[1]._replace(run_id="e" * 16, dependencies=())])
        ledger.register(StudyRow("three", "", "", ""), [])
        if outcome:
            facts = [checkpoint(0)] if has_state else []
            ledger.record(Report(ledger.begin("e" * 16, {}), (*facts, Ending(outcome))))
        ledger.flush()
        publish(ledger, kept.results)
    assert ("e" * 16 in superfluous(kept).removal.runs) == goes


class Killed(BaseException):
    """The process ends here."""


def forget_one(place):
    return forget(place, "one")


@pytest.mark.parametrize(
    ("removing", "module", "step", "count"),
    [
        (forget_one, removal, "_delete", 3),  # of several tables, in one transaction
        (forget_one, removal, "publish", 1),
        (forget_one, removal, "_delete_file", 0),
        (forget_one, removal, "_delete_file", 1),
        (forget_one, database, "install", 0),  # of the compacted ledger
        (clean, removal, "publish", 1),
        (clean, removal, "_delete_file", 1),
    ],
)
def test_a_kill_leaves_a_consistent_workspace(kept, tmp_path, monkeypatch, removing, module, step, count):
    litter(kept)
    place, calls, original = Workspace(tmp_path / "copy"), [], getattr(module, step)

    def die(*arguments):
        calls.append(arguments)
        if len(calls) <= count:
            return original(*arguments)
        shutil.copytree(kept.root, place.root)  # what the disk holds then: nothing is closed, nothing undone
        raise Killed

    monkeypatch.setattr(module, step, die)
    with pytest.raises(Killed):
        removing(kept)
    monkeypatch.undo()
    assert_whole(place)
    clean(place)
    assert_whole(place)
    assert superfluous(place).removal.is_empty


def assert_whole(place):
    """No row of the ledger, nor of what is published, lacks its file or its run."""
    with Ledger.open(place) as ledger, ledger.session() as session:
        rows = session.execute("SELECT path FROM artifact").fetchall() + read(place, "SELECT path FROM artifact")
        assert rows
        assert all((place.root / path).is_file() for (path,) in rows)
        assert session.execute("SELECT run_id FROM metric EXCEPT SELECT run_id FROM run").fetchall() == []
        assert session.execute("SELECT run_id FROM study_run EXCEPT SELECT run_id FROM run").fetchall() == []


def test_the_ledger_gives_its_room_back(workspace, runs):
    numbers = np.random.default_rng(0).normal(size=500_000)
    with workspace.lock(), Ledger.open(workspace) as ledger:
        ledger.register(StudyRow("one", "", "", ""), runs)
        ledger.record(Report(ledger.begin("t", {}), (Vector(metrics.GAPS, numbers),)))
        ledger.flush()
    before = workspace.ledger.stat().st_size
    forget(workspace, "one")
    assert workspace.ledger.stat().st_size < before - numbers.nbytes / 2


def test_notes_go_with_what_they_are_about_and_are_counted(kept):
    for subject in ("one", "two", ID["b"]):
        write_notes(kept, subject, ["by hand"], are_tags=False, remove=False)
    assert forgetting(kept, "one").notes == 2
    forget(kept, "one")
    assert query(kept.results, "SELECT subject FROM note").rows == [("two",)]
