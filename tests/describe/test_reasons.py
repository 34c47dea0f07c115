"""Why runs would be computed: a study is planned, stored as if it had been run, changed, and asked about."""

import sys

import numpy as np
import pytest

from linstudy.describe.purpose import describe_purpose
from linstudy.describe.reasons import describe_reasons
from linstudy.facts import CHECKPOINT, Ending, Report
from linstudy.history import WITH_ARTIFACT
from linstudy.plan import NUMERICS
from linstudy.prepare.study import plan_study, run_rows, study_row
from linstudy.store.artifacts import ArtifactStore
from linstudy.store.ledger import Ledger
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace

STUDY = """study: s
data: {kind: digits, train: 200, test: 50}
model: {kind: mlp}
task: {kind: eigenfunction, index: 3}
train: {epochs: 4}
probes: [{kind: alignment, top: 5, at: [end]}]
"""

ALL = "3 runs (1 spectrum, 1 training, 1 probe)"


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return Bench(tmp_path)


class Bench:
    """A folder with a study `s.yaml`, and its workspace."""

    def __init__(self, folder):
        self.folder, self.workspace = folder, Workspace(folder)
        self.write(STUDY)

    def write(self, text, name="s.yaml"):
        (self.folder / name).write_text(text)

    def plan(self, *overrides):
        return plan_study(self.folder / "s.yaml", None, overrides, None)

    def store(self, endings=None):
        """The study, stored with an ending of each run by its kind: done unless said, None for no attempt."""
        study, plan = self.plan()
        files = ArtifactStore(self.workspace.artifacts)
        with Ledger.open(self.workspace) as ledger:
            ledger.register(study_row(study), run_rows(plan))
            for run in plan.runs.values():
                ending = (endings or {}).get(run.kind, Ending("done"))
                if ending is not None:
                    made = [(CHECKPOINT, epoch) for epoch in run.checkpoints]
                    made += [(run.kind, None)] * (run.kind in WITH_ARTIFACT)
                    facts = [files.save(name, {"a": np.zeros(3)}, epoch) for name, epoch in made]
                    ledger.record(Report(ledger.begin(run.run_id, {}), (*facts, ending)))
            ledger.flush()
            publish(ledger, self.workspace.results)
        return {run.kind: run.run_id for run in plan.runs.values()}

    def why(self, *overrides, again=False):
        """What is said, without the examples."""
        study, plan = self.plan(*overrides)
        lines = [*describe_reasons(study, plan, self.workspace, plan.runs, again)]
        return [line.replace(f"{self.folder}/", "") for line in lines if not line.startswith("    ")]


def test_a_study_that_is_done(bench):
    bench.store()
    assert bench.why() == ["s: nothing would be computed: all 3 runs are done"]
    assert bench.why(again=True) == [
        "s: 3 of 3 runs would be computed",
        f"{ALL}: done, and asked again",
    ]


def test_a_workspace_with_nothing_in_it(bench):
    assert bench.why()[1:] == [f"{ALL}: new: nothing is stored in this workspace yet"]


def test_a_changed_field_is_told_once_with_both_values_and_its_line(bench):
    stored = bench.store()
    bench.write(STUDY.replace("epochs: 4", "epochs: 6"))
    study, plan = bench.plan()
    head, line, example = describe_reasons(study, plan, bench.workspace, plan.runs)
    training = next(run for run in plan.runs.values() if run.kind == "training")
    assert head == "s: 2 of 3 runs would be computed"
    assert (
        line == f"2 runs (1 training, 1 probe): changed: train.epochs 6 (there 4), {bench.folder / 's.yaml'}:5:17"
    )  # the probe's epochs follow
    assert example == (
        f"    such as {training.run_id}  training digits(train=200, test=50) mlp eigenfunction(index=3) epochs=6 "
        f"seed=0; the nearest stored one is {stored['training']}"
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("index: 3", "index: 4", "2 runs (1 training, 1 probe): changed: task.index 4 (there 3), s.yaml:4:36"),
        ("top: 5", "top: 6", "1 run (1 probe): changed: probe.top 6 (there 5), s.yaml:6:33"),
        # the batch, the number of eigenfunctions and the needed spectrum follow
        ("train: 200", "train: 90", f"{ALL}: changed: data.train 90 (there 200), s.yaml:2:29"),
        ("mlp}", "mlp, activation: gelu}", f'{ALL}: changed: model.activation "gelu" (there "relu"), s.yaml:3:32'),
        # what is left out has no line
        (", train: 200, test: 50", "", f"{ALL}: changed: data.train 1442 (there 200); data.test 355 (there 50)"),
    ],
)
def test_each_field_is_found(bench, old, new, words):
    bench.store()
    bench.write(STUDY.replace(old, new))
    assert bench.why()[1:] == [words]


def test_points_that_are_added_are_new_and_values_are_told_together(bench):
    bench.store()
    bench.write(STUDY + "sweep: {task.index: [3, 4, 5]}\n")
    assert bench.why()[1:] == [
        "4 runs (2 training, 2 probe): new point: task.index 4, 5 (there 3), s.yaml:7:25, s.yaml:7:28"
    ]
    assert bench.why("seeds=[0, 1]", "sweep={}")[1:] == [f"{ALL}: new point: seed 1 (there 0), --set seeds=[0, 1]"]


def test_a_run_that_is_unlike_all_others(bench):
    bench.store()
    bench.write(STUDY.replace("{epochs: 4}", "{epochs: 9, batch_size: 7, schedule: constant, precision: float64}"))
    assert bench.why()[1:] == ["2 runs (1 training, 1 probe): new point: no stored run is near it"]


def test_changed_modules_files_labels_and_data(bench):
    bench.write("def make(input_shape, key, weights): A = 1\n", "reasons_nets.py")
    bench.write("1\n-1\n" * 125, "labels.txt")
    np.savez(bench.folder / "d.npz", x_train=np.zeros((9, 2)))
    model = "{kind: import, factory: 'reasons_nets:make', arguments: {weights: w.bin}}"
    bench.write("a", "w.bin")
    text = STUDY.replace("{kind: mlp}", model).replace("eigenfunction, index: 3", "column, path: labels.txt")
    bench.write(text.replace("digits", "npz, path: d.npz").replace(", top: 5", ""))
    bench.store()
    assert bench.why() == ["s: nothing would be computed: all 3 runs are done"]
    bench.write("def make(input_shape, key, weights): A = 2\n", "reasons_nets.py")
    found = "3 runs (1 training, 1 spectrum, 1 probe): "
    assert bench.why()[1:] == [f"{found}changed module or file reasons_nets, s.yaml:3:32"]
    bench.write("def make(input_shape, key, weights): A = 1  # as before\n", "reasons_nets.py")
    bench.write("b", "w.bin")
    assert bench.why()[1:] == [f"{found}changed module or file w.bin, s.yaml:3:32"]
    bench.write("a", "w.bin")
    bench.write("-1\n1\n" * 125, "labels.txt")
    assert bench.why()[1:] == ["2 runs (1 training, 1 probe): changed labels, s.yaml:4:28"]
    bench.write("1\n-1\n" * 125, "labels.txt")
    np.savez(bench.folder / "d.npz", x_train=np.ones((9, 2)))
    assert bench.why()[1:] == [f"{found}changed data, s.yaml:2:25"]


def test_changed_numerics_are_told_in_words(bench, monkeypatch):
    """Of the spectrum alone: what needs it is new for the same reason."""
    bench.store()
    then, now = NUMERICS["spectrum"], NUMERICS["spectrum"] + 1
    monkeypatch.setitem(NUMERICS, "spectrum", now)
    monkeypatch.setattr("linstudy.describe.reasons.CHANGES", {"spectrum": {now: "they are better", then: "earlier"}})
    assert bench.why()[1:] == [f"{ALL}: changed numerics of spectrum: {now} (there {then}): they are better"]


def test_numerics_that_no_id_tells(bench, monkeypatch):
    bench.store()
    monkeypatch.setattr("linstudy.explain.numerics_of", lambda *run: None)
    monkeypatch.setitem(NUMERICS, "probe", NUMERICS["probe"] + 1)
    assert bench.why()[1:] == [
        "1 run (1 probe): changed numerics of probe: 5 (there an earlier version, which its id does not tell): "
        "numbers moved by rounding"
    ]


def test_many_reasons_are_cut(bench, monkeypatch):
    monkeypatch.setattr("linstudy.describe.reasons.MOST_REASONS", 1)
    bench.store({"spectrum": Ending("failed", "a"), "training": Ending("failed", "b"), "probe": Ending("failed", "b")})
    assert bench.why()[1:] == [
        "2 runs (1 training, 1 probe): failed before: b",
        "and 1 more reasons, of 1 runs. Ask about some: --only CONDITION",
    ]


def test_a_missing_artifact(bench):
    bench.store()
    for path in bench.workspace.artifacts.glob("*/*"):
        path.unlink()
    assert bench.why()[1:] == [
        "1 run (1 spectrum): missing artifact: its spectrum is lost or damaged",
        "1 run (1 training): missing artifact: its checkpoint is lost or damaged",
    ]


def test_a_checkpoint_that_nobody_asked_for_before(bench):
    bench.store()
    bench.write(STUDY.replace("at: [end]", "at: [2, end]"))
    assert bench.why()[1:] == [
        "1 run (1 training): asked for more: it is done, but the checkpoint of epoch 2 is needed now",
        "1 run (1 probe): changed: epochs [2, 4] (there [4]), s.yaml:6:40",
    ]


def test_what_failed_and_what_waits_for_it(bench):
    stored = bench.store({"training": Ending("failed", "ValueError: odd\nmore"), "probe": None})
    assert bench.why()[1:] == [
        "1 run (1 training): failed before: ValueError: odd",
        f"1 run (1 probe): not started yet: the training that it needs failed, {stored['training']}",
    ]


def test_what_was_interrupted_and_what_comes_later(bench):
    bench.store({"spectrum": Ending("interrupted", "Ctrl-C"), "training": None, "probe": None})
    assert bench.why()[1:] == [
        "2 runs (1 training, 1 probe): not started yet: it was planned before, and its turn has not come",
        "1 run (1 spectrum): interrupted before: Ctrl-C",
    ]


def test_many_values_are_cut(bench):
    bench.store()
    _, line = bench.why("seeds=[0, 1, 2, 3, 4, 5, 6, 7]")
    assert line.endswith("new point: seed 1, 2, 3, 4, 5, and 2 more (there 0), --set seeds=[0, 1, 2, 3, 4, 5, 6, 7]")


def test_why_a_run_is_there(bench):
    stored = bench.store({"probe": Ending("failed", "odd")})
    run_id = stored["training"]
    assert [*describe_purpose(run_id, bench.workspace)] == [
        f"done        {run_id}  training digits(train=200, test=50) mlp eigenfunction(index=3) epochs=4 seed=0",
        f"needed by   1 probe (linstudy show {run_id} names them)",
        "study       s",
        "    it would not be computed: nothing of it is missing, as s.yaml stands now",
    ]
    *_, last = describe_purpose(stored["probe"], bench.workspace)
    assert last == "    it would be computed. Failed before: odd"
    bench.write(STUDY.replace("index: 3", "index: 4"))
    *_, last = describe_purpose(stored["training"], bench.workspace)
    assert last == "    it would not be computed: the study has it no more, as s.yaml stands now"
    (bench.folder / "s.yaml").rename(bench.folder / "other.yaml")
    *_, last = describe_purpose(stored["training"], bench.workspace)
    assert last.startswith('    it cannot be planned here: there is no study "s".')
