"""A file of SQL about some studies, and its rows, each with its setting."""

import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from linstudy.spec.errors import LinstudyError
from linstudy.spec.overrides import variant_arguments
from linstudy.store.query import Ask, Result, open_studies
from linstudy.store.quoting import literal

Rows = list[dict[str, Any]]

REQUIRED = ("setting_id", "seeds", "left_out")
"""Columns of every answer: its setting, how many seeds it is of, and how many runs it leaves out."""


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
    def title(self) -> str:
        """What it is about: the claim, or the name of the figure or the table."""
        return next((self.notes[key] for key in ("claim", "table", "title") if key in self.notes), self.name)

    @property
    def studies(self) -> list[str]:
        """The studies it is about."""
        return [name.strip() for name in self.notes["study"].split(",")]

    @property
    def command(self) -> str:
        """What runs these: a study is found by its name."""
        return " && ".join(study_command(study) for study in self.studies)

    @property
    def _along(self) -> str:
        """The fields in its note `along`, which its rows tell by their axes and lines, as a list in SQL."""
        fields = [name.strip() for name in self.notes.get("along", "").split(",")]
        return _list(filter(None, fields))

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
        rows = dictionaries(answer)
        if any(row["setting_id"] is None for row in rows):
            raise LinstudyError(f"{self.name}: runs of an earlier linstudy have no setting yet. Run: {self.command}")
        among = f"FROM settings_among({_shown(rows)}, along := {self._along})"
        settings = {row["setting_id"]: row for row in dictionaries(ask(among))}
        return [{**row, "setting": settings[row["setting_id"]]} for row in rows]


def study_command(study: str, variant: str = "") -> str:
    """What runs a study, or a variant of it: a study is found by its name."""
    return shlex.join(["linstudy", "run", study, *variant_arguments(variant)])


@dataclass(frozen=True)
class Origin:
    """The runs behind some rows, all of them done, and when and by which versions they were.

    Attributes:
        days: The first and the last, or the only one.
        versions: Of linstudy, in words.
    """

    runs: tuple[str, ...]
    days: tuple[date, ...]
    versions: str


def origin(rows: Rows, ask: Ask) -> Origin:
    """What is behind rows: the runs that they list in a column `runs`, those of their settings where they do not."""
    listed = dict.fromkeys(run for row in rows for run in row.get("runs") or ())
    unlisted = [row for row in rows if not row.get("runs")]
    [found] = dictionaries(
        ask(
            "SELECT list(DISTINCT run_id ORDER BY run_id) AS runs, "
            "min(started)::DATE AS first, max(finished)::DATE AS last, "
            "string_agg(DISTINCT versions ->> 'linstudy', ', ' ORDER BY versions ->> 'linstudy') AS versions "
            "FROM attempt JOIN run USING (run_id) WHERE status = 'done' "
            f"AND (list_contains({_list(listed)}, run_id) OR list_contains({_shown(unlisted)}, setting_id))"
        )
    )
    days = dict.fromkeys(day for name in ("first", "last") if (day := found[name]) is not None)
    return Origin(tuple(found["runs"] or ()), tuple(days), found["versions"] or "")


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


def dictionaries(answer: Result) -> Rows:
    """An answer's rows by the names of its columns."""
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def _shown(rows: Rows) -> str:
    """The rows' settings, as a list in SQL."""
    return _list(dict.fromkeys(row["setting_id"] for row in rows))


def _list(texts: Iterable[str]) -> str:
    """Texts as a list in SQL."""
    return f"[{', '.join(map(literal, texts))}]::VARCHAR[]"


def _notes(sql: str) -> dict[str, str]:
    notes = {}
    for line in sql.splitlines():
        if not line.startswith("-- "):
            break
        name, colon, text = line.removeprefix("-- ").partition(": ")
        if colon and name.isidentifier():
            notes[name] = text
    return notes
