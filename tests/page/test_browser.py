"""The page in Chromium: it opens, filters, draws and links; its SQL gives what it draws; names are text."""

import shutil
from urllib.parse import urlencode

import pytest
from hostile import EVIL, MANY, training

from linstudy.page import series, writing
from linstudy.page.writing import write_page
from linstudy.store.query import query
from linstudy.store.workspace import Workspace

DRAWN = "charts.every((chart) => chart.plot.hidden || chart.view)"
LAST = training(1, 77, 300).run_id


@pytest.fixture(scope="module")
def page(workspace, browser, tmp_path_factory):
    """A page with all points."""
    out = tmp_path_factory.mktemp("page") / "page <b>&#x27;.html"
    write_page(workspace, out)
    return out


@pytest.fixture(scope="module")
def thinned(workspace, browser, tmp_path_factory):
    """A page whose long curves are thinned."""
    out = tmp_path_factory.mktemp("thinned") / "page.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(series, "MOST_NUMBERS", 0)
        write_page(workspace, out)
    return out


def words(**choices):
    return urlencode({key.replace("__", "."): value for key, value in choices.items()})


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_it_opens_and_draws(page, browser, width, scheme):
    browser.look(width=width, scheme=scheme)
    browser.open(page)
    browser.until(DRAWN)
    assert browser.run("charts.map((chart) => chart.plot.querySelectorAll('canvas').length)") == [1, 1, 1]
    # What is drawn is no empty canvas: there are colours of lines on it.
    colours = (
        "(canvas) => new Set(new Uint32Array(canvas.getContext('2d').getImageData(0, 0, 300, 300).data.buffer)).size"
    )
    assert min(browser.run(f"[...document.querySelectorAll('canvas')].map({colours})")) > 10
    assert browser.run("document.documentElement.scrollWidth <= innerWidth"), "nothing is wider than the window"
    background = browser.run("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(253, 253, 252)", "dark": "rgb(20, 23, 26)"}[scheme]
    sizes = "[...document.querySelectorAll('main *')].map((one) => parseFloat(getComputedStyle(one).fontSize))"
    assert min(browser.run(sizes)) >= 12
    assert browser.wrongs() == []


def shown(browser, column):
    """The cells of a column of the table."""
    at = browser.run(f"shownColumns().map((one) => one.name).indexOf({column!r})") + 2
    cells = f"#table tbody tr > :nth-child({at})"
    return browser.run(f"[...document.querySelectorAll({cells!r})].map((cell) => cell.textContent)")


FILTERS = [
    ({"study": f"evil {EVIL}"}, "task_kind IS NOT NULL"),
    ({"status": "failed"}, "status = 'failed'"),
    ({"where.task_index": "3..80"}, "task_index BETWEEN 3 AND 80"),
    ({"where.test_accuracy": ">0.78"}, "run_id IN (SELECT run_id FROM final WHERE test_accuracy > 0.78)"),
    ({"where.model_factory": "</SCRIPT>"}, "model_kind = 'import'"),
    ({"where.task_kind": "!eigen"}, "kind = 'spectrum'"),
    ({"where.status": "=done", "where.error": "none", "kind": "training"}, "status = 'done' AND kind = 'training'"),
    ({"where.data_train": str(2**60 + 1)}, "kind = 'training'"),
    ({"where.seed": "1e0", "sort": "-task_index"}, "seed = 1"),
]


def test_a_filter_leaves_what_its_sql_gives(page, browser, workspace):
    browser.open(page)
    for choices, where in FILTERS:
        browser.go(urlencode({"show": "run_id,task_index", "sort": "task_index", **choices}))
        given = query(workspace.results, browser.run("table.querySelector('.sql pre').textContent")).rows
        expected = query(workspace.results, f"SELECT run_id FROM runs WHERE {where}").rows
        assert sorted(run for run, _ in given) == sorted(run for (run,) in expected)
        assert 0 < len(given) < 72
        assert shown(browser, "run_id") == [run[:8] for run, _ in given][:50]


def test_what_is_typed_filters_and_what_cannot_be_read_is_marked(page, browser):
    browser.open(page, words(show="run_id,task_index,status"))
    browser.run("document.querySelector('input[name=task_index]').focus()")
    for text, left in (("77", 2), ("77x", 72)):
        browser.run(
            f"document.activeElement.value = '{text}'; document.activeElement.dispatchEvent(new Event('input'))"
        )
        browser.until(f"get('where.task_index') === '{text}'")
        assert browser.run("filteredRuns().length") == left
        assert browser.run("document.activeElement.name") == "task_index", "it is still being typed in"
    assert browser.run("document.activeElement.hasAttribute('aria-invalid')")
    assert "not read: the filter of task_index" in browser.run("document.querySelector('#table .note').textContent")


def test_heads_sort_and_pages_turn(page, browser):
    browser.open(page, words(show="run_id,task_index,seed", kind="spectrum"))
    browser.run("document.querySelector('th button[value=run_id]').click()")
    browser.run("[...document.querySelectorAll('.pages button')].at(-1).click()")
    assert browser.run("document.querySelector('.pages span').textContent") == f"51 to {MANY} of {MANY}"
    assert browser.run("document.querySelectorAll('#table tbody tr').length") == MANY - 50
    browser.run("document.querySelector('th button[value=run_id]').click()")
    assert browser.run("document.querySelector('[aria-sort=descending]').textContent") == "run_id"


PAIR = [training(seed, 77, 300).run_id for seed in (0, 1)]
CHOICES = [
    ("mean", {}),
    ("runs", {}),
    ("mean", {"where.task_index": "5..80", "where.test_accuracy": ">0"}),
    ("runs", {"ticked": ",".join(PAIR)}),
    ("mean", {"ticked": PAIR[1]}),
]


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "thinned"])
def test_the_sql_of_a_chart_gives_what_it_draws(page, thinned, browser, workspace, whole):
    browser.open(page if whole else thinned)
    for how, choices in CHOICES:
        for metric in ("loss|train", "accuracy|test"):
            browser.go(urlencode({**choices, "curves.metric": metric, "curves.how": how}))
            compare(browser, workspace, "curves", how, rounded=True)
            assert ("drawn AS" in browser.run("curves.details.dataset.sql")) is not whole
            assert ("Thinned" in browser.run("curves.note.textContent")) is not whole


def test_the_sql_of_spectra_gives_the_lines_that_have_room(page, browser, workspace):
    browser.open(page)
    for how in ("mean", "runs"):
        browser.go(words(spectra__how=how))
        assert len(compare(browser, workspace, "spectra", how, rounded=True)) == 60 * 20
        assert f"The first 60 of {MANY} " in browser.run("spectra.note.textContent")
        browser.go(words(spectra__how=how, where__data_seed="<3"))
        assert len(compare(browser, workspace, "spectra", how, rounded=True)) == 3 * 20


def test_the_sql_of_last_numbers_gives_what_is_drawn(page, browser, workspace):
    browser.open(page)
    for how in ("mean", "runs"):
        for field in ("task_index", "model_factory", "seed"):
            browser.go(words(last__how=how, last__field=field, last__metric="test_accuracy", last__colour="task_index"))
            rows = compare(browser, workspace, "last", how, x=field)
            assert len(rows) == (3 if how == "mean" and field != "seed" else 6 if how == "mean" else 8)


def compare(browser, workspace, chart, how, rounded=False, x=None):
    """That the rows of a chart are those of its SQL; the rows."""
    drawn = browser.run(f"{chart}.rows")
    found = query(workspace.results, browser.run(f"{chart}.details.dataset.sql"))
    given = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    key, numbers = (
        ("setting", ("mean", "least", "largest", "seeds")) if how == "mean" else ("run_id", found.columns[-1:])
    )
    names = ("y", "low", "high", "seeds") if how == "mean" else ("y",)
    across = x or {"curves": "epoch", "spectra": "j"}[chart]
    mine = {(row["line"].split(" ")[0], row["x"]): [row[name] for name in names] for row in drawn}
    theirs = {(row[key], row[across]): [row[name] for name in numbers] for row in given}
    assert len(mine) == len(drawn)
    assert len(theirs) == len(given) > 0
    assert mine.keys() == theirs.keys()
    for point, values in theirs.items():
        for one, other in zip(mine[point], values, strict=True):
            assert one == (pytest.approx(other, rel=6e-5) if rounded and other is not None else other), point
    return drawn


def test_a_link_shows_the_same_again(page, browser):
    browser.open(page, words(kind="training", where__task_index="2"))
    for name, value in (("how", "runs"), ("y", "log"), ("metric", "loss|train")):
        select = f"curves.selects.get('{name}')"
        browser.run(f"{select}.value = '{value}'; {select}.dispatchEvent(new Event('change'))")
    browser.run("document.querySelector('#table tbody tr input').click()")
    link, sql = browser.run("curves.link.href"), browser.run("curves.details.dataset.sql")
    browser.open(page, link.partition("#")[2])
    browser.until(DRAWN)
    assert browser.run("curves.details.dataset.sql") == sql
    assert browser.run("[get('curves.y'), get('curves.how'), tickedRuns().length]") == ["log", "runs", 1]
    browser.until("Math.abs(document.getElementById('curves').getBoundingClientRect().top) < 40")  # it scrolls there
    browser.run("clear()")
    assert browser.run("location.hash") in ("", "#")
    assert browser.run("filteredRuns().length") == 72


def test_points_that_a_logarithm_does_not_have_are_counted(page, browser):
    browser.open(page, words(where__task_index="77", curves__metric="loss|train", curves__x="log", curves__y="log"))
    browser.until(DRAWN)
    assert "2 points at 0 or below not on a logarithmic axis" in browser.run("curves.note.textContent")
    assert browser.wrongs() == []


def test_the_panel_of_a_run_has_its_spec_attempts_and_log_as_text(page, browser):
    run_id = training(2, 2).run_id
    browser.open(page, words(run=run_id))
    browser.until(DRAWN)
    text = browser.run("panel.textContent")
    assert browser.run("panel.open")
    assert text.count(EVIL) >= 3, "in the error, the traceback and the log"
    assert 'task:\n  kind: "eigenfunction"\n  index: 2\n' in text
    assert "xxx" in text
    assert [browser.run(f"panel.textContent.includes('{status}')") for status in ("failed", "interrupted")] == [
        True,
        True,
    ]
    assert browser.run("panel.scrollWidth <= panel.clientWidth")
    browser.run("panel.querySelector('header button').click()")
    browser.until("!panel.open && get('run') === ''")
    assert_unharmed(browser)


def test_names_are_text_in_all_that_is_shown(page, browser):
    browser.open(page, urlencode({"study": EVIL, "where.model_factory": EVIL, "sort": EVIL, EVIL: EVIL, "at": EVIL}))
    browser.open(
        page, words(kind="training", show="run_id,model_factory,model_arguments,error", last__field="model_factory")
    )
    browser.until(DRAWN)
    assert f"{EVIL}77" in shown(browser, "model_factory")
    assert EVIL in browser.run("document.getElementById('studies').textContent")
    assert EVIL in browser.run("document.getElementById('choose-study').textContent")
    browser.run("document.querySelector('#studies').open = true")
    browser.run("last.plot.scrollIntoView({behavior: 'instant'})")
    browser.point(
        *browser.run(
            """(() => {
                const canvas = last.plot.querySelector("canvas").getBoundingClientRect();
                const [[x, y], row, padding] = [last.view.origin(), last.rows[0], last.view.padding()];
                const across = last.view.scale("x")(row.x) + last.view.scale("x").bandwidth() / 2;
                const up = last.view.scale("y")(row.y);
                return [canvas.x + padding.left + x + across, canvas.y + padding.top + y + up];
            })()"""
        )
    )
    browser.until("document.getElementById('vg-tooltip-element')?.textContent.includes('onerror')")
    assert_unharmed(browser)


def assert_unharmed(browser):
    assert browser.run("typeof window.pwned") == "undefined"
    assert browser.run("[document.querySelectorAll('script').length, document.querySelectorAll('img').length]") == [
        3,
        0,
    ]
    assert browser.wrongs() == []


def test_a_page_that_is_written_anew_is_loaded_anew_where_it_was(workspace, browser, tmp_path, monkeypatch):
    library = writing._library()
    monkeypatch.setattr(writing, "_library", lambda: library)
    place = Workspace(tmp_path)
    shutil.copyfile(workspace.results, place.results)
    out = tmp_path / "page.html"
    write_page(place, out, "kind = 'spectrum' AND data_seed = 0", every=0.5)
    browser.open(out, words(where__status="done"))
    assert browser.run("page.runs") == 1
    write_page(place, out, "kind = 'spectrum' AND data_seed < 2", every=None)
    browser.until("document.readyState === 'complete' && typeof page === 'object' && page.runs === 2")
    assert browser.run("get('where.status')") == "done"
    assert browser.run("document.getElementById('live').hidden")


def test_a_workspace_without_runs_has_a_page(browser, tmp_path):
    from linstudy.store.ledger import Ledger
    from linstudy.store.snapshot import publish

    with Ledger.open(Workspace(tmp_path)) as ledger:
        publish(ledger, tmp_path / "results.duckdb")
    write_page(Workspace(tmp_path), tmp_path / "page.html")
    browser.open(tmp_path / "page.html")
    browser.until(DRAWN)
    assert "0 runs of results.duckdb" in browser.run("document.getElementById('about').textContent")
    assert browser.wrongs() == []
