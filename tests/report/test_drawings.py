"""The drawings that many figures share, on rows made by hand, against pictures drawn by other means."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images

from linstudy.report import images, lines
from linstudy.report.figures import DRAWINGS, draw_rows
from linstudy.report.freshness import Mark
from linstudy.report.question import Origin, question_files, read_question
from linstudy.report.style import LINES, STYLE
from linstudy.spec.errors import LinstudyError
from linstudy.spec.points import load_study

ROOT = Path(__file__).parents[2]
MADE_OF = Mark("0123456789abcdef", "results.duckdb"), Origin(("r",), (), "1.2.3")


def row(x, y, line="network", *, network="", facet=None, **more):
    setting = {"network": network, "target": "", "model_kind": "mlp", "data_kind": "digits", "label": network}
    known = {"study": "s", "variant": "", "setting_id": f"{x}{line}", "setting": setting, "seeds": 2, "left_out": 0}
    return {**known, "line": line, "x": x, "y": y, **({"facet": facet} if facet else {}), **more}


def panels(figure):
    return [axes for axes in figure.axes if axes.get_visible()]


def curve(axes):
    """The points of a panel's first line, in order."""
    return [tuple(point) for point in axes.get_lines()[0].get_xydata()]


def picture(figure, path):
    with rc_context(STYLE):
        figure.savefig(path)
    return str(path)


def test_a_picture_of_lines_is_what_plain_matplotlib_draws(tmp_path):
    """Two curves with bands, and a dashed line across, drawn once more by hand."""
    bands = [("network", 0.9, 0.05), ("linearization", 0.8, 0.1)]
    rows = [
        row(x, y / x, line, low=y / x - spread, high=y / x + spread) for line, y, spread in bands for x in (4, 1, 2)
    ]
    with rc_context(STYLE):
        drawn = lines.draw([*rows, row(None, 0.5)], {"x": "index", "y": "accuracy"})
        wanted = Figure(figsize=drawn.get_size_inches(), layout="constrained")
        axes = wanted.subplots()
        for line, y, spread in bands:
            x, colour = np.array([1, 2, 4]), LINES[line]
            if line == "network":
                axes.axhline(0.5, color=colour, linestyle="--", linewidth=1)
            axes.plot(x, y / x, color=colour, linewidth=1.2)
            axes.plot(x, y / x, "o", markersize=3.5, color=colour)
            axes.fill_between(x, y / x - spread, y / x + spread, color=colour, alpha=0.2, linewidth=0)
        axes.set(xlabel="index", ylabel="accuracy")
        axes.set_title("mlp, digits\n2 seeds", fontsize=8)
        handles = [axes.plot([], [], marker=".", color=LINES[line], label=line)[0] for line, *_ in bands]
        wanted.legend(handles=handles, loc="outside lower center", ncols=2)
    pictures = picture(wanted, tmp_path / "wanted.png"), picture(drawn, tmp_path / "drawn.png")
    assert compare_images(*pictures, tol=1) is None
    with rc_context(STYLE):
        other = lines.draw(rows, {"x": "index", "y": "accuracy"})
    assert compare_images(pictures[0], picture(other, tmp_path / "other.png"), tol=1) is not None


def test_networks_have_panels_and_facets_have_columns():
    rows = [row(1, 2.0, network=network, facet=facet) for network in ("width 4", "width 8") for facet in ("a", "b")]
    axes = panels(lines.draw(rows, {"scale": "log x, log b"}))
    assert [panel.get_ylabel() for panel in axes] == ["a", "b", "a", "b"]
    assert [panel.get_yscale() for panel in axes] == ["linear", "log"] * 2
    assert {panel.get_xscale() for panel in axes} == {"log"}
    titles = [panel.get_title().replace("\N{NO-BREAK SPACE}", " ") for panel in axes]
    assert titles == ["mlp, digits, width 4\n2 seeds"] * 2 + ["mlp, digits, width 8\n2 seeds"] * 2


def test_what_was_not_reached_is_hollow_and_what_is_missing_is_left_out():
    rows = [row(1, 2.0, hollow=False), row(2, 3.0, hollow=True), row(3, None), row(4, 5.0, seeds=0)]
    rows[-1]["seeds"] = 0
    [axes] = panels(lines.draw(rows, {}))
    assert curve(axes) == [(1, 2), (2, 3)]
    _, full, hollow = axes.get_lines()
    assert ([*full.get_xdata()], [*hollow.get_xdata()]) == ([1], [2])
    assert hollow.get_markerfacecolor() == "white"


def test_points_are_not_joined():
    [axes] = panels(lines.draw([row(1, 2.0), row(2, 1.0)], {"style": "points"}))
    assert {line.get_linestyle() for line in axes.get_lines()} == {"None"}


def test_a_logarithmic_axis_with_nothing_above_zero_is_linear():
    [axes] = panels(lines.draw([row(0, None), row(0, 0.0)], {"scale": "log x, log y"}))
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "linear")


def test_labels_of_ticks_have_room():
    rows = [row(x, x, facet=facet) for x in (1000, 10_000, 50_000) for facet in ("a", "b")]
    with rc_context(STYLE):
        figure = lines.draw(rows, {"scale": "log x"})
        figure.draw_without_rendering()
    labels = {label.get_text(): label.get_window_extent() for label in panels(figure)[0].get_xticklabels()}
    assert {"1k", "2k", "5k", "10k", "20k", "50k"} <= set(labels)
    assert not any(one.overlaps(other) for one, other in itertools.pairwise(labels.values()))


def test_images_are_the_directions_and_the_magnitudes_of_their_fourier_transforms():
    values = np.random.default_rng(0).normal(size=(2, 12))
    rows = [{**row(0, 0), "j": j + 1, "shape": [1, 3, 4], "value": list(values[j])} for j in range(2)]
    for one in rows:
        one["setting_id"] = "one"
    with rc_context(STYLE):
        shown = [axes.get_images()[0].get_array() for axes in images.draw(rows, {}).axes]
    first, second, first_spectrum, second_spectrum = (np.asarray(image) for image in shown)
    assert np.array_equal(first, values[0].reshape(3, 4))
    assert np.array_equal(second, values[1].reshape(3, 4))
    angles = [np.exp(-2j * np.pi * np.outer(np.arange(size), np.arange(size)) / size) for size in (3, 4)]
    for image, spectrum in ((first, first_spectrum), (second, second_spectrum)):
        magnitude = np.abs(angles[0] @ image @ angles[1])
        assert np.allclose(np.roll(magnitude, (1, 2), (0, 1)), spectrum)


# A user's own


@pytest.fixture
def own(tmp_path):
    """A function that gives the question of a file of figures, with a module beside it."""

    def question(sql, code=None):
        (tmp_path / "mine.sql").write_text(f"-- study: s\n{sql}")
        if code is not None:
            (tmp_path / "mine.py").write_text(code)
        return read_question(tmp_path / "mine.sql")

    return question


DRAWING = """
from matplotlib.figure import Figure

def draw(rows, notes):
    figure = Figure()
    figure.subplots().plot([row["x"] for row in rows], [row["y"] for row in rows])
    return figure
"""


def test_a_module_beside_a_query_draws_its_figure(own, tmp_path):
    path = draw_rows(own("SELECT 1", DRAWING), [row(1, 2.0)], tmp_path / "out", *MADE_OF)
    assert path.read_bytes()[:4] == b"\x89PNG"
    assert path.with_suffix(".pdf").read_bytes()[:4] == b"%PDF"


def test_a_drawing_of_ours_is_named_in_the_query(own, tmp_path):
    assert draw_rows(own("-- drawing: lines\nSELECT 1"), [row(1, 2.0)], tmp_path / "out", *MADE_OF).exists()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (None, 'figure mine: there is no drawing "mine". Write .*mine.py with draw\\(rows, notes\\), or a line '),
        ("def paint(rows): ...", r"mine.py: it has no function draw\(rows, notes\)"),
        ("import nothing_of_that_name", "mine.py: ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("def draw(rows, notes):\n    1 / 0", "figure mine: its drawing failed with ZeroDivisionError: .*, line 2"),
    ],
)
def test_what_is_wrong_with_a_users_drawing_is_said(own, tmp_path, code, message):
    with pytest.raises(LinstudyError, match=message):
        draw_rows(own("SELECT 1", code), [row(1, 2.0)], tmp_path / "out", *MADE_OF)


def test_every_figure_of_ours_names_a_drawing_of_ours():
    for path in question_files(ROOT / "reports" / "figures"):
        question = read_question(path)
        assert question.notes.get("drawing", question.name) in DRAWINGS, path


# The studies that come along


@pytest.mark.parametrize("path", sorted((ROOT / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_study_has_a_base_and_a_profile_for_a_laptop_and_of_the_paper(path):
    assert load_study(path).points
    for profile in ("laptop", "paper"):
        assert load_study(path, profile=profile).points


def test_every_study_is_asked_by_some_figure_or_table():
    asked = {
        study
        for kind in ("figures", "tables")
        for path in question_files(ROOT / "reports" / kind)
        for study in read_question(path).studies
    }
    assert asked == {path.stem for path in (ROOT / "studies").glob("*.yaml")}
