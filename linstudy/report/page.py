"""One page: the figures, and for each claim its verdict and the query that decides it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from linstudy.report.asking import Question, Rows, read_questions
from linstudy.report.figures import draw_rows


def write_report(results: Path, reports: Path, out: Path) -> Iterator[str]:
    """Write `report.md` and its figures into a folder; a line for each thing written or left out."""
    out.mkdir(parents=True, exist_ok=True)
    parts = [
        "# Report",
        "Written by `linstudy report` from the rows of `results.duckdb` alone. Each verdict is the query's below it.",
    ]
    for question in read_questions(reports / "figures"):
        rows = question.rows(results)
        if rows:
            path = draw_rows(question, rows, out)
            parts += [f"## {question.notes.get('title', question.name)}", f"![{question.name}]({path.name})"]
            yield str(path)
        else:
            yield f"{question.name}: no rows yet; linstudy run {question.notes.get('study', '')}"
    parts.append("## Claims")
    for question in read_questions(reports / "claims"):
        rows = question.rows(results)
        parts += _claim(question, rows)
        yield f"{verdict(rows)}: {question.notes.get('claim', question.name)}"
    page = out / "report.md"
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    yield str(page)


def verdict(rows: Rows) -> str:
    """What the rows' column `holds` says: in all settings, in none, in some, or nothing yet."""
    held = [bool(row["holds"]) for row in rows if row["holds"] is not None]
    if not held:
        return "no runs yet"
    if all(held):
        return f"holds in all {len(held)} settings" if len(held) > 1 else "holds"
    return f"holds in {sum(held)} of {len(held)} settings"


def _claim(question: Question, rows: Rows) -> list[str]:
    parts = [f"### {question.notes.get('claim', question.name)}", f"**Verdict: {verdict(rows)}.**"]
    if rows:
        parts.append(markdown_table(rows))
    return [*parts, f"<details><summary>The query</summary>\n\n```sql\n{question.sql.strip()}\n```\n\n</details>"]


def markdown_table(rows: Rows) -> str:
    """Rows as a table, without the columns that are empty in every row."""
    columns = [name for name in rows[0] if any(row[name] not in (None, "") for row in rows)]
    lines = [columns, ["---"] * len(columns), *([_cell(row[name]) for name in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value).replace("|", "\\|")
