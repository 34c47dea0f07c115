"""Long vectors into the ledger, at the speed of their bytes."""

from collections.abc import Sequence
from contextlib import suppress

import duckdb
import numpy as np

from linstudy.store.entries import VectorRow

LONG = 1000
"""Entries from which a vector is handed over as an array: a list of Python's own numbers takes ten times as long."""


def insert_vectors(connection: duckdb.DuckDBPyConnection, rows: Sequence[VectorRow]) -> None:
    """Insert vectors; an entry that is not finite becomes NULL."""
    short = [row for row in rows if len(row.vector.values) < LONG]
    if short:
        connection.execute(
            "INSERT INTO vector SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), "
            "unnest(?::VARCHAR[]), unnest(?::BIGINT[]), unnest(?::DOUBLE[][])",
            [list(column) for column in zip(*((*_place(row), _entries(row)) for row in short), strict=True)],
        )
    if len(short) < len(rows):
        connection.execute("SET threads = 1")  # the order of a list is that of its rows where one thread makes it
        try:
            for row in rows:
                if len(row.vector.values) >= LONG:
                    _insert_long(connection, row)
        finally:
            with suppress(duckdb.Error):  # after an error the transaction has to end first
                connection.unregister("incoming")
                connection.execute("RESET threads")


def _insert_long(connection: duckdb.DuckDBPyConnection, row: VectorRow) -> None:
    connection.register("incoming", {"value": np.asarray(row.vector.values)})
    connection.execute(
        "INSERT INTO vector SELECT ?, ?, ?, ?, ?, list(CASE WHEN isfinite(value) THEN value END) FROM incoming",
        _place(row),
    ).fetchall()


def _place(row: VectorRow) -> list[object]:
    vector = row.vector
    return [row.run_id, vector.metric.name, vector.label, vector.split, vector.epoch]


def _entries(row: VectorRow) -> list[float | None]:
    values = np.asarray(row.vector.values)
    return [value if finite else None for value, finite in zip(values.tolist(), np.isfinite(values), strict=True)]
