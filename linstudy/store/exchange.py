"""Tables of a workspace as Parquet files, which other workspaces take in and any program reads."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from linstudy.spec.errors import LinstudyError
from linstudy.store.artifacts import FOLDER, ArtifactStore, is_passing
from linstudy.store.database import check_version, upgrade
from linstudy.store.files import replacement
from linstudy.store.query import open_tables
from linstudy.store.quoting import path_literal
from linstudy.store.specs import renew_specs
from linstudy.store.views import create_views

if TYPE_CHECKING:
    import duckdb

VERSION = "ledger_version"
TABLES = {
    "study": "name, variant",
    "run": "run_id",
    "study_run": "study, variant, position",
    "dependency": "run_id, role, needs",
    "attempt": "attempt_id",
    "artifact": "run_id, name, epoch",
    "metric_def": "name",
    "code": "sha256",
    "note": "subject, is_tag, text",
    "metric": "run_id, name, label, split, epoch, step",
    "vector": "run_id, name, label, split, epoch",
}
"""What is exported, and in which order of rows: equal tables are equal files."""

SINCE = {"code": 4, "note": 4}
"""The schema versions that brought tables which earlier exports lack."""


class ExportError(LinstudyError):
    """A folder that cannot be exported to, or holds no export."""


class Exported(NamedTuple):
    """How much was exported."""

    runs: int
    rows: int
    artifacts: int


_CHOSEN = """
CREATE TEMP TABLE chosen AS
WITH RECURSIVE needed(run_id) AS (
    SELECT unnest(?::VARCHAR[]) UNION SELECT needs FROM dependency JOIN needed USING (run_id)
)
FROM needed
"""
_OF_CHOSEN = "run_id IN (FROM chosen)"
_PARTS = {
    **dict.fromkeys(("run", "study_run", "dependency", "attempt", "artifact", "metric", "vector"), _OF_CHOSEN),
    "study": f"(name, variant) IN (SELECT (study, variant) FROM study_run WHERE {_OF_CHOSEN})",
    "note": f"subject IN (FROM chosen) OR subject IN (SELECT study FROM study_run WHERE {_OF_CHOSEN})",
    "code": f"sha256 IN (SELECT unnest(map_values(code::MAP(VARCHAR, VARCHAR))) FROM attempt WHERE {_OF_CHOSEN})",
}
"""Of each table, the rows that belong to chosen runs; tables that belong to none are exported whole."""


def export_tables(
    results: Path, folder: Path, artifacts: ArtifactStore | None = None, runs: Collection[str] | None = None
) -> Exported:
    """Write what is published as one Parquet file a table; an earlier export in the folder is replaced.

    Args:
        runs: The ids of those that are exported, with all that they need, and the studies that name any of them as far
            as they do. All if None.
        artifacts: Whose files are copied along; none if None. States that a training goes on from never are.

    Raises:
        LinstudyError: If there is nothing published, the folder holds other things, or cannot be written.
    """
    _check_target(folder)
    with open_tables(results) as connection:
        if runs is not None:
            connection.execute(_CHOSEN, [list(runs)])
        parts = {} if runs is None else _PARTS
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _file(folder, VERSION).unlink(missing_ok=True)  # until all others are there, the folder is no export
            for table in (*_tables(connection), VERSION):
                with replacement(_file(folder, table)) as place:
                    order = f"ORDER BY {TABLES[table]}" if table in TABLES else ""
                    rows = f"FROM {table} WHERE {parts.get(table, 'true')} {order}"
                    connection.execute(f"COPY ({rows}) TO {path_literal(place)} (FORMAT parquet, COMPRESSION zstd)")
            of = parts.get("artifact", "true")
            paths = [
                path for (path,) in connection.execute(f"SELECT DISTINCT path FROM artifact WHERE {of}").fetchall()
            ]
            target = ArtifactStore(folder / FOLDER)
            target.keep_only(paths if artifacts is not None else ())
            copied = _copy(paths, artifacts, target) if artifacts is not None else 0
        except OSError as error:
            raise ExportError(f"{folder} cannot be written ({error.strerror}). Choose another folder") from error
        counts = [
            connection.execute(f"SELECT count(*) FROM {table} WHERE {parts.get(table, 'true')}").fetchall()[0][0]
            for table in ("run", "metric", "vector")
        ]
    return Exported(counts[0], counts[1] + counts[2], copied)


@contextmanager
def attached_export(connection: "duckdb.DuckDBPyConnection", folder: Path) -> Iterator[None]:
    """The tables of an export, brought up to date, as the database `incoming` of a connection to a ledger.

    Raises:
        LinstudyError: If the folder holds no export, a damaged one, or one of a newer linstudy.
    """
    import duckdb

    if not _file(folder, VERSION).is_file():
        raise ExportError(f"{folder} holds no export. Make one there: linstudy export {folder} --workspace WORKSPACE")
    connection.execute("ATTACH ':memory:' AS incoming")
    try:
        connection.execute("USE incoming")
        _read(connection, folder, VERSION)
        check_version(connection, folder)
        for table in _tables(connection):
            _read(connection, folder, table)
        upgrade(connection)
        _check_rows(connection, folder)
        renew_specs(connection)
        create_views(connection)  # what cannot be shown is not taken in
        yield
    except duckdb.Error as error:  # also where its rows are none of a ledger, whose transaction is rolled back
        reason = str(error).splitlines()[0]
        raise ExportError(f"{folder}: {reason}. Export it anew, or copy it again") from error
    finally:
        connection.execute("USE memory")
        connection.execute("DETACH incoming")


_PARTS_OF_SPEC = ("data", "model", "task", "probe")
_IS_PART = """
    coalesce(json_type(spec, '$.{name}'), 'NULL') = 'NULL' OR json_type(spec, '$.{name}.kind') = 'VARCHAR'
"""
_OF_A_RUN = "run_id IN (SELECT run_id FROM run)"
_OBJECTS_OF_ATTEMPT = ("versions", "methods", "code")


def _all(condition: str, names: Sequence[str]) -> str:
    return " AND ".join(f"({condition.format(name=name)})" for name in names)


_SOUND = {
    "run": f"""
        json_type(spec) = 'OBJECT' AND spec ->> '$.kind' = kind AND
        coalesce(json_type(spec, '$.seed'), 'NULL') IN ('UBIGINT', 'BIGINT', 'NULL') AND
        {_all(_IS_PART, _PARTS_OF_SPEC)}
    """,
    "attempt": f"""
        {_all("coalesce(json_type({name}), 'NULL') IN ('OBJECT', 'NULL')", _OBJECTS_OF_ATTEMPT)}
        AND list_has_all(['VARCHAR', 'NULL'], coalesce(json_type(code, '$.*'), [])) AND {_OF_A_RUN}
    """,
    "code": "sha256 = sha256(content)",
    **dict.fromkeys(("study_run", "metric", "vector", "artifact"), _OF_A_RUN),
    "dependency": f"{_OF_A_RUN} AND needs IN (SELECT run_id FROM run) AND run_id <> needs",
}
"""What is true of the rows that a linstudy wrote, beyond what tables check."""


def _check_rows(connection: "duckdb.DuckDBPyConnection", folder: Path) -> None:
    for table, condition in _SOUND.items():
        odd = f"SELECT count(*) FROM {table} WHERE ({condition}) IS NOT TRUE"
        [(count,)] = connection.execute(odd).fetchall()
        if count:
            raise ExportError(
                f"{folder}: {count:,} rows of {table}.parquet are none that linstudy writes. "
                "Export it anew, or copy it again"
            )


def _read(connection: "duckdb.DuckDBPyConnection", folder: Path, table: str) -> None:
    connection.execute(f"CREATE TABLE {table} AS FROM read_parquet({path_literal(_file(folder, table))})")


def _tables(connection: "duckdb.DuckDBPyConnection") -> list[str]:
    """Those that the default database, or the export that it is to be, has by its schema version."""
    [(version,)] = connection.execute(f"SELECT schema_version FROM {VERSION}").fetchall()
    return [table for table in TABLES if SINCE.get(table, 0) <= version]


def _file(folder: Path, table: str) -> Path:
    return folder / f"{table}.parquet"


def _check_target(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ExportError(f"{folder} is no folder. Choose another place for the export")
    own = {FOLDER, *(f"{table}.parquet" for table in (*TABLES, VERSION))}
    others = sorted(path.name for path in folder.glob("[!.]*") if path.name not in own) if folder.exists() else []
    if others:
        raise ExportError(f"{folder} holds {others[0]}, which is no part of an export. Choose a new or an empty folder")


def _copy(paths: list[str], source: ArtifactStore, target: ArtifactStore) -> int:
    """Copy files that are there and not yet in the target; how many the target has of them."""
    found = [path for path in paths if not is_passing(path) and source.file(path).is_file()]
    for path in found:
        if not target.file(path).is_file():
            source.copy(path, target)
    return len(found)
