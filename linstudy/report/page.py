"""One page: for each claim its verdict and the query that decides it, the tables, and the figures."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from linstudy import __version__
from linstudy.report.figures import draw_rows
from linstudy.report.question import Question, Rows, open_results, origin, question_files, read_question
from linstudy.spec.errors import LinstudyError
from linstudy.store.query import Ask

_ABOUT = """\
Claims 6 and 7, and the figures and the table named in them, are those of the paper *What can linearized neural networks
actually say about generalization?* (Ortiz-Jiménez, Moosavi-Dezfooli, Frossard, NeurIPS 2021,
[arXiv:2106.06770](https://arxiv.org/abs/2106.06770)), measured on the data that each caption names. "As printed" is a
claim in the paper's own words.

- Θ is the network's empirical neural tangent kernel (NTK) on the samples; φ_j is its j-th eigenvector at
  initialization, in order of decreasing eigenvalue λ_j, j from 1. Training on φ_j is training on the labels sign φ_j.
- α(y) = yᵀΘy / yᵀy is the alignment of y with the kernel at some epoch; at initialization α(φ_j) = λ_j. Its growth is α
  after training over α at initialization. The `top` of an alignment is how many φ_j were probed.
- ‖Φ_K y‖ / ‖y‖ is the energy concentration: the share of the labels' norm on the kernel's first K eigenvectors at that
  epoch. K is the `top` of the probe.
- The neighbours of φ_j are the ten eigenfunctions before it and the ten after it.
- A setting is a run without its seed: everything else that can change a number. A verdict holds in a setting if it does
  for each of its seeds. Diverged runs, whose loss or alignment became no finite number, are left out and counted."""


def write_report(results: Path, reports: Path, out: Path, names: Sequence[str] = ()) -> list[str]:
    """Write `report.md` and its figures into a folder; a line for each thing written or left out.

    Args:
        names: Of where the results are from; their file's if none.
    """
    out.mkdir(parents=True, exist_ok=True)
    figures, claims = question_files(reports / "figures"), question_files(reports / "claims")
    tables = question_files(reports / "tables") if (reports / "tables").is_dir() else []
    sources = ", ".join(f"`{name}`" for name in names or [results.name])
    written = f"Written on {datetime.now(UTC):%Y-%m-%d} by linstudy {__version__} from {sources}."
    with open_results(results) as ask_of:
        drawn = [_answered(path, lambda question: _figure(question, ask_of(question), out)) for path in figures]
        listed = [_answered(path, lambda question: _table(question, ask_of(question))) for path in tables]
        decided = [_answered(path, lambda question: _claim(question, ask_of(question))) for path in claims]
    sections = {"Claims": decided, "Tables": listed, "Figures": drawn}
    filled = [[f"## {name}", *texts] for name, found in sections.items() if (texts := _texts(found))]
    parts = ["# Report", written, _ABOUT, *(text for section in filled for text in section)]
    page = out / "report.md"
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return [*(line for line, _ in (*drawn, *listed, *decided)), str(page)]


def verdict(rows: Rows) -> str:
    """What the rows' column `holds` says: in all settings, in none, in some, or nothing yet."""
    found = [bool(row["holds"]) for row in rows if row["holds"] is not None]
    if not found:
        return "no runs yet"
    if all(found):
        return f"holds in all {len(found)} settings" if len(found) > 1 else "holds"
    return f"holds in {sum(found)} of {len(found)} settings"


Part = tuple[str, list[str]]
"""A line for the terminal, and paragraphs of the page."""


def _answered(path: Path, answer: Callable[[Question], Part]) -> Part:
    """The answer to one question; what is wrong with it where there is none, so that the others are answered."""
    try:
        return answer(read_question(path))
    except LinstudyError as error:
        return f"{path}: left out: {error}", [f"### {path.stem}", f"Left out: {error}"]


def _texts(parts: list[Part]) -> list[str]:
    return [text for _, texts in parts for text in texts]


def _figure(question: Question, ask: Ask, out: Path) -> Part:
    rows = question.rows(ask)
    if not rows:
        return _nothing(question)
    path = draw_rows(question, rows, out)
    heading = f"### {question.notes.get('title', question.name)}"
    return str(path), [heading, f"![{question.name}]({path.name})", caption(question, rows, ask)]


def _nothing(question: Question) -> Part:
    return f"{question.name}: no rows yet. Run: {question.command}", []


def _table(question: Question, ask: Ask) -> Part:
    rows, name = question.rows(ask), question.notes.get("table", question.name)
    if not rows:
        return _nothing(question)
    return name, [f"### {name}", *_listed(question, rows, ask), _query(question)]


def _claim(question: Question, ask: Ask) -> Part:
    rows = question.rows(ask, "holds")
    name, found = question.notes.get("claim", question.name), f"{verdict(rows)}{_left_out(rows)}"
    parts = [f"### {name}", f"**Verdict: {found}.**", *_listed(question, rows, ask)]
    return f"{found}: {name}", [*parts, _query(question)]


def _listed(question: Question, rows: Rows, ask: Ask) -> list[str]:
    """The rows as a table, what its columns mean, and where they come from; nothing without rows."""
    if not rows:
        return []
    return [markdown_table([_in_words(row) for row in rows]), *_meanings(question, rows), caption(question, rows, ask)]


def _in_words(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its setting's label first, in place of its id."""
    rest = {name: value for name, value in row.items() if name not in ("setting", "setting_id")}
    return {"setting": row["setting"]["label"], **rest}


def _left_out(rows: Rows) -> str:
    count = sum(row["diverged"] for row in rows)
    return f"; {count} diverged {'run' if count == 1 else 'runs'} left out" if count else ""


def _meanings(question: Question, rows: Rows) -> list[str]:
    lines = [f"`{name}`: {question.notes[name]}." for name in rows[0] if name in question.notes and name != "study"]
    return ["  \n".join(lines)] if lines else []


def caption(question: Question, rows: Rows, ask: Ask) -> str:
    """Where the numbers come from: study, data and their sizes, settings, seeds, when and by which version."""
    settings = {row["setting_id"]: row["setting"] for row in rows}.values()
    data = "; ".join(dict.fromkeys(_data(setting) for setting in settings))
    low, high = min(seeds := [row["seeds"] for row in rows]), max(seeds)
    count = f"{high}" if low == high else f"{low} to {high}"
    found = origin(rows, ask)
    days = " to ".join(dict.fromkeys(str(found[name]) for name in ("first", "last") if found[name] is not None))
    return (
        f"*Study {', '.join(question.studies)}. Data: {data}. Settings: {len(settings)}, each with {count} "
        f"seed{'' if count == '1' else 's'}{_left_out(rows)}. Computed {days} with linstudy {found['versions']}.*"
    )


def _data(setting: dict[str, Any]) -> str:
    sizes = [f"{setting[f'data_{split}'] or 'all'} {split}" for split in ("train", "test")]
    return f"{setting['data_kind']}, {' and '.join(sizes)} samples"


def _query(question: Question) -> str:
    return f"<details><summary>The query</summary>\n\n```sql\n{question.sql.strip()}\n```\n\n</details>"


def markdown_table(rows: Rows) -> str:
    """Rows as a table, without the columns that are empty in every row, and the study where there is one."""
    columns = [name for name in rows[0] if any(row[name] not in (None, "") for row in rows)]
    columns = [name for name in columns if name != "study" or len({row["study"] for row in rows}) > 1]
    lines = [columns, ["---"] * len(columns), *([_cell(row[name]) for name in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value).replace("|", "\\|")
