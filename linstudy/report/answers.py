"""What one question gives for the page: a figure, a table, or a claim with its verdict."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from linstudy.report.document import Block, Cell, Code, Folded, Paragraph, Picture, Section, Table, Terms
from linstudy.report.figures import draw_rows
from linstudy.report.freshness import Mark
from linstudy.report.panels import left_out_note
from linstudy.report.paper import symbols_in
from linstudy.report.question import Origin, Question, Rows, origin, read_question, study_command
from linstudy.report.summary import Claim, data_name, tone, verdict, word
from linstudy.spec.errors import LinstudyError
from linstudy.store.query import Ask

COLUMNS = {
    "verdict": "whether the claim holds for the row; *not enough data* where its seeds decide neither",
    "way": "what is not as usual of the linearization",
    "low": "the lower end of the interval of what decides",
    "high": "the upper end of that interval",
    "seeds": "how many runs that differ in their seed alone the row is of",
    "left_out": "how many more there were of which a run diverged, or has labels sign φ_j that rounding decides",
    "runs": "how many runs are behind the row, with their ids",
}
"""What columns mean that many questions have, unless a question's own note says it."""

_LAST = ("seeds", "left_out", "runs")
"""Columns that stand behind what a question is about."""


class Answer(NamedTuple):
    """What one question gives.

    Attributes:
        line: For the terminal.
        section: Of the page; None where there is nothing to show yet.
        claim: What enters the summary, if it is one.
    """

    line: str
    section: Section | None
    claim: Claim | None = None


def answer(path: Path, give: Callable[[Question], Answer]) -> Answer:
    """The answer to one question; what is wrong with it where there is none, so that the others are answered."""
    try:
        return give(read_question(path))
    except LinstudyError as error:
        blocks = (Paragraph("**Left out.**", "bad"), Code(str(error), "text"))
        return Answer(f"{path}: left out: {error}", Section(path.stem, blocks, f"{path.parent.name}-{path.stem}"))


def figure(question: Question, ask: Ask, out: Path, mark: Mark) -> Answer:
    """Its picture, drawn into a folder."""
    rows = question.rows(ask)
    if not rows:
        return _nothing(question)
    behind = origin(rows, ask)
    path = draw_rows(question, rows, out, mark, behind)
    source, query = _source(question, rows, behind), _query(question, rows)
    blocks = (Picture(path, question.title), source, *_terms(question, []), query)
    return Answer(str(path), Section(question.title, blocks, f"figure-{question.name}"))


def table(question: Question, ask: Ask) -> Answer:
    """Its rows as they are."""
    rows = question.rows(ask)
    if not rows:
        return _nothing(question)
    blocks = (*_listed(question, rows, ask), _query(question, rows))
    return Answer(question.title, Section(question.title, blocks, f"table-{question.name}"))


def claim(question: Question, ask: Ask) -> Answer:
    """Its verdict, and the rows that decide it."""
    rows = question.rows(ask, "holds")
    name, statement = _parts(question.title)
    found = f"{verdict(rows)}{_left_out(rows)}"
    threshold = question.notes.get("threshold")
    blocks: tuple[Block, ...] = (
        *([Paragraph(statement)] if statement else []),
        Paragraph(f"**Verdict: {found}.**", tone(rows)),
        *([Paragraph(f"It holds where: {threshold.rstrip('.')}.")] if threshold else []),
        *_listed(question, rows, ask),
        _query(question, rows),
    )
    anchor = f"claim-{question.name}"
    return Answer(f"{found}: {question.title}", Section(name, blocks, anchor), Claim(name, statement, anchor, rows))


def rows_table(rows: Rows) -> Table:
    """Rows as a table: the setting first, then the verdict, and what they are of last.

    Columns that are empty in every row are left out, and so is `left_out` where nothing is. The study and its variant
    stand below a setting where there are several.
    """
    several = len({(row["study"], row["variant"]) for row in rows if "study" in row}) > 1
    names = _columns(rows)
    numbers = {name: any(_is_number(row.get(name)) for row in rows) for name in names}
    head = (Cell("setting"), *(Cell(name, number=numbers[name]) for name in names))
    body = tuple((_setting(row, several), *(_cell(row, name, numbers[name]) for name in names)) for row in rows)
    return Table(head, body)


def _parts(title: str) -> tuple[str, str]:
    """The number of a claim, with what follows before the first full stop, and its statement."""
    numbered = re.match(r"(\d+[^.]*)\. (.+)", title)
    return (f"Claim {numbered[1]}", numbered[2]) if numbered else (title, "")


def _nothing(question: Question) -> Answer:
    return Answer(f"{question.name}: no rows yet. Run: {question.command}", None)


def _listed(question: Question, rows: Rows, ask: Ask) -> tuple[Block, ...]:
    """The rows as a table, what its columns and the question's symbols mean, and where the rows come from."""
    if not rows:
        return tuple(_terms(question, []))
    return rows_table(rows), *_terms(question, _columns(rows)), _source(question, rows, origin(rows, ask))


def _columns(rows: Rows) -> list[str]:
    hidden = ("setting", "setting_id", "study", "variant", "holds", *_LAST)
    own = [name for name in rows[0] if name not in hidden]
    verdicts = ["verdict"] if "holds" in rows[0] else []
    return [*verdicts, *(name for name in (*own, *_LAST) if any(_says_something(row, name) for row in rows))]


def _says_something(row: dict[str, Any], name: str) -> bool:
    value = row.get(name)
    return value not in (None, "", []) and not (name == "left_out" and value == 0)


def _setting(row: dict[str, Any], several: bool) -> Cell:
    study = " ".join(filter(None, (row.get("study"), row.get("variant")))) if several else ""
    return Cell(row["setting"]["label"], note=study)


def _cell(row: dict[str, Any], name: str, number: bool) -> Cell:
    if name == "verdict":
        return Cell(word(row["holds"]), tone=tone([row]))
    if name == "runs" and row.get(name):
        return Cell(str(len(row[name])), listed=tuple(row[name]), number=True)
    return Cell(_value(row.get(name)), number=number)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value + 0.0:.3g}"  # -0.0 + 0.0 is 0.0
    return str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _terms(question: Question, columns: list[str]) -> list[Terms]:
    """What the columns, and the symbols in the question's words, mean."""
    meanings = {name: text for name in columns if (text := question.notes.get(name) or COLUMNS.get(name))}
    words = " ".join([question.title, *(question.notes.get(key, "") for key in ("threshold", "x", "y"))])
    items = [(f"`{name}`", text.rstrip(".")) for name, text in meanings.items()]
    items += symbols_in(" ".join([words, *meanings.values()]))
    return [Terms(tuple(items))] if items else []


def _left_out(rows: Rows) -> str:
    note = left_out_note(rows)
    return f"; {note}" if note else ""


def _source(question: Question, rows: Rows, behind: Origin) -> Paragraph:
    """Where the numbers come from: study, data and their sizes, settings, seeds, when and by which version."""
    settings = {row["setting_id"]: row["setting"] for row in rows}.values()
    data = "; ".join(dict.fromkeys(_data(setting) for setting in settings))
    low, high = min(seeds := [row["seeds"] or 0 for row in rows]), max(seeds)
    count = f"{high}" if low == high else f"{low} to {high}"
    return Paragraph(
        f"Study {', '.join(question.studies)}. Data: {data}. Settings: {len(settings)}, each with {count} "
        f"seed{'' if count == '1' else 's'}{_left_out(rows)}. Computed {' to '.join(map(str, behind.days))} with "
        f"linstudy {behind.versions}.",
        small=True,
    )


def _data(setting: dict[str, Any]) -> str:
    if setting["data_kind"] is None:
        return f"none, inputs of shape {setting['shape']}"
    sizes = [f"{setting[f'data_{split}'] or 'all'} {split}" for split in ("train", "test")]
    return f"{data_name(setting)}, {' and '.join(sizes)} samples"


def _query(question: Question, rows: Rows) -> Folded:
    """The question's SQL, and the commands that make the runs behind its rows."""
    made = dict.fromkeys((row.get("study"), row.get("variant") or "") for row in rows)
    commands = [study_command(study, variant) for study, variant in made if study]
    code = Code("\n".join(commands or [study_command(study) for study in question.studies]), "sh")
    return Folded("The query, and the commands that make its runs", (Code(question.sql, "sql"), code))
