"""Which runs of a study a condition in SQL holds for, before anything of them is stored."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from linstudy.store.database import attach_to_read, temporary_ledger
from linstudy.store.ledger import Ledger
from linstudy.store.query import QueryError, reader
from linstudy.store.rows import RunRow, StudyRow
from linstudy.store.views import create_runs_view


def selected(results: Path, study: StudyRow, runs: Sequence[RunRow], condition: str) -> set[str]:
    """The ids of the runs for which a condition over the columns of the view `runs` holds.

    What is published of a run gives its attempts; without any it is `planned`, as it would be in the view.

    Args:
        results: The published file; it need not exist.
        condition: What may follow WHERE.

    Raises:
        QueryError: With DuckDB's message, if the condition is wrong or reaches outside of these runs.
    """
    try:
        with Ledger(temporary_ledger()) as ledger:
            ledger.register(study, runs)
            with ledger.session() as connection:
                if results.exists():
                    _copy_attempts(connection, results)
                create_runs_view(connection)
                found = reader(connection)(f"SELECT run_id FROM runs WHERE (\n{condition}\n)")
    except duckdb.Error as error:
        raise QueryError(str(error)) from error
    return {run_id for (run_id,) in found.rows}


def _copy_attempts(connection: duckdb.DuckDBPyConnection, results: Path) -> None:
    attach_to_read(connection, results)
    known = "WHERE run_id IN (SELECT run_id FROM run)"
    connection.execute(f"INSERT INTO attempt BY NAME SELECT * FROM results.attempt {known}")
    connection.execute("DETACH results")
