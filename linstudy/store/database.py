"""Opening the ledger's file: a new one, an old one, or a published one that becomes it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from linstudy.spec.errors import LinstudyError
from linstudy.store import working_copy
from linstudy.store.files import install
from linstudy.store.fingerprint import TABLE, differences, drop_note
from linstudy.store.lock import WITHOUT_LOCKS
from linstudy.store.quoting import identifier, literal, path_literal
from linstudy.store.specs import renew_specs
from linstudy.store.workspace import Workspace

PROGRAM = "linstudy"
SCHEMA_VERSION = 4
STORAGE_VERSION = "v1.4.0"  # the oldest format that DuckDB 2 writes and 1.4 clients read

_UPGRADES = {
    1: "ALTER TABLE attempt ADD COLUMN methods JSON",
    # No ALTER adds a CHECK. Settings stay NULL: what identifies one is known to the plan of its study alone.
    2: """
        ALTER TABLE run ADD COLUMN setting_id VARCHAR;
        ALTER TABLE attempt ADD COLUMN log VARCHAR;
        ALTER TABLE attempt ADD COLUMN notices VARCHAR[];
        DROP TABLE IF EXISTS batch;
        ALTER TABLE metric RENAME TO old_metric;
        CREATE TABLE metric (
            run_id VARCHAR NOT NULL, name VARCHAR NOT NULL, label VARCHAR NOT NULL, split VARCHAR NOT NULL,
            epoch BIGINT, step BIGINT, value DOUBLE CHECK (isfinite(value))
        );
        INSERT INTO metric SELECT * REPLACE (CASE WHEN isfinite(value) THEN value END AS value) FROM old_metric;
        DROP TABLE old_metric;
        ALTER TABLE vector RENAME TO old_vector;
        CREATE TABLE vector (
            run_id VARCHAR NOT NULL, name VARCHAR NOT NULL, label VARCHAR NOT NULL, split VARCHAR NOT NULL,
            epoch BIGINT, value DOUBLE[] NOT NULL CHECK (isfinite(list_min(value)) AND isfinite(list_max(value)))
        );
        INSERT INTO vector
        SELECT * REPLACE (list_transform(value, lambda x: CASE WHEN isfinite(x) THEN x END) AS value) FROM old_vector;
        DROP TABLE old_vector;
    """,
    3: """
        ALTER TABLE study ADD COLUMN file VARCHAR;
        ALTER TABLE attempt ADD COLUMN code JSON;
        CREATE TABLE code (sha256 VARCHAR PRIMARY KEY, content VARCHAR NOT NULL);
        CREATE TABLE note (
            subject VARCHAR, is_tag BOOLEAN, text VARCHAR, written TIMESTAMP NOT NULL,
            PRIMARY KEY (subject, is_tag, text)
        );
    """,
}
"""What makes the next version of a schema version."""


class LedgerError(LinstudyError):
    """The ledger cannot be opened or written."""


def open_ledger(workspace: Workspace) -> tuple[duckdb.DuckDBPyConnection, Path | None]:
    """A connection whose default database, `ledger`, has the tables of schema.sql and no views.

    Returns:
        The connection; and the working copy that it is to, None for the workspace's own ledger.

    Raises:
        LedgerError: If there is no such connection to be had, or a working copy of an earlier run is not here.
    """
    if copy := working_copy.find(workspace):
        if not copy.is_here():
            loss = working_copy.describe_loss(workspace, copy)
            raise LedgerError(f"{loss}. `linstudy run STUDY` goes on without it; or give this command on {copy.host}")
        bring_back(workspace)
    connection = duckdb.connect(":memory:")
    try:
        try:
            file = None if workspace.working is None else _take_away(connection, workspace, workspace.working)
            if file is None and not workspace.ledger.exists():
                _establish(connection, workspace, workspace.ledger)
        except (OSError, duckdb.Error) as error:
            place = workspace.working or workspace.ledger
            raise LedgerError(f"{place}: the ledger cannot be made: {error}. Free some space, and try again") from error
        _open(connection, file or workspace.ledger)
    except LedgerError:
        connection.close()
        raise
    return connection, file


def _take_away(connection: duckdb.DuckDBPyConnection, workspace: Workspace, folder: Path) -> Path:
    """A copy of the ledger in a folder, which is the ledger from now on."""
    file = working_copy.new_file(folder)
    if workspace.ledger.exists():
        for source, target in ((log(workspace.ledger), log(file)), (workspace.ledger, file)):
            if source.exists():
                working_copy.copy_file(source, target)
    else:
        _establish(connection, workspace, file)
    working_copy.note(workspace, file)
    return file


def bring_back(workspace: Workspace) -> None:
    """Let the workspace's own ledger be the working copy, which is here and closed, and goes; hold `workspace.lock()`.

    Raises:
        LedgerError: If that cannot be. The copy stays, and the next to open the ledger here brings it back.
    """
    copy = working_copy.find(workspace)
    if copy is None:
        return
    try:
        if log(copy.file).exists():  # of a process that was killed: the file has it all once it was opened
            with duckdb.connect(":memory:") as connection:
                _open(connection, copy.file)
        log(workspace.ledger).unlink(missing_ok=True)  # of the file that is replaced
        working_copy.copy_file(copy.file, workspace.ledger)
        workspace.away.unlink()
    except OSError as error:
        raise LedgerError(
            f"the ledger cannot be brought back to {workspace.ledger} ({error.strerror}). It lies on {copy.host}, in "
            f"{copy.path}, where the next `linstudy run` finds it"
        ) from error
    with suppress(OSError):
        discard(copy.file)
        discard(publishing(copy.file))


def give_up_lost(workspace: Workspace) -> str | None:
    """Let the last state that is here be the ledger, where a working copy is not here; hold `workspace.lock()`.

    Returns:
        What is to be said of it; None where nothing is lost.
    """
    copy = working_copy.find(workspace)
    if copy is None or copy.is_here():
        return None
    loss = working_copy.describe_loss(workspace, copy)
    if working_copy.was_published(workspace, copy):
        discard(workspace.ledger)  # which is older; the published file becomes the ledger
    workspace.away.unlink()
    return f"{loss}, and is made again. That file counts for nothing from now on"


def temporary_ledger() -> duckdb.DuckDBPyConnection:
    """A connection as `open_ledger` gives, to an empty ledger in memory."""
    connection = duckdb.connect(":memory:", config={"python_enable_replacements": "false"})
    connection.execute("ATTACH ':memory:' AS ledger")
    _fill(connection)
    return connection


def adoption_note(workspace: Workspace) -> str | None:
    """What is to be said before `open_ledger` makes a ledger of the published file: that somebody has edited it."""
    if workspace.ledger.exists() or not workspace.results.is_file():
        return None
    with suppress(duckdb.Error), duckdb.connect(":memory:") as connection:  # open_ledger says what is wrong with it
        attach_to_read(connection, workspace.results)
        connection.execute("USE results")
        if changed := differences(connection):
            return (
                f"{workspace.results} was edited after linstudy published it: {', '.join(changed)}. "
                "There is no ledger, so its rows count as results from now on"
            )
    return None


def attach(connection: duckdb.DuckDBPyConnection, file: Path, name: str) -> None:
    """Attach a new file, in a format that older clients read."""
    connection.execute(f"ATTACH {path_literal(file)} AS {name} (STORAGE_VERSION '{STORAGE_VERSION}')")


def attach_to_read(connection: duckdb.DuckDBPyConnection, file: Path, name: str = "results") -> None:
    """Attach a published file, which is never changed.

    DuckDB insists on a lock. Where the file system has none, what is read is a copy on a local disk, which is gone as
    soon as nothing holds it open.
    """
    try:
        connection.execute(f"ATTACH {path_literal(file)} AS {name} (READ_ONLY)")
    except duckdb.IOException as error:
        if not _tells_of_no_locks(str(error)):
            raise
        with TemporaryDirectory(prefix="linstudy-") as folder:
            copy = shutil.copyfile(file, Path(folder, file.name))
            connection.execute(f"ATTACH {path_literal(copy)} AS {name} (READ_ONLY)")


def _tells_of_no_locks(message: str) -> bool:
    reasons = (f": {os.strerror(code)}." for code in WITHOUT_LOCKS)
    return "Could not set lock on file" in message and any(reason in message for reason in reasons)


def discard(file: Path) -> None:
    """Remove a database file and the log beside it, if they exist."""
    file.unlink(missing_ok=True)
    log(file).unlink(missing_ok=True)


def log(file: Path) -> Path:
    """Where DuckDB keeps the writes that are not in `file` yet."""
    return file.with_name(f"{file.name}.wal")


def compact(workspace: Workspace) -> None:
    """Write the ledger anew, without the room of deleted rows, which DuckDB keeps; hold `workspace.lock()`, no ledger.

    Where that fails, such as on a full disk, the ledger stays as it is.
    """
    temporary = _new(workspace.ledger)
    with suppress(OSError, duckdb.Error):
        discard(temporary)
        with duckdb.connect(":memory:") as connection:
            connection.execute(f"ATTACH {path_literal(workspace.ledger)} AS ledger")
            attach(connection, temporary, "compacted")
            connection.execute("COPY FROM DATABASE ledger TO compacted")
            connection.execute("DETACH compacted")
            connection.execute("DETACH ledger")
        if not log(workspace.ledger).exists():  # else the file does not hold all yet
            install(temporary, workspace.ledger)
    with suppress(OSError):
        discard(temporary)


def unfinished_files(workspace: Workspace) -> Iterator[Path]:
    """What a killed process may have left of a database file that it wrote."""
    for file in (_new(workspace.ledger), publishing(workspace.results.resolve())):
        yield from (file, log(file))


def publishing(path: Path) -> Path:
    """The file that is written before it takes the name of a published one."""
    return path.with_name(f"{path.name}.publishing")


def _new(ledger: Path) -> Path:
    return ledger.with_name(f"new-{ledger.name}")


def _establish(connection: duckdb.DuckDBPyConnection, workspace: Workspace, ledger: Path) -> None:
    """Make the ledger under another name first, so that a ledger is always complete."""
    ledger.parent.mkdir(parents=True, exist_ok=True)
    temporary = _new(ledger)
    discard(temporary)
    discard(ledger)
    if workspace.results.is_file():
        shutil.copyfile(workspace.results, temporary)
        _open(connection, temporary, named=workspace.results)
    else:
        attach(connection, temporary, "ledger")
        _fill(connection)
    connection.execute("USE memory")
    connection.execute("DETACH ledger")
    install(temporary, ledger)


def _fill(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of `ledger`, from now on the default database."""
    connection.execute("USE ledger")
    connection.execute(files("linstudy.store").joinpath("schema.sql").read_text(encoding="utf-8"))
    connection.execute("INSERT INTO ledger_version VALUES (?, ?)", [PROGRAM, SCHEMA_VERSION])


def _open(connection: duckdb.DuckDBPyConnection, file: Path, named: Path | None = None) -> None:
    """Let `ledger` be a file, without what its publishing added, and brought up to date."""
    try:
        connection.execute(f"ATTACH {path_literal(file)} AS ledger")
        connection.execute("USE ledger")
        check_version(connection, named or file)
        _drop_views(connection)
        drop_note(connection)
        upgrade(connection)
        renew_specs(connection)
    except duckdb.Error as error:
        raise LedgerError(_unreadable(named or file, error)) from error


def check_version(connection: duckdb.DuckDBPyConnection, file: Path) -> int:
    """See that the default database is one that this linstudy reads, and give its schema version.

    Raises:
        LedgerError: If it is not, naming `file` as where it came from.
    """
    own = "WHERE database_name = current_database()"
    tables = connection.execute(f"SELECT table_name FROM duckdb_tables() {own}").fetchall()
    written = ("ledger_version",) in tables and connection.execute("FROM ledger_version").fetchone()
    if not written or written[0] != PROGRAM or not isinstance(written[1], int) or written[1] < 1:
        raise LedgerError(
            f"{file} is a DuckDB database that linstudy did not write. "
            "Move it elsewhere, or choose another folder with --workspace"
        )
    if (version := written[1]) > SCHEMA_VERSION:
        raise LedgerError(
            f"{file} has schema version {version}; this linstudy reads and writes version {SCHEMA_VERSION}. "
            "Install the linstudy that wrote it, or choose another folder with --workspace"
        )
    return version


def upgrade(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring the default database's tables, of an earlier linstudy, up to date."""
    [(version,)] = connection.execute("SELECT schema_version FROM ledger_version").fetchall()
    if version == SCHEMA_VERSION:
        return
    connection.execute("BEGIN")
    for earlier in range(version, SCHEMA_VERSION):
        connection.execute(_UPGRADES[earlier])
    connection.execute("UPDATE ledger_version SET schema_version = ?", [SCHEMA_VERSION])
    connection.execute("COMMIT")


def _unreadable(file: Path, error: duckdb.Error) -> str:
    return (
        f"{file} cannot be opened: {error}. If another process has it open, stop that one; if it is damaged, "
        "move it away: without a ledger, results.duckdb becomes the ledger"
    )


def _drop_views(connection: duckdb.DuckDBPyConnection) -> None:
    """A published file has views and macros; the next publishing makes new ones."""
    own = "WHERE database_name = 'ledger' AND NOT internal"
    published = connection.execute(
        f"SELECT view_name FROM duckdb_views() {own} "
        f"UNION ALL SELECT table_name FROM duckdb_tables() {own} AND table_name = {literal(TABLE)}"
    ).fetchone()
    if published is None:  # to list functions, all of DuckDB's among them, takes a third of the opening
        return
    found = connection.execute(
        f"SELECT 'VIEW', view_name FROM duckdb_views() {own} "
        "UNION SELECT CASE function_type WHEN 'macro' THEN 'MACRO' ELSE 'MACRO TABLE' END, function_name "
        f"FROM duckdb_functions() {own}"
    ).fetchall()
    for kind, name in found:
        connection.execute(f"DROP {kind} {identifier(name)}")
