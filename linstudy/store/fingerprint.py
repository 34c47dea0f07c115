"""What a published file held when it was published, noted in the file itself."""

import hashlib
from typing import NamedTuple

import duckdb

from linstudy.store.quoting import identifier, literal

TABLE = "published"

_VERSION_DIGITS = 16


class Content(NamedTuple):
    """What one table holds; `checksum` does not depend on the order of its rows."""

    rows: int
    checksum: int


def note_content(connection: duckdb.DuckDBPyConnection) -> None:
    """Write the content of every table of the default database into one more, `published`."""
    connection.execute(f"CREATE TABLE {TABLE} AS {_contents(_tables(connection))}")


def differences(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """How the default database differs from its note, in words; nothing where there is none, or none of this DuckDB."""
    tables = _tables(connection)
    if TABLE not in tables:
        return []
    found = _read(connection, _contents([table for table in tables if table != TABLE]))
    noted = _read(connection, f"SELECT * FROM {TABLE} WHERE duckdb = version()")
    changed = [table for table in noted if noted[table] != found.get(table)]
    return [f"{table} {_change(noted[table], found.get(table))}" for table in changed]


def noted_version(connection: duckdb.DuckDBPyConnection) -> str:
    """A short hash of the note, which is one for equal contents; of the content itself where there is no note."""
    tables = _tables(connection)
    noted = TABLE if TABLE in tables else f"({_contents(tables)})"
    rows = connection.execute(f"SELECT name, rows, checksum FROM {noted} ORDER BY name").fetchall()
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:_VERSION_DIGITS]


def drop_note(connection: duckdb.DuckDBPyConnection) -> None:
    """Remove the note, which is true of a published file alone."""
    connection.execute(f"DROP TABLE IF EXISTS {TABLE}")


def _contents(tables: list[str]) -> str:
    return " UNION ALL ".join(
        f"SELECT {literal(table)} AS name, count(*) AS rows, coalesce(sum(hash(content)), 0) AS checksum, "
        f"version() AS duckdb FROM {identifier(table)} AS content"
        for table in tables
    )


def _read(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Content]:
    return {name: Content(rows, checksum) for name, rows, checksum, _ in connection.execute(sql).fetchall()}


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() ORDER BY 1"
    ).fetchall()
    return [table for (table,) in rows]


def _change(noted: Content, found: Content | None) -> str:
    if found is None:
        return "is gone"
    if found.rows != noted.rows:
        return f"has {found.rows:,} rows instead of {noted.rows:,}"
    return f"has other values in its {found.rows:,} rows"
