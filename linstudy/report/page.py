"""The report: claims by data and model, each claim, figures, tables, and what was run; as one page and as Markdown."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from linstudy import __version__
from linstudy.report import answers, html, markdown
from linstudy.report.answers import Answer
from linstudy.report.computing import describe_computing
from linstudy.report.document import Block, Bullets, Code, Paragraph, Section
from linstudy.report.freshness import PAGE, Mark
from linstudy.report.paper import ABOUT
from linstudy.report.question import open_results, question_files
from linstudy.report.summary import summarize
from linstudy.spec.errors import LinstudyError
from linstudy.store.query import data_version, open_published


def write_report(results: Path, reports: Path, out: Path, names: Sequence[str] = ()) -> list[str]:
    """Write `index.html`, `report.md` and the figures into a folder; a line for each thing written or left out.

    Args:
        names: Of where the results are from; their file's if none.
    """
    out.mkdir(parents=True, exist_ok=True)
    figures, claims = question_files(reports / "figures"), question_files(reports / "claims")
    tables = question_files(reports / "tables") if (reports / "tables").is_dir() else []
    mark = Mark(data_version(results), ", ".join(names or [results.name]))
    with open_results(results) as ask_of:
        drawn = [answers.answer(path, lambda one: answers.figure(one, ask_of(one), out, mark)) for path in figures]
        listed = [answers.answer(path, lambda one: answers.table(one, ask_of(one))) for path in tables]
        decided = [answers.answer(path, lambda one: answers.claim(one, ask_of(one))) for path in claims]
    page = _page(mark, decided, drawn, listed, _computing(results))
    written = {"report.md": markdown.render(page), PAGE: html.render(page, mark)}
    for name, text in written.items():
        (out / name).write_text(text, encoding="utf-8")
    return [*(found.line for found in (*drawn, *listed, *decided)), *(str(out / name) for name in written)]


def _page(mark: Mark, claims: list[Answer], figures: list[Answer], tables: list[Answer], computing: Section) -> Section:
    sections = [
        *_gathered("Claims", claims),
        *_gathered("Figures", figures),
        *_gathered("Tables", tables),
    ]
    summary = [summarize(found)] if (found := [one.claim for one in claims if one.claim]) else []
    return Section("linstudy report", (*_lead(mark), *summary, *sections, computing), "report")


def _lead(mark: Mark) -> tuple[Block, ...]:
    sources = ", ".join(f"`{name}`" for name in mark.source.split(", "))
    return (
        Paragraph(ABOUT),
        Paragraph(
            f"Written on {datetime.now(UTC):%Y-%m-%d} by linstudy {__version__} from {sources}. Version of the data: "
            f"`{mark.data}`; `linstudy status` says when the results of a workspace have changed since."
        ),
    )


def _gathered(title: str, found: list[Answer]) -> list[Section]:
    """The sections of answers, and the lines of those that have none; nothing where there is neither."""
    sections = [one.section for one in found if one.section]
    missing = tuple(one.line for one in found if not one.section)
    rest = [Bullets(missing)] if missing else []
    return [Section(title, (*sections, *rest), title.lower())] if found else []


def _computing(results: Path) -> Section:
    try:
        with open_published(results) as ask:
            return describe_computing(ask)
    except LinstudyError as error:
        return Section("What was run", (Paragraph("**Left out.**", "bad"), Code(str(error), "text")), "computing")
