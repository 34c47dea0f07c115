"""A file of SQL with a few words about itself, and its rows."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linstudy.spec.errors import LinstudyError
from linstudy.store.query import query

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Question:
    """A query of the folder `reports/`. Lines `-- name: text` at its top are its notes."""

    name: str
    sql: str
    notes: dict[str, str]

    def rows(self, results: Path) -> Rows:
        """The answer, a dictionary a row."""
        answer = query(results, self.sql)
        return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def read_question(path: Path) -> Question:
    """Read a file of SQL.

    Raises:
        LinstudyError: If there is none; with those that there are.
    """
    if not path.is_file():
        others = sorted(file.stem for file in path.parent.glob("*.sql"))
        raise LinstudyError(
            f"{path}: there is no such file. "
            + (f"Allowed: {', '.join(others)}" if others else "Name the folder with --reports")
        )
    sql = path.read_text(encoding="utf-8")
    return Question(path.stem, sql, _notes(sql))


def read_questions(folder: Path) -> list[Question]:
    """Every file of SQL in a folder, in order of name."""
    if not folder.is_dir():
        raise LinstudyError(
            f"{folder}: there is no such folder. Name the folder of figures/ and claims/ with --reports"
        )
    return [read_question(path) for path in sorted(folder.glob("*.sql"))]


def _notes(sql: str) -> dict[str, str]:
    notes = {}
    for line in sql.splitlines():
        if not line.startswith("-- "):
            break
        name, colon, text = line.removeprefix("-- ").partition(": ")
        if colon and name.isidentifier():
            notes[name] = text
    return notes
