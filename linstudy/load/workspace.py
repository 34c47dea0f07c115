"""A workspace, opened for reading."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Self, final

from linstudy.data.places import Places
from linstudy.load.holdings import Holdings
from linstudy.load.run import RecordedRun, recorded_runs
from linstudy.spec.errors import LinstudyError
from linstudy.store.lookup import find_run, matching_runs
from linstudy.store.query import OpenResults
from linstudy.store.workspace import Workspace

if TYPE_CHECKING:
    from linstudy.store.query import Relation

Location = str | os.PathLike[str]


@final
class OpenWorkspace:
    """The results of a workspace as they were when it was opened, and the arrays behind them. Made by `linstudy.open`.

    A study that runs meanwhile publishes new results beside these; opening again shows them. Nothing is written.
    """

    def __init__(self, holdings: Holdings):
        self._holdings = holdings

    @classmethod
    def open(cls, path: Location, data: Location | None, study_folder: Location, accept_changes: bool) -> Self:
        """See `linstudy.open`."""
        workspace = Workspace(_absolute(path))
        if not workspace.results.is_file():
            raise LinstudyError(
                f"{workspace.root} is no workspace: there is no results.duckdb in it. Name the folder of one, "
                "which `linstudy run STUDY --workspace FOLDER` makes"
            )
        places = Places(_absolute(study_folder), None if data is None else _absolute(data), "in the study folder")
        places.extend_import_path()
        return cls(Holdings(workspace, OpenResults(workspace.results), places, accept_changes))

    @property
    def root(self) -> Path:
        """The folder of the workspace."""
        return self._holdings.workspace.root

    def sql(self, sql: str) -> "Relation":
        """What one reading statement gives, a relation of DuckDB: `.show()`, `.fetchall()`, `.fetchnumpy()`,
        `.filter(…)`, and with pandas, polars or pyarrow installed `.df()`, `.pl()` or `.arrow()`.

        It stays usable, on the results as they were when the workspace was opened. JSON comes as text. As with
        `linstudy query`, it can neither write nor read another file, and sees no variables of Python.

        Raises:
            LinstudyError: With DuckDB's message, if the SQL is wrong, writes, or reaches outside.
        """
        return self._holdings.results.relation(sql)

    def run(self, start: str) -> RecordedRun:
        """The run whose id begins so: `ws.run("8eca")`.

        Raises:
            LinstudyError: If there is none, or there are several.
        """
        [run] = recorded_runs(self._holdings, [find_run(self._holdings.results.ask, start)])
        return run

    def runs(self, condition: str | None = None) -> list[RecordedRun]:
        """The runs for which a condition in SQL over the columns of the view `runs` holds, in the order of their ids.

            ws.runs("model_kind = 'lenet' AND status = 'done'")

        Args:
            condition: All runs if None.

        Raises:
            LinstudyError: If the condition is wrong.
        """
        return recorded_runs(self._holdings, matching_runs(self._holdings.results.ask, condition))

    def __repr__(self) -> str:
        counts = self._holdings.results.ask("SELECT count(*), count(*) FILTER (status = 'done') FROM runs")
        [(count, done)] = counts.rows
        return f"{self.root}: {count} runs, {done} of them done"


def _absolute(path: Location) -> Path:
    """A path that stays what it is when the current folder changes."""
    return Path(path).expanduser().absolute()
