"""What stored attempts say of the time that runs take."""

from datetime import datetime, timedelta

import pytest

from linstudy.data.places import HERE
from linstudy.describe.plan import describe_plan
from linstudy.estimate.estimates import Machine
from linstudy.facts import Ending, Report
from linstudy.prepare.forecast import estimate_runs, stored_timings
from linstudy.prepare.study import plan_study, run_rows, study_row
from linstudy.store.ledger import Ledger
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace

STUDY = "study: a\ndata: {kind: digits}\nmodel: {kind: mlp}\nseeds: [0, 1, 2]\nsweep: {train.epochs: [5, 10, 20]}\n"


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A workspace, its runs by epochs and seed, and a function that stores attempts at some of them."""
    (tmp_path / "a.yaml").write_text(STUDY)
    study, plan = plan_study(tmp_path / "a.yaml", None, (), None)
    workspace, clock = Workspace(tmp_path), [datetime(2026, 1, 1)]
    monkeypatch.setattr("linstudy.store.ledger._now", lambda: clock[0])

    def store(runs, seconds, group=None, outcome="done", device="cpu: cpu"):
        with Ledger.open(workspace) as ledger:
            ledger.register(study_row(study), run_rows(plan))
            begun = [ledger.begin(run.run_id, {"device": device, "fused_group": group}) for run in runs]
            clock[0] += timedelta(seconds=seconds)
            for attempt in begun:
                ledger.record(Report(attempt, (Ending(outcome),)))
            ledger.flush()
            publish(ledger, workspace.results)

    runs = {(run.spec.train.epochs, run.spec.seed): run for run in plan.runs.values()}
    return workspace, runs, store


def times(workspace, on_cpu=True):
    return {timing.spec.train.epochs: (timing.seconds, timing.together) for timing in stored_timings(workspace, on_cpu)}


def test_without_results_nothing_is_known(tmp_path):
    assert stored_timings(Workspace(tmp_path), on_cpu=True) == []


def test_a_run_takes_its_share_of_those_that_went_together(stored):
    workspace, runs, store = stored
    store([runs[5, seed] for seed in range(3)], 60, group="g")
    store([runs[10, 0]], 30)
    store([runs[10, 1]], 50)
    assert times(workspace) == {5: (20, 3), 10: (40, 1)}


def test_neither_failures_nor_parts_nor_other_devices_count(stored):
    workspace, runs, store = stored
    store([runs[5, 0]], 60, outcome="failed")
    store([runs[10, 0]], 60, outcome="interrupted")
    store([runs[10, 0]], 3)
    store([runs[20, 0]], 2, device="gpu: H200")
    assert times(workspace) == {}
    assert times(workspace, on_cpu=False) == {20: (2, 1)}


def test_a_new_seed_and_a_longer_training_are_estimated_from_what_is_stored(stored):
    workspace, runs, store = stored
    store([runs[5, 0]], 60)
    seed, longer = runs[5, 1], runs[10, 0]
    found = estimate_runs([seed, longer], workspace, HERE, Machine(2))
    assert (found[seed.run_id].seconds, found[seed.run_id].basis) == (60, "stored")
    assert found[longer.run_id].basis == "like"
    assert 60 < found[longer.run_id].seconds < 120


def test_what_is_done_takes_nothing(stored):
    workspace, runs, store = stored
    _, plan = plan_study(workspace.root / "a.yaml", None, (), None)
    done = [run for run in runs.values() if run.spec.train.epochs == 5]
    store(done, 60, group="g", outcome="diverged")
    lines = list(describe_plan(plan, workspace))
    told = {line.split()[1]: line for line in lines if line.startswith(("planned", "diverged"))}
    assert all((" ~" in told[run.run_id]) == (run not in done) for run in runs.values())
    assert lines[-1].endswith("(6 by operations)")
