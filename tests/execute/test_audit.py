"""Stored runs computed anew and compared: what is found, and from what each is computed."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scripted import Notes, ScriptedWorkers

from linstudy import metrics
from linstudy.execute import crew
from linstudy.execute.audit import audit, choose_rounds, describe_rounds, make_rounds
from linstudy.execute.coordinator import Options
from linstudy.execute.execution import carry_out
from linstudy.execute.findings import Finding, describe_findings
from linstudy.facts import CHECKPOINT, Ending, Number, Report, Vector
from linstudy.plan import make_plan
from linstudy.prepare.provenance import GitState, origin
from linstudy.prepare.study import run_rows
from linstudy.spec.errors import LinstudyError
from linstudy.spec.study import Point
from linstudy.store.artifacts import ArtifactStore
from linstudy.store.ledger import Ledger
from linstudy.store.query import open_published
from linstudy.store.rows import StudyRow
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace

POINT = {
    "data": {"kind": "digits"},
    "model": {"kind": "mlp"},
    "task": {"kind": "binary_classes"},
    "train": {"epochs": 5},
    "probes": [{"kind": "rkhs_norm", "at": [0, "end"]}],
    "seed": 0,
}


class Numerics:
    """What workers of one machine compute: `drift` is what they round otherwise than those of another."""

    def __init__(self, drift=0.0, failing=()):
        self.drift, self.failing, self.given = drift, failing, []

    def workers(self, workspace, folder=None):
        store, workers = ArtifactStore(workspace.artifacts), ScriptedWorkers()
        workers.answer = lambda worker, start: worker.say(
            *(report for one in start.attempts for report in self.reports(one, store))
        )
        return workers

    def reports(self, assignment, store):
        self.given.append((assignment.spec["kind"], {item.role: item.sha256 for item in assignment.artifacts}))
        if assignment.spec["kind"] in self.failing:
            yield Report(assignment.attempt, (Ending("failed", "no such convolution\nmore"),))
            return
        for leg in assignment.legs:
            for epoch in leg.make:
                facts = [Number(metrics.LOSS, 0.5 + self.drift, "train", epoch, epoch)]
                facts.append(Vector(metrics.GAPS, [2.0, np.nan, 4 * (1 + self.drift)], epoch=epoch))
                if assignment.spec["kind"] == "training":
                    weight = np.array([1, 2, epoch + self.drift], np.float32)
                    facts.append(store.save(CHECKPOINT, {"weight": weight}, epoch))
                yield Report(assignment.attempt, tuple(facts))
        yield Report(assignment.attempt, (Ending("done"),))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(crew, "TICK", 0.01)


@pytest.fixture
def plan():
    return make_plan([Point.model_validate(POINT, strict=False)], lambda part, spec: "")


@pytest.fixture
def workspace(tmp_path, plan):
    """A training and a probe of it, both done."""
    place = Workspace(tmp_path / "ws")
    with place.lock(), Ledger.open(place) as ledger:
        ledger.register(StudyRow("s", "", "", "", "../a.yaml"), run_rows(plan))
        workers = Numerics().workers(place)
        made_from = partial(origin, GitState("a" * 40, False))
        carry_out(plan, ledger, place, Notes(), Options(), workers, made_from)
    return place


def audited(workspace, numerics, count=2, condition=None):
    rounds = choose_rounds(workspace, condition, count, 0)
    return list(audit(rounds, workspace, Notes(), Options(), numerics.workers))


def table(findings, tolerance=0.0):
    return {(run.split()[0], what): rest for run, what, *rest in describe_findings(findings, tolerance).rows}


def test_what_is_computed_to_the_same_bits_is_found_so_and_nothing_is_written(workspace):
    before = {file: file.stat().st_mtime_ns for file in workspace.root.rglob("*") if file.name != "lock"}
    findings = audited(workspace, Numerics())
    assert {file: file.stat().st_mtime_ns for file in workspace.root.rglob("*") if file.name != "lock"} == before
    assert all(finding.is_within(0) for finding in findings)
    changes = next(iter(table(findings).values()))[-1]
    assert changes.startswith("commit aaaaaaa -> ")
    assert {key: row[:3] for key, row in table(findings).items()} == {
        ("training", "numbers: 2"): ["0", "", "the same bits"],
        ("training", "vectors: 2"): ["0", "", "the same bits"],
        ("training", "artifacts: 2"): ["0", "", "the same bits"],
        ("probe", "numbers: 2"): ["0", "", "the same bits"],
        ("probe", "vectors: 2"): ["0", "", "the same bits"],
    }


def test_each_run_is_computed_from_what_is_stored_of_those_that_it_needs(workspace):
    with open_published(workspace.results) as ask:
        known = {sha256 for (sha256,) in ask("SELECT sha256 FROM artifact").rows}
    drifted = Numerics(drift=0.25)
    audited(workspace, drifted)
    [training, probe] = drifted.given
    assert (training[0], training[1]) == ("training", {})
    assert probe[0] == "probe"
    assert probe[1]["training"] in known


def test_a_drift_is_found_with_its_size_and_place_and_judged_by_the_tolerance(workspace):
    findings = audited(workspace, Numerics(drift=0.01), count=1, condition="kind = 'training'")
    found = table(findings)
    assert found["training", "numbers: 2"][:3] == ["0.02", "train loss epoch 0", "differs"]
    assert found["training", "vectors: 2"][:3] == ["0.0099", "gaps epoch 0", "differs"]
    assert found["training", "artifacts: 2"][:3] == ["0.005", "checkpoint epoch 0 weight", "differs"]
    assert not findings[0].is_within(0.01)
    assert findings[0].is_within(0.03)
    assert {row[2] for row in table(findings, 0.03).values()} == {"within 0.03"}


def test_a_run_that_fails_now_is_a_finding(workspace):
    findings = audited(workspace, Numerics(failing={"training"}))
    [training] = [row for (kind, _), row in table(findings).items() if kind == "training"]
    assert training[:3] == ["", "", "failed: no such convolution"]
    assert not findings[0].is_within(1)
    for file in workspace.artifacts.glob("*/*.safetensors"):
        file.unlink()
    [finding] = audited(workspace, Numerics(failing={"training"}), count=1, condition="kind = 'probe'")
    assert (finding.status, finding.error) == ("not run", "a run that it needs failed: no such convolution\nmore")


def test_what_is_needed_and_lost_is_made_again_and_a_lost_artifact_is_not_compared(workspace):
    for file in workspace.artifacts.glob("*/*.safetensors"):
        file.unlink()
    rounds = choose_rounds(workspace, "kind = 'probe'", 1, 0)
    told = describe_rounds(rounds, workspace, None, 0)
    assert told.startswith("1 done run computed anew, chosen by --seed 0, and 1 run whose files are missing: about ")
    numerics = Numerics()
    findings = audited(workspace, numerics, count=1, condition="kind = 'probe'")
    assert [kind for kind, _ in numerics.given] == ["training", "probe"]
    assert findings[0].is_within(0)
    [finding] = audited(workspace, Numerics(), count=1, condition="kind = 'training'")
    key = ("training", "artifacts: 0 (2 more have no sound file to compare with)")
    assert table([finding])[key][:3] == ["", "", "not compared"]


def test_runs_are_chosen_by_the_seed_among_those_that_are_done(workspace):
    assert choose_rounds(workspace, None, 1, 3) == choose_rounds(workspace, None, 1, 3)
    assert [len(one.chosen) for one in choose_rounds(workspace, None, 9, 0)] == [1, 1]
    with pytest.raises(LinstudyError, match="holds for none"):
        choose_rounds(workspace, "seed = 1", 1, 0)


def test_the_folder_of_the_study_is_where_paths_begin_if_it_is_known(workspace):
    assert {one.folder for one in choose_rounds(workspace, None, 2, 0)} == {workspace.root.parent}
    with Ledger.open(workspace) as ledger:
        with ledger.write() as connection:
            connection.execute("UPDATE study SET file = NULL")  # of an earlier linstudy
            connection.execute("UPDATE attempt SET status = 'failed' WHERE run_id IN (SELECT needs FROM dependency)")
        publish(ledger, workspace.results)
    assert [one.folder for one in choose_rounds(workspace, None, 2, 0)] == [Path()]
    with pytest.raises(LinstudyError, match="--again: none of 1 run is done"):
        choose_rounds(workspace, "kind = 'training'", 1, 0)


def test_a_spec_of_another_linstudy_is_named(workspace, plan):
    with Ledger.open(workspace) as ledger, ledger.write() as connection:
        connection.execute('UPDATE run SET spec = \'{"kind": "training"}\'')

    with Ledger.open(workspace) as ledger:
        publish(ledger, workspace.results)
    run_id = next(iter(plan.runs))
    with open_published(workspace.results) as ask, pytest.raises(LinstudyError, match=f"run {run_id}: this linstudy"):
        make_rounds(ask, [run_id], workspace)


def test_a_run_that_was_not_reached_is_told_without_a_reason(plan):
    run = next(iter(plan.runs.values()))
    [(_, *_, verdict, _)] = describe_findings([Finding(run, "not run", None, (), {})], 0).rows
    assert verdict == "not run"
