"""Figures and the page, from a small real database."""

import math
from pathlib import Path

import pytest

from linstudy.plan import make_plan
from linstudy.report import energy_concentration, kernel_rotation
from linstudy.report.asking import read_question, read_questions
from linstudy.report.figures import DRAWINGS, draw
from linstudy.report.page import markdown_table, verdict, write_report
from linstudy.spec.errors import LinstudyError
from linstudy.spec.points import load_study
from linstudy.store.ledger import Ledger
from linstudy.store.rows import Batch, RunRow, StudyRow, VectorRow
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace

REPORTS = Path(__file__).parents[2] / "reports"
STUDY = """
study: kernel_rotation
data: {kind: digits}
model: {kind: mlp}
task: {kind: eigenfunction, index: 30}
probes: [{kind: alignment, top: 60, at: [start, end]}]
seeds: [0, 1]
"""


@pytest.fixture
def results(tmp_path):
    """Published results of two seeds: every alignment doubles, the target's grows by 8 and by 32."""
    return _results(tmp_path, target_growths=(8.0, 32.0), other_growth=2.0)


def _results(folder, target_growths, other_growth):
    path = folder / "study.yaml"
    path.write_text(STUDY)
    runs = make_plan(load_study(path).points, lambda part, spec: "").runs.values()
    workspace = Workspace(folder)
    with Ledger.open(workspace) as ledger:
        ledger.register(
            StudyRow("kernel_rotation", "", "", STUDY),
            [RunRow(run.run_id, run.kind, run.spec.model_dump(mode="json")) for run in runs],
        )
        probes = [run for run in runs if run.kind == "probe"]
        for run, growth in zip(probes, target_growths, strict=True):
            start = [1.0 / j for j in range(1, 61)]
            end = [other_growth * alpha for alpha in start]
            end[29] = growth * start[29]
            rows = [VectorRow(run.run_id, "alignment", "", "", epoch, a) for epoch, a in ((0, start), (100, end))]
            attempt = ledger.begin(run.run_id, {})
            ledger.write(Batch(vectors=rows))
            ledger.finish(attempt, "done")
        publish(ledger, workspace.results)
    return workspace.results


def test_kernel_rotation_rows_hold_the_alignments_and_the_growth_ratios(results):
    rows = read_question(REPORTS / "figures" / "kernel_rotation.sql").rows(results)
    assert [row["j"] for row in rows] == list(range(1, 61))
    target = rows[29]
    assert (target["target"], target["seeds"]) == (30, 2)
    # growth of the target over that of its neighbours, 2, is 4 and 16; the median of two seeds is their mean
    found = [target[name] for name in ("over_neighbours", "over_neighbours_min", "over_neighbours_max", "over_median")]
    assert found == pytest.approx([10, 4, 16, 10])
    assert target["alpha_start"] == pytest.approx(1 / 30)
    assert target["alpha_end"] == pytest.approx((8 + 32) / 2 / 30)
    assert rows[0]["alpha_end"] == pytest.approx(2)


@pytest.mark.parametrize(
    ("target_growths", "other_growth", "expected"),
    [
        ((8.0, 32.0), 2.0, {"07_as_printed": True, "07_among_neighbours": True, "07_all_rise": True}),
        ((8.0, 1.5), 2.0, {"07_as_printed": False, "07_among_neighbours": False, "07_all_rise": True}),
        ((8.0, 8.0), 0.5, {"07_as_printed": True, "07_among_neighbours": True, "07_all_rise": False}),
    ],
)
def test_verdicts_follow_the_numbers(tmp_path, target_growths, other_growth, expected):
    results = _results(tmp_path, target_growths, other_growth)
    for name, holds in expected.items():
        [row] = read_question(REPORTS / "claims" / f"{name}.sql").rows(results)
        assert row["holds"] is holds, name


def test_every_figure_has_a_drawing_and_every_question_its_notes():
    figures = read_questions(REPORTS / "figures")
    assert {question.name for question in figures} == set(DRAWINGS)
    assert all({"title", "study"} <= question.notes.keys() for question in figures)
    assert all({"claim", "study"} <= question.notes.keys() for question in read_questions(REPORTS / "claims"))


def test_the_report_has_figures_verdicts_and_queries(results, tmp_path):
    out = tmp_path / "report"
    lines = list(write_report(results, REPORTS, out))
    assert "energy_concentration: no rows yet; linstudy run studies/kernel_rotation.yaml" in lines
    page = (out / "report.md").read_text()
    assert "![kernel_rotation](kernel_rotation.png)" in page
    assert "**Verdict: holds.**" in page
    assert "**Verdict: no runs yet.**" in page  # energy concentration was not probed
    assert "SELECT" in page
    assert (out / "kernel_rotation.png").read_bytes()[:4] == b"\x89PNG"
    assert (out / "kernel_rotation.pdf").read_bytes()[:4] == b"%PDF"


def test_kernel_rotation_draws_what_the_rows_say():
    rows = [_rotation_row(target, j) for target in (2, 3) for j in (1, 2, 3)]
    figure = kernel_rotation.draw(rows)
    first, second = (axes for axes in figure.axes if axes.get_visible())
    assert "φ$_{2}$" in first.get_title()
    assert "φ$_{3}$" in second.get_title()
    start, end = first.get_lines()[:2]
    assert list(start.get_ydata()) == [1.0, 0.5, 1 / 3]
    assert list(end.get_ydata()) == [10.0, 5.0, 10 / 3]
    assert "growth 4.5 × its neighbours' median\n(4 to 5, 3 seeds), 2 × the median of all" in first.get_title()


def _rotation_row(target, j):
    return {
        "variant": "",
        "data_kind": "digits",
        "model_kind": "mlp",
        "target": target,
        "seeds": 3,
        "over_neighbours": 4.5,
        "over_neighbours_min": 4.0,
        "over_neighbours_max": 5.0,
        "over_median": 2.0,
        "j": j,
        "alpha_start": 1 / j,
        "alpha_end": 10 / j,
        "alpha_end_min": 9 / j,
        "alpha_end_max": 11 / j,
    }


def test_energy_concentration_gives_one_colour_to_one_task_in_all_panels():
    common = {"variant": "", "data_kind": "digits", "target": None, "top": 10, "seeds": 1}
    curves = [("mlp", "column"), ("mlp", "binary_classes"), ("lenet", "binary_classes")]
    rows = [
        {**common, "model_kind": model, "task_kind": task, "epoch": epoch}
        | dict.fromkeys(("concentration", "concentration_min", "concentration_max"), 0.5)
        for model, task in curves
        for epoch in (0, 10)
    ]
    mlp, lenet = energy_concentration.draw(rows).axes
    assert mlp.get_lines()[1].get_color() == lenet.get_lines()[0].get_color() != mlp.get_lines()[0].get_color()


@pytest.mark.parametrize(
    ("holds", "text"),
    [
        ([], "no runs yet"),
        ([None], "no runs yet"),
        ([True], "holds"),
        ([True, True], "holds in all 2 settings"),
        ([True, False, False], "holds in 1 of 3 settings"),
        ([False], "holds in 0 of 1 settings"),
    ],
)
def test_verdict_counts_settings(holds, text):
    assert verdict([{"holds": value} for value in holds]) == text


def test_markdown_table_leaves_out_what_is_always_empty():
    rows = [
        {"a": 1, "b": None, "c": 0.123456, "d": "", "e": True},
        {"a": 2, "b": None, "c": math.pi, "d": "", "e": False},
    ]
    assert markdown_table(rows).splitlines() == [
        "| a | c | e |",
        "| --- | --- | --- |",
        "| 1 | 0.123 | yes |",
        "| 2 | 3.14 | no |",
    ]


def test_an_unknown_figure_names_those_there_are(results, tmp_path):
    with pytest.raises(LinstudyError, match=r"there is no such file. Allowed: energy_concentration, kernel_rotation"):
        draw("kernel_rotatoin", results, REPORTS, tmp_path)


def test_a_figure_without_rows_says_what_to_run(results, tmp_path):
    with pytest.raises(LinstudyError, match="no rows yet in .* Run: linstudy run studies/kernel_rotation.yaml"):
        draw("energy_concentration", results, REPORTS, tmp_path)
