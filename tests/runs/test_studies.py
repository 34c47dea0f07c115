"""Every study that comes along, made small, from its file to its figures, claims and tables."""

from pathlib import Path

import pytest

from linstudy.data.kinds import form
from linstudy.facts import Ending, Number, Report, Vector
from linstudy.plan import make_plan
from linstudy.prepare.study import run_rows
from linstudy.report.figures import draw_rows
from linstudy.report.freshness import Mark
from linstudy.report.question import open_results, origin, question_files, read_question
from linstudy.spec.points import load_study
from linstudy.store.ledger import Ledger
from linstudy.store.rows import StudyRow
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace

pytestmark = [pytest.mark.product_settings, pytest.mark.usefixtures("without_pdf")]

ROOT = Path(__file__).parents[2]
FEW = "data={kind: digits, train: 120, test: 40}"
DRAWS = "data={kind: gaussian, shape: [1, 4, 4], train: 64, test: 32}"

SMALL = {
    "bounds": ([FEW, "train.epochs=2"], lambda point: point.model.kind == "mlp" and index(point) <= 5),
    "eigenfunctions": ([FEW, "train.epochs=2"], lambda point: point.model.kind == "mlp" and index(point) <= 100),
    "eigenfunctions_adam": ([FEW, "train.epochs=2"], lambda point: point.model.kind == "mlp" and index(point) <= 100),
    "eigenfunctions_mnist": ([FEW, "train.epochs=2"], lambda point: point.model.kind == "mlp" and index(point) <= 100),
    "energy_concentration": ([FEW, "train.epochs=26"], lambda point: point.model.kind == "mlp"),
    "infinite_width": ([FEW, "train.epochs=2"], lambda point: sum(getattr(point.model, "hidden", ())) == 60),
    "kernel_rotation": (
        [FEW, "train.epochs=2"],
        lambda point: point.model.kind == "mlp" and index(point) in (0, 20),
    ),
    "nads": ([DRAWS, "train.epochs=2"], lambda point: point.model.kind == "lenet" and index(point) <= 2),
    "pretrained_kernel": (
        [FEW, "train.epochs=6", "sweep.model=[{kind: mlp, hidden: [8]}]"],
        lambda point: point.train.anchor_epoch in (None, 1, 6),
    ),
    "sample_size": (["train.epochs=2"], lambda point: point.model.kind == "mlp" and point.data.train <= 100),
}
"""What makes a study small: overrides, and which of its points are left."""

NEARER = {
    "index: 400": "index: 110",
    "samples: 1000,": "samples: 100,",
    "epoch: 100": "epoch: 6",
    "epoch: 25": "epoch: 4",
    "epoch: 10}": "epoch: 3}",
}
"""Indices, samples and epochs that so few samples and epochs do not have."""

OF_OTHER_DATA = {"10_mnist"}
"""Claims that are not about the digits."""


def index(point):
    return getattr(point.task, "index", 0)


def small(name):
    """The points of a study that are left, and their plan."""
    overrides, is_left = SMALL[name]
    text = (ROOT / "studies" / f"{name}.yaml").read_text()
    for far, near in NEARER.items():
        text = text.replace(far, near)
    study = load_study(_written(name, text), overrides=[*overrides, "seeds=[0]"])
    return make_plan([point for point in study.points if is_left(point)], lambda part, spec: "", form)


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def _written(name, text):
    path = Path(f"{name}.yaml")
    path.write_text(text)
    return path


def published(name, plan, found):
    """Results with what the runs of a plan told, of a study of some name."""
    workspace = Workspace(Path())
    with Ledger.open(workspace) as ledger:
        ledger.register(StudyRow(name, "", "", ""), run_rows(plan))
        for run_id, facts in found.facts.items():
            attempt = ledger.begin(run_id, {"versions": {"linstudy": "1.2.3"}})
            kept = [fact for fact in facts if isinstance(fact, Number | Vector | Ending)]
            ledger.record(Report(attempt, tuple(kept)))
        ledger.flush()
        publish(ledger, workspace.results)
    return workspace.results


def questions(name):
    """The figures, claims and tables that are about a study."""
    for kind in ("figures", "claims", "tables"):
        for path in question_files(ROOT / "reports" / kind):
            if name in (question := read_question(path)).studies:
                yield kind, question


def test_every_study_has_a_small_one():
    assert set(SMALL) == {path.stem for path in (ROOT / "studies").glob("*.yaml")}


@pytest.mark.parametrize("name", SMALL)
def test_a_small_study_runs_and_is_answered_by_all_that_is_asked_of_it(told, name):
    plan = small(name)
    found = told.of(plan)
    assert {facts[-1] for facts in found.facts.values()} == {Ending("done")}
    results = published(name, plan, found)
    with open_results(results) as ask_of:
        for kind, question in questions(name):
            rows = question.rows(ask_of(question), *(["holds"] if kind == "claims" else []))
            assert rows or question.name in OF_OTHER_DATA, f"{kind} {question.name}: no rows"
            if kind == "figures":
                behind = origin(rows, ask_of(question))
                assert draw_rows(question, rows, Path("out"), Mark("", results.name), behind).exists()
