"""A file of SQL about some studies, and its rows, each with its setting."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from linstudy.spec.errors import LinstudyError
from linstudy.store.query import Ask, Result, open_studies
from linstudy.store.quoting import literal

Rows = list[dict[str, Any]]

REQUIRED = ("setting_id", "seeds", "diverged")
"""Columns of every answer: its setting, how many seeds it is of, and how many diverged."""


@dataclass(frozen=True)
class Question:
    """A query of the folder `reports/`. Lines `-- name: text` at its top are its notes.

    It sees the studies that its note `study` names, and nothing else.

    Attributes:
        path: Its file; what belongs to it, such as a drawing, may lie beside it.
    """

    path: Path
    sql: str
    notes: dict[str, str]

    @property
    def name(self) -> str:
        """That of its file."""
        return self.path.stem

    @property
    def studies(self) -> list[str]:
        """The studies it is about."""
        return [name.strip() for name in self.notes["study"].split(",")]

    @property
    def command(self) -> str:
        """What runs these: a study lies in a file of its name."""
        return " && ".join(f"linstudy run studies/{study}.yaml" for study in self.studies)

    @property
    def _along(self) -> str:
        """The fields in its note `along`, which its rows tell by their axes and lines, as a list in SQL."""
        fields = [name.strip() for name in self.notes.get("along", "").split(",")]
        return f"[{', '.join(map(literal, filter(None, fields)))}]::VARCHAR[]"

    def rows(self, ask: Ask, *columns: str) -> Rows:
        """The answer, a dictionary a row, with the row of `settings_among` under `setting`.

        Args:
            columns: What the rows must have beside `REQUIRED`.

        Raises:
            LinstudyError: If rows lack a column or a setting: settings that are not told apart would pass for seeds.
        """
        answer = ask(self.sql)
        if missing := [name for name in (*REQUIRED, *columns) if name not in answer.columns]:
            raise LinstudyError(
                f"{self.name}: its rows have no {', '.join(missing)}. Select these, and group by setting_id"
            )
        rows = _dictionaries(answer)
        if any(row["setting_id"] is None for row in rows):
            raise LinstudyError(f"{self.name}: runs of an earlier linstudy have no setting yet. Run: {self.command}")
        among = f"FROM settings_among({_shown(rows)}, along := {self._along})"
        settings = {row["setting_id"]: row for row in _dictionaries(ask(among))}
        return [{**row, "setting": settings[row["setting_id"]]} for row in rows]


def origin(rows: Rows, ask: Ask) -> dict[str, Any]:
    """The first and last day, and the versions, on which the runs of the rows' settings were done."""
    [found] = _dictionaries(
        ask(
            "SELECT min(started)::DATE AS first, max(finished)::DATE AS last, "
            "string_agg(DISTINCT versions ->> 'linstudy', ', ' ORDER BY versions ->> 'linstudy') AS versions "
            f"FROM attempt JOIN run USING (run_id) WHERE status = 'done' AND list_contains({_shown(rows)}, setting_id)"
        )
    )
    return found


@contextmanager
def open_results(results: Path) -> Iterator[Callable[[Question], Ask]]:
    """A function that gives for a question what it may ask: of its studies alone. Studies are opened once."""
    with ExitStack() as stack:

        @cache
        def studies(*names: str) -> Ask:
            return stack.enter_context(open_studies(results, names))

        yield lambda question: studies(*question.studies)


def read_question(path: Path) -> Question:
    """Read a file of SQL.

    Raises:
        LinstudyError: If there is none, with those that there are; if it names no study.
    """
    if not path.is_file():
        others = sorted(file.stem for file in path.parent.glob("*.sql"))
        raise LinstudyError(
            f"{path}: there is no such file. "
            + (f"Allowed: {', '.join(others)}" if others else "Name the folder with --reports")
        )
    sql = path.read_text(encoding="utf-8")
    notes = _notes(sql)
    if not notes.get("study", "").strip():
        raise LinstudyError(f'{path}: it names no study. Begin the file with "-- study: NAME", the study it is about')
    return Question(path, sql, notes)


def reports_folder() -> Path:
    """Where the figures' and claims' SQL is: `reports` in the current folder, else what the package comes with."""
    own, package = Path("reports"), Path(__file__).parent / "reports"
    checkout = Path(__file__).parents[2] / "reports"
    return next((folder for folder in (own, package, checkout) if (folder / "claims").is_dir()), own)


def question_files(folder: Path) -> list[Path]:
    """Every file of SQL in a folder, in order of name.

    Raises:
        LinstudyError: If there is no such folder.
    """
    if not folder.is_dir():
        raise LinstudyError(
            f"{folder}: there is no such folder. Name the folder of figures/ and claims/ with --reports"
        )
    return sorted(folder.glob("*.sql"))


def _dictionaries(answer: Result) -> Rows:
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def _shown(rows: Rows) -> str:
    """The rows' settings, as a list in SQL."""
    return f"[{', '.join(map(literal, dict.fromkeys(row['setting_id'] for row in rows)))}]::VARCHAR[]"


def _notes(sql: str) -> dict[str, str]:
    notes = {}
    for line in sql.splitlines():
        if not line.startswith("-- "):
            break
        name, colon, text = line.removeprefix("-- ").partition(": ")
        if colon and name.isidentifier():
            notes[name] = text
    return notes
