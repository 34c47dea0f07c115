"""What is stored of some runs, brought into another ledger."""

from collections.abc import Collection
from pathlib import Path

from linstudy.store.database import attach_to_read
from linstudy.store.ledger import Ledger

_COPIED = ("attempt", "artifact")


def copy_history(ledger: Ledger, results: Path, runs: Collection[str]) -> list[str]:
    """Copy the attempts and artifacts of some runs from a published file, so that they count as done here too.

    Returns:
        The paths of the artifacts; the files are the caller's affair.
    """
    with ledger.session() as session:
        attach_to_read(session, results)
        with ledger.write() as connection:
            for table in _COPIED:
                connection.execute(
                    f"INSERT INTO {table} BY NAME SELECT * FROM results.{table} "
                    "WHERE run_id IN (SELECT unnest(?::VARCHAR[]))",
                    [list(runs)],
                )
        session.execute("DETACH results")
        return [path for (path,) in session.execute("SELECT DISTINCT path FROM artifact").fetchall()]
