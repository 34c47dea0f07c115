"""The page: what it is made of, as HTML and as Markdown, and whether results have changed since."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure
from PIL import Image

from linstudy.cli import cli
from linstudy.report import html, markdown
from linstudy.report.answers import rows_table
from linstudy.report.computing import duration
from linstudy.report.document import (
    Bullets,
    Cell,
    Code,
    Folded,
    Paragraph,
    Picture,
    Section,
    Table,
    Terms,
)
from linstudy.report.figures import DRAWINGS, draw
from linstudy.report.freshness import Mark, describe_report, read_mark
from linstudy.report.page import write_report
from linstudy.report.question import open_results, origin, read_question, study_command
from linstudy.report.summary import Claim, summarize, tone, verdict
from linstudy.store.exchange import export_tables
from linstudy.store.merge import merged_results
from linstudy.store.query import data_version, query
from linstudy.store.workspace import Workspace

ROOT = Path(__file__).parents[2]
REPORTS = ROOT / "reports"
EXPORT = REPORTS / "published" / "tables"
MARK = Mark("0123456789abcdef", "results.duckdb")
VOID = {"meta", "img", "br", "wbr", "hr", "link"}


class Opened(HTMLParser):
    """A page as a browser reads it: elements, what they lead to and load, and tables by their cells."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.loads, self.tables, self.texts = [], [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if tag == "a" else []
        self.loads += [found[name] for name in ("src", "srcset", "data", "poster") if name in found]
        self.loads += [found["href"]] if tag in ("link", "base") else []
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append(0)
        elif tag in ("td", "th"):
            self.tables[-1][-1] += 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The results of real runs, as the repository has them."""
    folder = tmp_path_factory.mktemp("results")
    with merged_results([EXPORT]) as path:
        shutil.copyfile(path, folder / "results.duckdb")
    return folder / "results.duckdb"


@pytest.fixture(scope="module", autouse=True)
def _quick_drawings():
    """Empty pictures: what is drawn is tested elsewhere, and takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        for name in DRAWINGS:
            patch.setitem(DRAWINGS, name, lambda rows, notes: Figure(figsize=(1, 1)))
        yield


@pytest.fixture(scope="module")
def report(results):
    """The folder of a workspace's report."""
    out = results.parent / "report"
    write_report(results, REPORTS, out)
    return out


@pytest.fixture(scope="module")
def opened(report):
    return Opened((report / "index.html").read_text())


# One page


def test_the_page_needs_no_other_file(report, opened):
    assert opened.loads
    assert all(load.startswith("data:image/png;base64,") for load in opened.loads)
    assert "@import" not in (text := (report / "index.html").read_text())
    assert "url(" not in text
    assert "<script" not in text


def test_all_that_is_opened_is_closed_and_every_anchor_is_there(opened):
    assert opened.open == []
    assert len(set(opened.ids)) == len(opened.ids)
    inner = {link.removeprefix("#") for link in opened.links if link.startswith("#")}
    assert inner
    assert inner <= set(opened.ids)


def test_every_row_of_every_table_is_complete(opened):
    assert len(opened.tables) > 5
    for table in opened.tables:
        assert len(set(table)) == 1


def test_the_page_names_the_paper_and_what_was_run_on_what(opened):
    text = " ".join("".join(opened.texts).split())
    assert "https://arxiv.org/abs/2106.06770" in opened.links
    assert "5 min a run, one V100" in text
    assert "20 min, the Gram of 60,000 samples" in text
    assert "linstudy 0.1.0, jax 0.10.2" in text
    assert "all train, all test" in text


def test_both_forms_have_the_same_sections_and_numbers(report, opened):
    page, shown = (report / "report.md").read_text(), " ".join(opened.texts)
    anchors = re.findall(r'<a id="(.*?)">', page)
    assert anchors == opened.ids
    numbers = re.findall(r"\| ([\d.,]+) (?=\|)", page)
    assert len(numbers) > 100
    assert set(numbers) <= set(shown.split())
    for link in re.findall(r"\]\(#(.*?)\)", page):
        assert link in anchors


def test_every_claim_figure_and_table_has_its_query_and_what_runs_it(report):
    page = (report / "report.md").read_text()
    files = [path for kind in ("claims", "figures", "tables") for path in (REPORTS / kind).glob("*.sql")]
    shown = [path for path in files if path.read_text().strip() in page]
    assert len(shown) >= 7
    assert page.count("```sql") == page.count("```sh") == len(shown)
    variant = "linstudy run energy_concentration --profile paper --set 'data={kind: image_folder, path:"
    assert variant in page


# The two forms


BLOCKS = (
    Paragraph("See `a < b`, **both** and [the page](https://example.org/x_y).", tone="good"),
    Bullets(("one", "two")),
    Terms((("`at_end`", "α(φ_j) < 1"),)),
    Table(
        (Cell("claim"), Cell("n", number=True)), ((Cell("a|b <c>", note="of *it*"), Cell("2", listed=("r1", "r2"))),)
    ),
    Folded("More", (Code("SELECT 1 < 2", "sql"),)),
)
PAGE = Section("T", (Section("Part", BLOCKS, "part"),), "t")


def test_html_escapes_what_texts_say():
    text = html.render(PAGE, MARK)
    assert '<p class="good">See <code>a &lt; b</code>, <strong>both</strong> and ' in text
    assert '<a href="https://example.org/x_y">the page</a>.</p>' in text
    assert "<dt><code>at_end</code></dt><dd>α(φ<sub>j</sub>) &lt; 1.</dd>" in text
    assert '<th scope="row">a|b &lt;c&gt;<small>of *it*</small></th>' in text
    assert "<details><summary>2</summary>r1 r2</details>" in text
    assert "<pre><code>SELECT 1 &lt; 2</code></pre>" in text
    assert Opened(text).open == []


def test_markdown_escapes_what_cells_say():
    text = markdown.render(PAGE)
    assert text.startswith('# T\n\n<a id="part"></a>\n\n## Part\n\nSee `a < b`, **both** and [the page](')
    assert "- one\n- two" in text
    assert "`at_end`: α(φ_j) < 1." in text
    assert r"| a\|b \<c><br><sub>of \*it\*</sub> | <details><summary>2</summary>r1 r2</details> |" in text
    assert "<details><summary>More</summary>\n\n```sql\nSELECT 1 < 2\n```\n\n</details>" in text


@pytest.mark.parametrize("text", ["a ` b", "a*b*c", "**", "f(*) and (*)", "[x]", "```"])
def test_marks_without_a_partner_mean_themselves(text):
    found = Opened(html.render(Section("T", (Paragraph(text),), "t"), MARK))
    assert text.replace("```", "`") in "".join(found.texts)
    assert found.open == []


def test_a_picture_is_in_the_page_and_beside_the_markdown(tmp_path):
    Image.new("RGB", (1, 1)).save(tmp_path / "a.png")
    page = Section("T", (Picture(tmp_path / "a.png", 'the "title"'),), "t")
    assert 'alt="the &quot;title&quot;" src="data:image/png;base64,' in html.render(page, MARK)
    assert '![the "title"](a.png)' in markdown.render(page)


def test_a_table_whose_rows_are_not_complete_is_refused():
    with pytest.raises(ValueError, match="a row has not the 2 cells"):
        Table((Cell("a"), Cell("b")), ((Cell("1"),),))


# Claims


@pytest.mark.parametrize(
    ("holds", "text", "colour"),
    [
        ([], "no runs yet", "open"),
        ([None], "not enough data", "open"),
        ([None, None], "not enough data", "open"),
        ([True], "holds", "good"),
        ([False], "fails", "bad"),
        ([True, True], "holds in all 2 settings", "good"),
        ([False] * 3, "fails in all 3 settings", "bad"),
        ([True, False, False], "holds in 1 of 3 settings, fails in 2", "mixed"),
        ([True, False, None], "holds in 1 of 3 settings, fails in 1, not enough data in 1", "mixed"),
        ([True, None], "holds in 1 of 2 settings, not enough data in 1", "good"),
        ([False, None], "fails in 1 of 2 settings, not enough data in 1", "bad"),
    ],
)
def test_a_verdict_says_what_holds_what_fails_and_what_is_open(holds, text, colour):
    rows = [{"holds": value} for value in holds]
    assert (verdict(rows), tone(rows)) == (text, colour)


def _row(holds, data="digits", model="mlp", **others):
    setting = {"label": f"{data}, {model}", "data_kind": data, "model_kind": model}
    return {"setting_id": "s", "setting": setting, "holds": holds, "seeds": 3, "left_out": 0, **others}


def test_the_summary_has_a_column_for_each_model_on_each_data():
    rows = [_row(True), _row(True, model="lenet"), _row(False, model="lenet"), _row(None, data="mnist"), _row(False)]
    claims = [Claim("Claim 1", "It is so", "claim-1", rows[:4]), Claim("Claim 2", "Or not", "claim-2", rows[4:])]
    table = summarize(claims).blocks[0]
    assert [(cell.text, cell.note) for cell in table.columns[1:]] == [
        ("mlp", "digits"),
        ("lenet", "digits"),
        ("mlp", "mnist"),
    ]
    found = [[cell.text for cell in row] for row in table.rows]
    assert found == [
        ["Claim 1", "holds", "holds in 1 of 2", "not enough data"],
        ["Claim 2", "fails", "–", "–"],
    ]
    assert [cell.anchor for cell in table.rows[0]] == ["claim-1"] * 4


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        ([_row(True)], ""),
        ([_row(True, seeds=1)], "1 seed"),
        ([_row(True, seeds=1), _row(False, seeds=1)], "2 settings, 1 seed"),
        ([_row(True, seeds=1), _row(None, seeds=3)], "2 settings, 1 without a verdict, 1 seed"),
        ([_row(True, seeds=1), _row(True)], "2 settings"),
        ([_row(None, seeds=1)], ""),
    ],
)
def test_a_verdict_of_one_seed_says_so(rows, note):
    [[_, cell]] = summarize([Claim("Claim 1", "It is so", "claim-1", rows)]).blocks[0].rows
    assert cell.note == note


def test_a_row_shows_its_verdict_its_runs_and_its_variant_below_the_setting():
    rows = [
        _row(True, study="s", variant="", rise=0.25, low=0.1, high=0.3, runs=["r1", "r2"]),
        _row(None, study="s", variant="paper train.epochs=5", rise=12345.6, low=-0.0, high=None, runs=None),
    ]
    table = rows_table(rows)
    assert [cell.text for cell in table.columns] == ["setting", "verdict", "rise", "low", "high", "seeds", "runs"]
    assert [cell.text for cell in table.rows[0]] == ["digits, mlp", "holds", "0.25", "0.1", "0.3", "3", "2"]
    assert table.rows[0][-1].listed == ("r1", "r2")
    assert table.rows[1][0].note == "s paper train.epochs=5"
    assert [cell.text for cell in table.rows[1]][1:] == ["not enough data", "12,346", "0", "", "3", ""]


def test_a_claim_with_runs_an_interval_and_a_threshold(results, tmp_path):
    reports = empty_reports(tmp_path / "reports")
    (reports / "claims" / "01_all.sql").write_text(
        "-- claim: 1. The NTK of all is one (Fig. 1)\n-- study: kernel_rotation\n-- along: task, train_linearize\n"
        "-- threshold: the interval is above 0\n-- low: the lower end\n"
        "SELECT any_value(study) AS study, '' AS variant, min(setting_id) AS setting_id, 2 AS seeds, 0 AS left_out, "
        "0.5 AS low, 1.5 AS high, list(run_id ORDER BY run_id)[:3] AS runs, NULL::BOOLEAN AS holds "
        "FROM study_runs WHERE probe_kind = 'alignment' AND status = 'done' GROUP BY model_kind ORDER BY model_kind"
    )
    lines = write_report(results, reports, tmp_path / "out")
    assert lines[0] == "not enough data: 1. The NTK of all is one (Fig. 1)"
    page = (tmp_path / "out" / "report.md").read_text()
    assert "### Claim 1\n\nThe NTK of all is one (Fig. 1)\n\n**Verdict: not enough data.**" in page
    assert "It holds where: the interval is above 0." in page
    assert "| setting | verdict | low | high | seeds | runs |" in page
    assert re.search(
        r"not enough data \| 0.5 \| 1.5 \| 2 \| <details><summary>3</summary>(\w{16} ?){3}</details> \|", page
    )
    assert "`low`: the lower end." in page
    assert "`high`: the upper end of that interval." in page


def test_the_origin_is_that_of_the_runs_that_rows_list(results):
    done, runs = "study = 'kernel_rotation' AND status = 'done'", {}
    for setting, run in query(results, f"SELECT setting_id, run_id FROM study_runs WHERE {done} ORDER BY 2").rows:
        runs.setdefault(setting, []).append(run)
    first, second = sorted(setting for setting, its_runs in runs.items() if len(its_runs) > 1)[:2]
    question = read_question(REPORTS / "claims" / "07_as_printed.sql")
    with open_results(results) as ask_of:
        ask = ask_of(question)
        of_settings = origin([{"setting_id": first}, {"setting_id": second, "runs": None}], ask)
        listed = origin([{"setting_id": first, "runs": runs[first][:1]}, {"setting_id": second}], ask)
    assert (of_settings.runs, of_settings.versions) == (tuple(sorted(runs[first] + runs[second])), "0.1.0")
    assert listed.runs == tuple(sorted(runs[first][:1] + runs[second]))


# What figures and pages were made of


def test_figures_carry_their_query_their_runs_and_the_version_of_the_data(report, results):
    written = Image.open(report / "kernel_rotation.png").text
    sql = (REPORTS / "figures" / "kernel_rotation.sql").read_text()
    assert (written["Query"], written["Data version"]) == (sql, data_version(results))
    runs = query(
        results,
        "SELECT run_id FROM study_runs WHERE study = 'kernel_rotation' AND probe_kind = 'alignment' "
        "AND task_kind = 'eigenfunction' AND status = 'done' ORDER BY 1",
    ).rows
    assert written["Runs"].split() == [run for (run,) in runs]
    assert read_mark(report / "kernel_rotation.png") == Mark(data_version(results), "results.duckdb")
    pdf = (report / "kernel_rotation.pdf").read_bytes()
    assert f"Runs: {runs[0][0]}".encode("utf-16-be") in pdf or f"Runs: {runs[0][0]}".encode() in pdf
    assert data_version(results).encode() in pdf
    assert b"/Subject" in pdf


@pytest.fixture
def workspace(results, report, tmp_path):
    """A workspace of its own with the results and their report."""
    shutil.copyfile(results, tmp_path / "results.duckdb")
    shutil.copytree(report, tmp_path / "report")
    return Workspace(tmp_path)


def empty_reports(folder):
    """A folder of no questions."""
    for kind in ("figures", "claims"):
        (folder / kind).mkdir(parents=True)
    return folder


def change(workspace):
    """Note other results than the report shows."""
    import duckdb

    with duckdb.connect(str(workspace.results)) as connection:
        connection.execute("UPDATE published SET checksum = checksum + 1 WHERE name = 'metric'")


def test_a_report_of_the_results_is_not_stale(workspace):
    assert list(describe_report(workspace)) == []


def test_a_report_is_stale_once_the_results_have_changed(workspace):
    change(workspace)
    folder = workspace.root / "report"
    line = f"{folder}/: stale, results have changed since. Run: linstudy report"
    assert list(describe_report(workspace)) == [line]
    told = CliRunner().invoke(cli, ["status", "--workspace", str(workspace.root)]).output
    assert told.splitlines()[-1] == line


def test_a_figure_alone_is_stale_too_and_drawn_anew_it_is_not(workspace):
    (workspace.root / "report" / "index.html").unlink()
    change(workspace)
    stale = [line.rpartition(": ")[2] for line in describe_report(workspace)]
    assert {"linstudy figure energy_concentration", "linstudy figure kernel_rotation"} <= set(stale)
    draw("kernel_rotation", workspace.results, REPORTS, workspace.root / "report")
    left = [line.rpartition(": ")[2] for line in describe_report(workspace)]
    assert left == [line for line in stale if line != "linstudy figure kernel_rotation"]


def test_a_report_of_exports_does_not_go_stale(workspace):
    export_tables(workspace.results, workspace.root / "out")
    with merged_results([workspace.root / "out"]) as path:
        write_report(path, empty_reports(workspace.root / "reports"), workspace.root / "report", ["out"])
    for picture in (workspace.root / "report").glob("*.png"):
        picture.unlink()  # of the workspace itself
    change(workspace)
    assert list(describe_report(workspace)) == []
    assert read_mark(workspace.root / "report" / "index.html").source == "out"


@pytest.mark.parametrize("content", [b"", b"\x89PNG", b"linstudy data of nothing"])
def test_what_has_no_mark_is_not_ours(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    assert read_mark(tmp_path / "a.png") is None
    assert read_mark(tmp_path / "none.png") is None


def test_the_version_of_the_data_is_that_of_equal_contents(workspace):
    export_tables(workspace.results, workspace.root / "out")
    versions = []
    for _ in range(2):
        with merged_results([workspace.root / "out"]) as path:
            versions.append(data_version(path))
    assert versions[0] == versions[1]
    change(workspace)
    assert data_version(workspace.results) != versions[0]


# Words


@pytest.mark.parametrize(
    ("variant", "arguments"),
    [
        ("", ""),
        ("paper", " --profile paper"),
        ("train.epochs=5", " --set train.epochs=5"),
        (
            "paper data={kind: npz, path: a.npz} seeds=[0, 1] train.epochs=0",
            " --profile paper --set 'data={kind: npz, path: a.npz}' --set 'seeds=[0, 1]' --set train.epochs=0",
        ),
        ("paper a=1 data.path=very_lon... 01234567", " --profile paper --set a=1 ..."),
    ],
)
def test_a_variant_is_run_by_its_command(variant, arguments):
    assert study_command("a", variant) == f"linstudy run a{arguments}"


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (0.25, "0.2 s"), (59, "59 s"), (90, "1.5 min"), (1200, "20 min"), (7200, "2.0 h")]
)
def test_a_duration_is_in_the_unit_that_suits_it(seconds, text):
    assert duration(seconds) == text
