"""Reading published results with SQL that can neither write nor reach another file."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, final

from linstudy.spec.errors import LinstudyError
from linstudy.store.quoting import identifier, literal, path_literal

if TYPE_CHECKING:
    import duckdb

    Relation = duckdb.DuckDBPyRelation


class QueryError(LinstudyError):
    """SQL that cannot be run, or nothing to run it on."""


class Result(NamedTuple):
    """What a query gave."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


Ask = Callable[[str], Result]
"""Runs one reading statement."""


def query(path: Path, sql: str) -> Result:
    """Run one reading statement on a published file; columns of JSON come as what they hold.

    Raises:
        QueryError: With DuckDB's message, if the SQL is wrong, writes, or reaches outside of the file.
        LedgerError: If a newer linstudy published the file, or another program wrote it.
    """
    with open_published(path) as ask:
        return ask(sql)


@contextmanager
def open_published(path: Path) -> Iterator[Ask]:
    """A function that runs reading statements, as `query`, all of them on the file as it is now.

    Raises:
        QueryError: As `query`.
    """
    with open_tables(path) as connection:
        yield reader(connection)


@contextmanager
def open_studies(path: Path, studies: Sequence[str]) -> Iterator[Ask]:
    """A function that runs reading statements, as `query`, which see what some studies hold, and nothing else.

    Args:
        studies: Their names.

    Raises:
        QueryError: As `query`.
    """
    with open_tables(path) as connection:
        _see_only(connection, studies)
        yield reader(connection)


@final
class OpenResults:
    """A published file as it was when it was opened, whatever takes its place; open for as long as this is in use.

    Attributes:
        ask: Runs reading statements, as `query`.

    Raises:
        QueryError: As `query`.
    """

    def __init__(self, path: Path):
        import duckdb

        try:
            self._connection = _attached(path)
            self.ask = reader(self._connection)
        except duckdb.Error as error:
            raise QueryError(str(error)) from error

    def relation(self, sql: str) -> "Relation":
        """What one reading statement gives, computed when it is asked for; it keeps the file open.

        Raises:
            QueryError: As `query`.
        """
        import duckdb

        try:
            relation = self._connection.sql(_statement(self._connection, sql))
            _reject_time_zones(relation.description)
        except duckdb.Error as error:
            raise QueryError(str(error)) from error
        return relation


def schema_version(path: Path) -> int:
    """That of the linstudy which published a file.

    Raises:
        LinstudyError: As `query`.
    """
    import duckdb

    from linstudy.store.database import attach_to_read, check_version

    try:
        with duckdb.connect(":memory:") as connection:
            attach_to_read(connection, _existing(path))
            connection.execute("USE results")
            return check_version(connection, path)
    except duckdb.Error as error:
        raise QueryError(str(error)) from error


def data_version(path: Path) -> str:
    """A name for what a published file held when it was published: one for equal contents, whatever their order.

    Raises:
        QueryError: As `query`.
    """
    from linstudy.store.fingerprint import noted_version

    with open_tables(path) as connection:
        return noted_version(connection)


def export_parquet(path: Path, sql: str, stream: BinaryIO) -> None:
    """Write a query's result as a Parquet file, in DuckDB's own types.

    Raises:
        QueryError: As `query`.
    """
    with TemporaryDirectory(prefix="linstudy-") as folder:
        # COPY needs the file system, so the SQL gets a copy of the results, in a folder that it may spoil.
        copy, target = Path(folder, "results.duckdb"), Path(folder, "result.parquet")
        shutil.copyfile(_existing(path), copy)
        with open_tables(copy) as connection:
            connection.execute(f"SET allowed_directories = [{path_literal(Path(folder))}]")
            _restrict(connection)
            _statement(connection, sql)
            connection.execute(f"COPY (\n{_without_end(sql)}\n) TO {path_literal(target)} (FORMAT parquet)")
        with target.open("rb") as source:
            shutil.copyfileobj(source, stream)


def reader(connection: "duckdb.DuckDBPyConnection") -> Ask:
    """A function that runs reading statements, as `query`, on the default database; nothing else can be done after."""
    import duckdb

    # External access still allows the open file and its log, and SELECT can write: WITH x AS (COPY …) FROM x.
    _restrict(connection, "SET disabled_filesystems = 'LocalFileSystem'")

    def ask(sql: str) -> Result:
        try:
            connection.execute(_statement(connection, sql))
            columns = connection.description or []
            _reject_time_zones(columns)
            return Result(tuple(column[0] for column in columns), _decoded(columns, connection.fetchall()))
        except duckdb.Error as error:
            raise QueryError(str(error)) from error

    return ask


@contextmanager
def open_tables(path: Path) -> Iterator["duckdb.DuckDBPyConnection"]:
    """A connection of its own, whatever else this process has open under the same path; for SQL of this program.

    Raises:
        QueryError: With DuckDB's message.
    """
    import duckdb

    try:
        with _attached(path) as connection:
            yield connection
    except duckdb.Error as error:
        raise QueryError(str(error)) from error


def _attached(path: Path) -> "duckdb.DuckDBPyConnection":
    import duckdb

    from linstudy.store.database import SCHEMA_VERSION, attach_to_read, check_version

    connection = duckdb.connect(":memory:", config={"python_enable_replacements": "false"})
    attach_to_read(connection, _existing(path))
    connection.execute("USE results")
    if check_version(connection, path) < SCHEMA_VERSION:
        _bring_up_to_date(connection, path)
    return connection


def _bring_up_to_date(connection: "duckdb.DuckDBPyConnection", path: Path) -> None:
    """Let `results` be what the next `linstudy run` would make of a file, in memory: nothing is written."""
    from linstudy.store.database import attach_to_read, upgrade
    from linstudy.store.views import create_views

    connection.execute("USE memory")
    connection.execute("DETACH results")
    attach_to_read(connection, path, "earlier")
    connection.execute("ATTACH ':memory:' AS results")
    connection.execute("USE results")
    tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'earlier'").fetchall()
    for (table,) in tables:
        connection.execute(f"CREATE TABLE {identifier(table)} AS FROM earlier.{identifier(table)}")
    connection.execute("DETACH earlier")
    upgrade(connection)
    create_views(connection)


def _see_only(connection: "duckdb.DuckDBPyConnection", studies: Sequence[str]) -> None:
    """Make the default database one in memory: the rows of some studies, and all views of these."""
    from linstudy.store.views import create_views

    names = ", ".join(map(literal, studies))
    runs = f"run_id IN (SELECT run_id FROM results.study_run WHERE study IN ({names}))"
    connection.execute("USE memory")
    connection.execute(f"CREATE VIEW study AS FROM results.study WHERE name IN ({names})")
    connection.execute(f"CREATE VIEW study_run AS FROM results.study_run WHERE study IN ({names})")
    for table in ("metric_def", "code", "note"):
        connection.execute(f"CREATE VIEW {table} AS FROM results.{table}")
    connection.execute(f"CREATE TABLE run AS FROM results.run WHERE {runs}")  # whose rows have an order
    for table in ("dependency", "attempt", "artifact", "metric", "vector"):
        connection.execute(f"CREATE VIEW {table} AS FROM results.{table} WHERE {runs}")
    create_views(connection, fixed=True)


def _decoded(columns: list[tuple[Any, ...]], rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    coded = [position for position, column in enumerate(columns) if "JSON" in str(column[1])]
    if not coded:
        return rows
    types = {position: columns[position][1] for position in coded}
    return [
        tuple(_decode(value, types[position]) if position in types else value for position, value in enumerate(row))
        for row in rows
    ]


def _decode(value: Any, type_: Any) -> Any:
    """A value with the JSON in it read, also within lists, structures and maps."""
    if value is None:
        return None
    if str(type_) == "JSON":
        return json.loads(value)
    match type_.id:
        case "list" | "array":
            return [_decode(entry, type_.children[0][1]) for entry in value]
        case "struct":
            return {name: _decode(value[name], of) for name, of in type_.children}
        case "map":
            of = dict(type_.children)["value"]
            return {key: _decode(entry, of) for key, entry in value.items()}
    return value


def _existing(path: Path) -> Path:
    if not path.exists():
        raise QueryError(f"there is no {path}: run a study here first (linstudy run STUDY), or name its --workspace")
    return path


def _restrict(connection: "duckdb.DuckDBPyConnection", *further: str) -> None:
    for setting in ("SET enable_external_access = false", *further, "SET lock_configuration = true"):
        connection.execute(setting)


def _statement(connection: "duckdb.DuckDBPyConnection", sql: str) -> "duckdb.Statement":
    """The only statement of `sql`, which reads."""
    from duckdb import StatementType

    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise QueryError(f"one statement is expected, {len(statements)} arrived")
    [statement] = statements
    # MULTI is a PIVOT that finds its columns by itself.
    if statement.type not in (StatementType.SELECT, StatementType.MULTI, StatementType.EXPLAIN):
        raise QueryError(
            f"a query only reads; {statement.type.name} does not. "
            "Allowed: SELECT, FROM, WITH, VALUES, PIVOT, DESCRIBE, SUMMARIZE, SHOW, EXPLAIN"
        )
    return statement


def _reject_time_zones(columns: list[tuple[Any, ...]]) -> None:
    """DuckDB would need one more package to hand these over."""
    zoned = [name for name, type_, *_ in columns if "WITH TIME ZONE" in str(type_)]
    if zoned:
        raise QueryError(f'column "{zoned[0]}" is a TIMESTAMP WITH TIME ZONE. Write it as CAST(… AS TIMESTAMP)')


def _without_end(sql: str) -> str:
    """`sql` without the semicolons and comments at its end."""
    import duckdb

    text = sql.encode()
    for offset, kind in reversed(duckdb.tokenize(sql)):
        if kind != duckdb.token_type.comment and text[offset : offset + 1] != b";":
            break
        text = text[:offset]
    return text.decode()
