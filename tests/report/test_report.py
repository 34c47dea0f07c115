"""Figures, claims and the page, from small real databases."""

import math
import shutil
from pathlib import Path

import duckdb
import pytest

from linstudy import metrics
from linstudy.facts import Ending, Number, Report, Vector
from linstudy.plan import make_plan
from linstudy.prepare.study import run_rows
from linstudy.report import energy_concentration, kernel_rotation
from linstudy.report.figures import DRAWINGS, draw
from linstudy.report.page import write_report
from linstudy.report.question import open_results, question_files, read_question, reports_folder
from linstudy.spec.errors import LinstudyError
from linstudy.spec.points import load_study
from linstudy.store.ledger import Ledger
from linstudy.store.query import open_studies
from linstudy.store.rows import RunRow, StudyRow
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace

pytestmark = pytest.mark.usefixtures("without_pdf")

ROOT = Path(__file__).parents[2]
REPORTS = ROOT / "reports"
FIGURES = ("energy_concentration", "kernel_rotation")
"""Those of the study of this file; `test_drawings.py` has the others."""
CLAIMS = ("07_all_rise", "07_among_neighbours", "07_as_printed")
"""Those of the study of this file; `test_claims.py` has the others."""
STUDY = """
study: kernel_rotation
data: {kind: digits}
model: {kind: mlp}
task: {kind: eigenfunction, index: 30}
train: {epochs: 100}
probes:
  - {kind: alignment, top: 60, at: [start, end]}
  - {kind: energy_concentration, top: 10, at: [start, end]}
seeds: [0, 1]
"""
TWO_CLASSES = STUDY.replace("{kind: eigenfunction, index: 30}", "{kind: binary_classes}")
FOUR_SETTINGS = STUDY.replace("seeds: [0, 1]", "seeds: [0]") + (
    "sweep: {train.batch_size: [16, 64], model.hidden: [[10], [100, 100]]}\n"
)


@pytest.fixture(scope="module")
def own_reports(tmp_path_factory):
    """A folder of the questions of this file alone: all of them take a second a page."""
    folder = tmp_path_factory.mktemp("reports")
    for kind, names in (("figures", FIGURES), ("claims", CLAIMS), ("tables", ["table_1"])):
        (folder / kind).mkdir()
        for name in names:
            shutil.copy(REPORTS / kind / f"{name}.sql", folder / kind)
    return folder


class Results:
    """A workspace in which studies are registered, and their probes measured by hand."""

    def __init__(self, folder):
        self.folder, self.workspace = folder, Workspace(folder)
        self.ledger = Ledger.open(self.workspace)

    def register(self, text=STUDY, variant=""):
        """The runs of a study, registered as `linstudy run` does it."""
        path = self.folder / "study.yaml"
        path.write_text(text)
        study = load_study(path)
        plan = make_plan(study.points, lambda part, spec: "")
        self.ledger.register(StudyRow(study.name, variant, "", text), run_rows(plan))
        return list(plan.runs.values())

    def measure(self, run, growth=8.0, others=2.0, rise=0.4):
        """An alignment whose target grows by `growth`, or an energy concentration that rises."""
        self.tell(run, *(_alignment(growth, others) if _is_alignment(run) else _concentration(rise)), Ending("done"))

    def end(self, run, status):
        self.tell(run, Ending(status))

    def tell(self, run, *facts):
        """An attempt at a run, and what it tells."""
        attempt = self.ledger.begin(run.run_id, {"versions": {"linstudy": "1.2.3"}})
        self.ledger.record(Report(attempt, facts))
        self.ledger.flush()

    def publish(self):
        publish(self.ledger, self.workspace.results)
        return self.workspace.results


def _is_alignment(run):
    return run.kind == "probe" and run.spec.probe.kind == "alignment"


def _alignment(growth, others):
    start = [1.0 / j for j in range(1, 61)]
    end = [others * alpha for alpha in start]
    end[29] = growth * start[29]
    return [Vector(metrics.ALIGNMENT, row, epoch=epoch) for epoch, row in ((0, start), (100, end))]


def _concentration(rise):
    values = ((0, 0.5), (100, 0.5 + rise))
    return [Number(metrics.ENERGY_CONCENTRATION, one, "train", epoch) for epoch, one in values]


def probes(runs):
    return [run for run in runs if run.kind == "probe"]


def alignments(runs):
    return [run for run in runs if _is_alignment(run)]


@pytest.fixture
def made(tmp_path):
    made = Results(tmp_path)
    yield made
    made.ledger.close()


@pytest.fixture
def two_seeds(made):
    """Two seeds whose every alignment doubles, and the target's grows by 8 and by 32."""
    for run, growth in zip(alignments(made.register()), (8.0, 32.0), strict=True):
        made.measure(run, growth)
    return made.publish()


def rows_of(question, results):
    with open_results(results) as ask_of:
        return question.rows(ask_of(question))


def claim(results, name):
    return rows_of(read_question(REPORTS / "claims" / f"{name}.sql"), results)


def figure(results, name):
    return rows_of(read_question(REPORTS / "figures" / f"{name}.sql"), results)


def test_kernel_rotation_rows_hold_the_alignments_and_the_growth_ratios(two_seeds):
    rows = figure(two_seeds, "kernel_rotation")
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
def test_verdicts_follow_the_numbers(made, target_growths, other_growth, expected):
    for run, growth in zip(alignments(made.register()), target_growths, strict=True):
        made.measure(run, growth, other_growth)
    results = made.publish()
    for name, holds in expected.items():
        [row] = claim(results, name)
        assert row["holds"] is holds, name


@pytest.mark.parametrize(("rises", "holds"), [((0.2, 0.1), True), ((0.2, -0.1), False)])
def test_energy_concentration_has_to_rise_for_every_seed(made, rises, holds):
    runs = [run for run in probes(made.register(TWO_CLASSES)) if not _is_alignment(run)]
    for run, rise in zip(runs, rises, strict=True):
        made.measure(run, rise=rise)
    for run in probes(made.register(variant="of other labels")):
        made.measure(run, rise=-0.1)
    [row] = claim(made.publish(), "06_energy_concentration")
    assert (row["seeds"], row["variant"], row["holds"]) == (2, "", holds)
    assert row["at_start"] == 0.5
    assert row["least_rise"] == pytest.approx(min(rises))


# Settings and studies


@pytest.fixture
def four_settings(made):
    """Four settings of one seed each, all alike but in what names them."""
    for run in probes(made.register(FOUR_SETTINGS)):
        made.measure(run)
    return made.publish()


LABELS = [
    *("hidden [10], batch_size 16", "hidden [100,100], batch_size 16"),
    *("hidden [10], batch_size 64", "hidden [100,100], batch_size 64"),
]


@pytest.mark.parametrize("name", CLAIMS)
def test_settings_are_told_apart_in_a_claim(four_settings, name):
    rows = claim(four_settings, name)
    assert [row["setting"]["label"] for row in rows] == LABELS
    assert [(row["seeds"], row["holds"]) for row in rows] == [(1, True)] * 4


@pytest.mark.parametrize("name", FIGURES)
def test_settings_are_told_apart_in_a_figure(four_settings, name):
    rows = figure(four_settings, name)
    assert list(dict.fromkeys(row["setting"]["label"] for row in rows)) == LABELS
    assert {row["seeds"] for row in rows} == {1}
    titles = [axes.get_title() for axes in DRAWINGS[name](rows, {}).axes if axes.get_visible()]
    assert len(set(titles)) == 4
    for title in titles:
        assert "digits, hidden" in title


def test_the_page_tells_settings_apart(four_settings, own_reports, tmp_path):
    write_report(four_settings, own_reports, tmp_path / "report")
    page = (tmp_path / "report" / "report.md").read_text()
    assert page.count("**Verdict: holds in all 4 settings.**") == len(CLAIMS)
    for label in LABELS:
        assert page.count(f"| {label} | holds |") == len(CLAIMS)
    assert "Settings: 4, each with 1 seed. Computed " in page


def test_another_study_does_not_enter(made):
    for run in alignments(made.register()):
        made.measure(run)
    other = STUDY.replace("study: kernel_rotation", "study: other").replace("index: 30", "index: 20")
    for run in alignments(made.register(other)):
        made.measure(run, growth=0.1)
    results = made.publish()
    for name in ("07_as_printed", "07_among_neighbours", "07_all_rise"):
        [row] = claim(results, name)
        assert (row["study"], row["seeds"], row["holds"]) == ("kernel_rotation", 2, True)
    assert {row["target"] for row in figure(results, "kernel_rotation")} == {30}


@pytest.mark.parametrize("asked", ["FROM settings", "FROM runs", "FROM growths", "FROM vector", "FROM study_run"])
def test_a_question_sees_its_study_alone_whatever_it_asks(made, asked):
    own, other = made.register(), made.register(STUDY.replace("study: kernel_rotation", "study: other"))
    assert own == other, "the two studies share all their runs"
    lone = made.register(STUDY.replace("study: kernel_rotation", "study: lone").replace("index: 30", "index: 20"))
    for run in alignments([*own, *lone]):
        made.measure(run)
    results = made.publish()
    with open_studies(results, ["kernel_rotation"]) as ask:
        found = ask(asked).rows
    with duckdb.connect(str(results), read_only=True) as connection:
        assert 0 < len(found) < len(connection.execute(asked).fetchall())


def test_a_run_that_two_studies_share_counts_once_in_each(made):
    shared = made.register()
    made.register(STUDY.replace("study: kernel_rotation", "study: other"))
    for run in probes(shared):
        made.measure(run)
    results = made.publish()
    assert [row["seeds"] for row in claim(results, "07_all_rise")] == [2]
    assert {row["seeds"] for row in figure(results, "energy_concentration")} == {2}
    question = read_question(REPORTS / "claims" / "07_as_printed.sql")
    both = type(question)(question.path, question.sql, {**question.notes, "study": "kernel_rotation, other"})
    assert [(row["study"], row["seeds"]) for row in rows_of(both, results)] == [("kernel_rotation", 2), ("other", 2)]


def test_variants_of_a_study_stay_apart(made):
    for variant in ("", "--set x=1"):
        for run in alignments(made.register(variant=variant)):
            made.measure(run)
    rows = claim(made.publish(), "07_as_printed")
    assert [(row["variant"], row["seeds"]) for row in rows] == [("", 2), ("--set x=1", 2)]


def test_a_file_that_names_no_study_is_refused(tmp_path):
    (tmp_path / "a.sql").write_text("-- claim: all is well\nSELECT 1")
    with pytest.raises(LinstudyError, match=r'a.sql: it names no study. Begin the file with "-- study: NAME"'):
        read_question(tmp_path / "a.sql")


def test_rows_without_a_setting_are_refused(two_seeds, tmp_path):
    (tmp_path / "a.sql").write_text("-- study: kernel_rotation\nSELECT true AS holds")
    with pytest.raises(
        LinstudyError, match="a: its rows have no setting_id, seeds, left_out. Select these, and group by"
    ):
        rows_of(read_question(tmp_path / "a.sql"), two_seeds)


def test_runs_of_an_earlier_linstudy_are_not_pooled(made):
    run = alignments(made.register())[0]
    old = RunRow(run.run_id, run.kind, run.spec.model_dump(mode="json"))
    made.ledger.register(StudyRow("kernel_rotation", "", "", ""), [old])
    made.measure(run)
    with pytest.raises(LinstudyError, match="no setting yet. Run: linstudy run kernel_rotation"):
        claim(made.publish(), "07_as_printed")


def test_a_file_of_a_newer_version_is_named(two_seeds):
    with duckdb.connect(str(two_seeds)) as connection:
        connection.execute("UPDATE ledger_version SET schema_version = 99")
    with pytest.raises(LinstudyError, match="has schema version 99; .* Install the linstudy that wrote it"):
        claim(two_seeds, "07_as_printed")


# Diverged runs


@pytest.fixture
def diverged(made):
    """Two seeds, of which the second training diverged, so that its probes were never begun."""
    runs = made.register()
    for run in probes(runs):
        if run.spec.seed == 0:
            made.measure(run)
    made.end(next(run for run in runs if run.kind == "training" and run.spec.seed == 1), "diverged")
    return made.publish()


@pytest.mark.parametrize("name", CLAIMS)
def test_a_diverged_run_is_left_out_of_a_claim_and_counted(diverged, name):
    [row] = claim(diverged, name)
    assert (row["seeds"], row["left_out"], row["holds"]) == (1, 1, True)


def test_the_report_says_how_many_runs_diverged(diverged, own_reports, tmp_path):
    lines = write_report(diverged, own_reports, tmp_path / "report")
    assert sum("holds; 1 left out: " in line for line in lines) == len(CLAIMS)
    page = (tmp_path / "report" / "report.md").read_text()
    assert page.count("**Verdict: holds; 1 left out.**") == len(CLAIMS)
    assert "each with 1 seed; 1 left out. Computed" in page


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_says_how_many_runs_diverged(diverged, name):
    [axes] = DRAWINGS[name](figure(diverged, name), {}).axes
    assert "1 left out" in axes.get_title()
    assert len(axes.get_lines()) > 0


@pytest.mark.parametrize("name", [*CLAIMS, *FIGURES])
def test_what_was_trained_on_labels_that_rounding_decides_is_left_out_and_counted(made, name):
    """Of two seeds the second: its training is done, and so are its probes, which grew less."""
    runs = made.register()
    for run in runs:
        if run.kind == "training":
            made.tell(run, Number(metrics.LABEL_ROTATION, 0.04 if run.spec.seed else 1e-6), Ending("done"))
    for run in probes(runs):
        made.measure(run, **({"growth": 0.1, "others": 0.1, "rise": -0.1} if run.spec.seed else {}))
    results = made.publish()
    if name in CLAIMS:
        [row] = claim(results, name)
        assert (row["seeds"], row["left_out"], row["holds"]) == (1, 1, True)
        return
    rows = figure(results, name)
    assert {(row["seeds"], row["left_out"]) for row in rows} <= {(1, 0), (1, 1), (0, 1)}
    assert sum(row["left_out"] for row in rows if row["seeds"] == 0 or name == "kernel_rotation") > 0
    drawn = [row[key] for row in rows for key in ("alpha_end_min", "concentration_min") if row.get(key) is not None]
    assert min(drawn) > (1 / 60 if name == "kernel_rotation" else 0.45), "nothing that fell is drawn"


@pytest.mark.parametrize("name", FIGURES)
def test_a_setting_of_which_all_runs_diverged_is_an_empty_panel(made, name):
    for run in made.register():
        if run.kind == "training":
            made.end(run, "diverged")
    results = made.publish()
    [axes] = DRAWINGS[name](figure(results, name), {}).axes
    assert "2 left out" in axes.get_title()
    assert sum(len(line.get_xdata()) for line in axes.get_lines()) == 0
    assert [row["holds"] for row in claim(results, "07_as_printed")] == [None]


@pytest.mark.parametrize("growth", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["07_all_rise", "07_among_neighbours", "07_as_printed"])
def test_a_number_that_is_not_finite_decides_nothing(made, name, growth):
    for run, of_it in zip(alignments(made.register()), (8.0, growth), strict=True):
        made.measure(run, of_it)
    [row] = claim(made.publish(), name)
    assert (row["seeds"], row["left_out"], row["holds"]) == (1, 1, True)


def test_runs_that_did_not_end_do_not_count(made):
    for run in probes(made.register()):
        if run.spec.seed == 0:
            made.measure(run)
        else:
            made.end(run, "failed")
    results = made.publish()
    for name in CLAIMS:
        [row] = claim(results, name)
        assert (row["seeds"], row["left_out"]) == (1, 0)


def test_a_target_beyond_the_probed_ones_decides_nothing(made):
    for run in alignments(made.register(STUDY.replace("index: 30", "index: 200"))):
        made.measure(run)
    results = made.publish()
    assert claim(results, "07_as_printed") == claim(results, "07_among_neighbours") == []
    assert [row["seeds"] for row in claim(results, "07_all_rise")] == [2]


# The page


def test_every_figure_has_a_drawing_and_every_question_its_notes():
    figures = [read_question(path) for path in question_files(REPORTS / "figures")]
    claims = [read_question(path) for path in question_files(REPORTS / "claims")]
    assert {question.name for question in figures} >= set(FIGURES)
    assert all(question.notes.get("drawing", question.name) in DRAWINGS for question in figures)
    assert {question.name for question in claims} >= set(CLAIMS)
    assert all("title" in question.notes for question in figures)
    assert all("claim" in question.notes for question in claims)


def test_a_questions_study_lies_in_the_file_that_it_says_to_run():
    for kind in ("figures", "claims"):
        for path in question_files(REPORTS / kind):
            for study in read_question(path).studies:
                assert load_study(ROOT / "studies" / f"{study}.yaml").name == study


def test_the_report_has_figures_verdicts_and_queries(two_seeds, tmp_path):
    out = tmp_path / "report"
    lines = write_report(two_seeds, REPORTS, out)
    both = "linstudy run kernel_rotation && linstudy run energy_concentration"
    assert f"energy_concentration: no rows yet. Run: {both}" in lines
    assert "table_1: no rows yet. Run: linstudy run energy_concentration" in lines
    page = (out / "report.md").read_text()
    assert "https://arxiv.org/abs/2106.06770" in page
    assert "](kernel_rotation.png)" in page
    assert "**Verdict: holds.**" in page
    assert "**Verdict: no runs yet.**" in page  # energy concentration was not probed
    assert "`over_neighbours`: the target's growth over the median growth of its neighbours" in page
    assert "SELECT" in page
    assert (
        "Study kernel_rotation. Data: digits, all train and all test samples. Settings: 1, each with 2 seeds." in page
    )
    assert "with linstudy 1.2.3.*" in page
    assert (out / "kernel_rotation.png").read_bytes()[:4] == b"\x89PNG"


TABLE = """
study: energy_concentration
data: {kind: digits}
model: {kind: mlp}
task: {kind: binary_classes}
train: {epochs: 100}
probes:
  - {kind: energy_concentration, top: 50, samples: SAMPLES, at: [start, end], label: table 1}
  - {kind: energy_concentration, top: 50, samples: SAMPLES, every: 50, label: figure 6}
seeds: [0, 1]
"""


@pytest.mark.parametrize(("samples", "is_of_the_paper"), [(12_000, True), (1000, False)])
def test_table_1_has_the_printed_values_beside_runs_of_their_sizes(
    made, own_reports, tmp_path, samples, is_of_the_paper
):
    runs = made.register(TABLE.replace("SAMPLES", str(samples)))
    training, other = (run for run in runs if run.kind == "training")
    made.tell(training, Number(metrics.ACCURACY, 0.7, "test", 100), Ending("done"))
    made.tell(other, Number(metrics.ACCURACY, 0.5, "test", 0), Ending("diverged"))
    for run in probes(runs):
        if run.needs[0].run_id == training.run_id:
            made.measure(run, rise=0.2)
    write_report(made.publish(), own_reports, tmp_path / "report")
    page = (tmp_path / "report" / "report.md").read_text()
    table = page[page.index("### Table 1.") : page.index("*Study energy_concentration")]
    heading, _, row = (line.strip("| ").split(" | ") for line in table.splitlines()[2:5])
    found = dict(zip(heading, row, strict=True))
    assert (found["seeds"], found["left_out"]) == ("1", "1")
    assert (found["at_start"], found["at_end"], found["accuracy"]) == ("0.5", "0.7", "0.7")
    printed = ("0.260", "0.24", "0.636", "0.064", "0.676", "0.024") if is_of_the_paper else (None,) * 6
    names = [f"{what}_{how}" for what in ("start", "end", "accuracy") for how in ("printed", "difference")]
    assert tuple(found.get(name) for name in names) == printed


def test_what_cannot_be_answered_leaves_the_rest(two_seeds, own_reports, tmp_path):
    reports = shutil.copytree(own_reports, tmp_path / "reports")
    shutil.copyfile(REPORTS / "figures" / "kernel_rotation.sql", reports / "figures" / "a_foreign.sql")
    (reports / "claims" / "01_wrong.sql").write_text("-- study: kernel_rotation\nSELECT nothing_of_that_name")
    lines = write_report(two_seeds, reports, tmp_path / "report")
    assert any("a_foreign.sql: left out: figure a_foreign: there is no drawing" in line for line in lines)
    assert any("01_wrong.sql: left out: " in line and "nothing_of_that_name" in line for line in lines)
    page = (tmp_path / "report" / "report.md").read_text()
    assert "](kernel_rotation.png)" in page
    assert "**Verdict: holds.**" in page


# The drawings


def _rotation_row(target, j):
    return {
        "study": "s",
        "variant": "",
        "setting_id": f"{target}",
        "setting": {"label": f"index {target}", "network": "", "model_kind": "mlp", "data_kind": "digits"},
        "target": target,
        "seeds": 3,
        "left_out": 0,
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


def test_kernel_rotation_draws_what_the_rows_say():
    rows = [_rotation_row(target, j) for target in (2, 3) for j in (1, 2, 3)]
    first, second = (axes for axes in kernel_rotation.draw(rows, {}).axes if axes.get_visible())
    assert "φ$_{2}$" in first.get_title()
    assert "φ$_{3}$" in second.get_title()
    start, end = first.get_lines()[:2]
    assert list(start.get_ydata()) == [1.0, 0.5, 1 / 3]
    assert list(end.get_ydata()) == [10.0, 5.0, 10 / 3]
    assert "growth 4.5 × its neighbours' median\n(4 to 5, 3 seeds), 2 × the median of all" in first.get_title()
    assert first.get_title().startswith("mlp, digits, index\N{NO-BREAK SPACE}2\n")


def _concentration_rows(network, kind, target):
    setting = {"network": network, "target": target, "model_kind": network, "data_kind": "digits"}
    setting |= {"task_kind": kind, "task_index": None, "probe_top": 10}
    row = {"study": "s", "variant": "", "setting_id": network + target, "setting": setting, "seeds": 1, "left_out": 0}
    row |= dict.fromkeys(("concentration", "concentration_min", "concentration_max"), 0.5)
    return [{**row, "epoch": epoch} for epoch in (0, 10)]


def test_energy_concentration_gives_one_colour_to_one_target_in_all_panels():
    curves = [("mlp", "column", "column"), ("mlp", "binary_classes", "classes"), ("lenet", "binary_classes", "classes")]
    rows = [row for curve in curves for row in _concentration_rows(*curve)]
    mlp, lenet = energy_concentration.draw(rows, {}).axes
    assert mlp.get_lines()[1].get_color() == lenet.get_lines()[0].get_color() != mlp.get_lines()[0].get_color()


def test_energy_concentration_names_targets_in_full_where_they_look_alike():
    rows = [row for seed in (1, 2) for row in _concentration_rows("mlp", "random_labels", f"task seed {seed}")]
    [legend] = energy_concentration.draw(rows, {}).legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "random labels, K = 10, task seed 1",
        "random labels, K = 10, task seed 2",
    ]


def test_an_unknown_figure_names_those_there_are(two_seeds, tmp_path):
    with pytest.raises(
        LinstudyError, match=r"there is no such file. Allowed: bounds, eigenfunctions, .*, kernel_rotation"
    ):
        draw("kernel_rotatoin", two_seeds, REPORTS, tmp_path)


def test_a_figure_without_rows_says_what_to_run(two_seeds, tmp_path):
    with pytest.raises(LinstudyError, match="no rows yet in .* Run: linstudy run kernel_rotation"):
        draw("energy_concentration", two_seeds, REPORTS, tmp_path)


def test_the_folder_of_reports_is_ones_own_if_there_is_one_else_that_of_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert question_files(reports_folder() / "figures") == question_files(REPORTS / "figures")
    (tmp_path / "reports" / "claims").mkdir(parents=True)
    assert reports_folder() == Path("reports")
