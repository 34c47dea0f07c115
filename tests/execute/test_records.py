"""History in memory, in the ledger and on the disk, kept in step."""

import numpy as np
import pytest

from linstudy import metrics
from linstudy.execute.records import Records
from linstudy.facts import CHECKPOINT, RESUME, Ending, Fingerprint, Number, Report
from linstudy.history import Leg, Stored, is_complete, resumption
from linstudy.plan import make_plan
from linstudy.spec.study import Point
from linstudy.store.artifacts import ArtifactStore
from linstudy.store.ledger import Ledger
from linstudy.store.workspace import Workspace

PARTS = {
    "data": {"kind": "digits"},
    "model": {"kind": "mlp"},
    "task": {"kind": "binary_classes"},
    "train": {"epochs": 5},
}


@pytest.fixture
def plan():
    points = [Point.model_validate({**PARTS, "seed": seed}, strict=False) for seed in (0, 1)]
    return make_plan(points, lambda part, spec: "")


@pytest.fixture
def runs(plan):
    """Two trainings."""
    return list(plan.runs.values())


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


@pytest.fixture
def store(workspace):
    return ArtifactStore(workspace.artifacts)


@pytest.fixture
def ledger(workspace):
    with Ledger.open(workspace) as ledger:
        yield ledger


@pytest.fixture
def records(ledger, workspace, plan):
    return Records(ledger, workspace, plan)


@pytest.fixture
def reopened(records, ledger, workspace, plan):
    """A function that ends this process's records, lets something happen, and makes those of the next process."""

    def reopen(meanwhile=lambda: None):
        records.close()
        meanwhile()
        return Records(ledger, workspace, plan)

    return reopen


@pytest.fixture
def write(records, ledger):
    """A function that writes what waits, as after a second."""

    def write():
        ledger._flushed = -np.inf
        records.flush_if_due()

    return write


@pytest.fixture
def save(store):
    """A function that stores the state of an epoch of a run."""

    def save(run, name, epoch, replaces=None):
        owner = run.run_id if name == RESUME else ""
        arrays = {"weight": np.full(3, epoch), "seed": np.array(run.spec.seed)}
        return store.save(name, arrays, epoch, replaces=replaces, owner=owner)

    return save


def loss(epoch):
    return Number(metrics.LOSS, 0.5, "train", epoch, epoch)


def stored_rows(ledger):
    with ledger.session() as session:
        return session.execute("SELECT run_id, epoch FROM metric ORDER BY ALL").fetchall()


def test_what_is_known_is_what_the_next_process_knows(records, reopened, runs, save):
    run, other = runs
    attempt = records.begin(run, {}, again=False)
    facts = [
        (Fingerprint("f"),),
        (loss(0), save(run, CHECKPOINT, 0)),
        (loss(1), save(run, RESUME, 1)),
        (loss(2), save(run, RESUME, 2, replaces=1)),
        (loss(3),),
    ]
    for report in facts:
        records.record(run, Report(attempt, report))
    records.record(run, Report(attempt, (Ending("interrupted", "stopped on request"),)))
    known = records.of(run.run_id)
    assert set(known.artifacts) == {(CHECKPOINT, 0), (RESUME, 2)}
    again = reopened().of(run.run_id)
    assert (again.status, again.told, again.fingerprint) == (known.status, known.told, known.fingerprint)
    assert [own.path for own in again.artifacts.values()] == [own.path for own in known.artifacts.values()]
    assert records.of(other.run_id) == Stored()


def test_an_attempt_that_goes_on_begins_with_a_cut(records, ledger, runs, save):
    run, other = runs
    for one in runs:
        attempt = records.begin(one, {}, again=False)
        state = save(one, RESUME, 1)
        records.record(one, Report(attempt, (loss(0), loss(1), state)))
        records.record(one, Report(attempt, (loss(2), loss(3))))
        records.record(one, Report(attempt, (Ending("failed", "killed"),)))
    records.begin(run, {}, again=False)
    assert stored_rows(ledger) == sorted([*((run.run_id, e) for e in (0, 1)), *((other.run_id, e) for e in range(4))])
    stored = records.of(run.run_id)
    assert stored.told == 1
    assert resumption(run, stored).legs == (Leg(1, (5,)),)


@pytest.mark.parametrize("again", [True, False])
def test_an_attempt_begins_from_nothing_if_asked_or_if_there_is_no_state(records, ledger, runs, save, again):
    run, _ = runs
    attempt = records.begin(run, {}, again=False)
    records.record(run, Report(attempt, (loss(0), loss(1), *([save(run, CHECKPOINT, 5)] if again else []))))
    records.record(run, Report(attempt, (Ending("done" if again else "failed"),)))
    records.begin(run, {}, again=again)
    assert stored_rows(ledger) == []
    assert ledger.paths() == set()
    assert (records.of(run.run_id).told, dict(records.of(run.run_id).artifacts)) == (None, {})


def test_a_state_is_deleted_once_the_ledger_names_another(records, store, runs, save, write):
    run, _ = runs
    attempt = records.begin(run, {}, again=False)
    first, second = save(run, RESUME, 1), save(run, RESUME, 2, replaces=1)
    records.record(run, Report(attempt, (first,)))
    write()
    records.record(run, Report(attempt, (second,)))
    assert store.file(first.path).exists(), "the ledger still names it"
    write()
    assert not store.file(first.path).exists()
    assert store.file(second.path).exists()


def test_a_run_that_is_done_leaves_its_checkpoints_alone(records, store, runs, save, write):
    run, other = runs
    states = []
    for one in runs:
        attempt = records.begin(one, {}, again=False)
        states.append(save(one, RESUME, 3))
        records.record(one, Report(attempt, (loss(3), states[-1])))
        if one is run:
            end = save(one, CHECKPOINT, 5)
            records.record(one, Report(attempt, (loss(5), end, Ending("done"))))
    write()
    assert [store.file(state.path).exists() for state in states] == [False, True]
    assert store.file(end.path).exists()
    assert is_complete(run, records.of(run.run_id))
    assert not is_complete(other, records.of(other.run_id))


def test_a_lost_file_is_forgotten_at_once_and_the_run_goes_on_from_another(records, ledger, reopened, runs, save):
    run, _ = runs
    attempt = records.begin(run, {}, again=False)
    first, end = save(run, CHECKPOINT, 2), save(run, CHECKPOINT, 5)
    records.record(run, Report(attempt, (*map(loss, range(6)), first, end, Ending("done"))))
    assert records.forget([end.path]) == {run.run_id}
    assert ledger.paths() == {first.path}
    stored = records.of(run.run_id)
    assert not is_complete(run, stored)
    assert resumption(run, stored).legs == (Leg(2, (5,)),)
    assert records.forget([end.path]) == records.forget([]) == set()
    assert set(reopened().of(run.run_id).artifacts) == {(CHECKPOINT, 2)}


def test_a_file_that_two_runs_share_is_lost_for_both(records, store, runs):
    artifact = store.save(CHECKPOINT, {"x": np.ones(2)}, 5)
    for run in runs:
        attempt = records.begin(run, {}, again=False)
        records.record(run, Report(attempt, (loss(5), artifact, Ending("done"))))
    assert records.forget([artifact.path]) == {run.run_id for run in runs}
    assert not any(is_complete(run, records.of(run.run_id)) for run in runs)


@pytest.mark.parametrize("damage", ["unlink", "cut", "flip"])
def test_files_that_were_damaged_meanwhile_are_found_at_the_start(records, reopened, store, runs, save, damage):
    run, _ = runs
    attempt = records.begin(run, {}, again=False)
    first, end = save(run, CHECKPOINT, 2), save(run, CHECKPOINT, 5)
    records.record(run, Report(attempt, (loss(5), first, end, Ending("done"))))
    file = store.file(end.path)
    content = file.read_bytes()

    def hurt():
        file.unlink()
        if damage != "unlink":
            file.write_bytes(content[:-1] if damage == "cut" else content[:-1] + b"\xff")

    found = reopened(hurt).of(run.run_id)
    assert set(found.artifacts) == {(CHECKPOINT, 2)}
    assert not is_complete(run, found)


def test_what_a_killed_process_left_is_swept_at_the_start(records, reopened, store, runs, save):
    run, _ = runs
    attempt = records.begin(run, {}, again=False)
    named, unnamed = save(run, RESUME, 1), save(run, RESUME, 2)
    records.record(run, Report(attempt, (loss(1), named)))
    assert set(reopened().of(run.run_id).artifacts) == {(RESUME, 1)}
    assert store.file(named.path).exists()
    assert not store.file(unnamed.path).exists()


def test_files_are_read_once_and_then_known_by_their_seals(records, reopened, runs, save, monkeypatch):
    run, _ = runs
    attempt = records.begin(run, {}, again=False)
    records.record(run, Report(attempt, (loss(5), save(run, CHECKPOINT, 5), Ending("done"))))
    monkeypatch.setattr("linstudy.store.artifacts.ArtifactStore.has", lambda *_: pytest.fail("a sealed file is read"))
    assert is_complete(run, reopened().of(run.run_id))


def test_a_log_is_named_by_its_run_and_its_attempt(records, runs):
    name = records.log_name(runs[0])
    assert name == f"{runs[0].run_id}-{records.begin(runs[0], {'log': name}, again=False)}.log"


def test_lines_that_are_no_messages_are_kept(records, workspace):
    records.note_garbled("a warning é")
    records.note_garbled("another")
    records.close()
    assert (workspace.logs / "garbled.log").read_text(encoding="utf-8") == "a warning é\nanother\n"


def test_facts_that_the_ledger_refuses_are_told_with_their_attempt(records, ledger, runs, write):
    run, other = runs
    attempts = [records.begin(one, {}, again=False) for one in runs]
    records.record(run, Report(attempts[0], (Number(metrics.LOSS, 0.5, epoch=2**70),)))
    records.record(other, Report(attempts[1], (loss(0),)))
    write()
    [rejected] = records.take_rejected()
    assert rejected.attempt == attempts[0]
    assert stored_rows(ledger) == [(other.run_id, 0)]
