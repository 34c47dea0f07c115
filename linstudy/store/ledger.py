"""The live database of a workspace, written by one process."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Self

import duckdb

from linstudy.facts import RESUME, Ending, Report
from linstudy.history import Stored
from linstudy.metrics import METRICS
from linstudy.store.database import LedgerError, bring_back, open_ledger
from linstudy.store.entries import CHANGING, Entry, Rejected
from linstudy.store.rows import RunRow, StudyRow
from linstudy.store.stored import read_stored
from linstudy.store.vectors import insert_vectors
from linstudy.store.workspace import Workspace

ENVIRONMENT = ("host", "device", "fused_group", "versions", "git_commit", "dirty", "log", "code")

SECONDS_BETWEEN_FLUSHES = 1.0

_ENDED = "the program that ran it ended before it did"


class Ledger:
    """Everything that happened; made by `Ledger.open`.

    What is begun and recorded waits for `flush`, which writes it in one transaction: the facts of one report, and the
    reports before it, are stored together or not at all.

    Attributes:
        revision: Counts the writes since it was opened.
        working_copy: The file that it is, where that is not the workspace's own.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        working_copy: Path | None = None,
        bring_back: Callable[[], None] = lambda: None,
    ):
        self._connection, self._bring_back = connection, bring_back
        self.working_copy = working_copy
        self._types = _column_types(connection)
        self._open: dict[int, Entry] = {}
        self._rejected: list[Rejected] = []
        self._flushed = time.monotonic()
        self.revision = 0
        [(self._last,)] = connection.execute(_LAST).fetchall()
        defined = [astuple(metric) for metric in METRICS.values()]
        if not set(defined) <= set(connection.execute("FROM metric_def").fetchall()):  # else opening writes nothing
            with self._transaction():
                self._insert("metric_def", defined, "INSERT OR REPLACE")

    @classmethod
    def open(cls, workspace: Workspace) -> Self:
        """Open the ledger, which an existing `results.duckdb` becomes where there is none; hold `workspace.lock()`.

        Raises:
            LinstudyError: If the file is not a ledger, is newer than this program, or another process has it open.
        """
        connection, working_copy = open_ledger(workspace)
        return cls(connection, working_copy, partial(bring_back, workspace) if working_copy else lambda: None)

    def close(self) -> None:
        """Let go of the file; a working copy of it is brought back to its workspace.

        Raises:
            LedgerError: If it cannot be brought back.
        """
        self._connection.close()
        self._bring_back()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def session(self) -> duckdb.DuckDBPyConnection:
        """A second connection, which sees what is committed; the caller closes it."""
        session = self._connection.cursor()
        session.execute("USE ledger")
        return session

    @contextmanager
    def write(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The ledger's own connection, inside of one transaction; no attempt is under way.

        Raises:
            LedgerError: If nothing can be written, such as on a full disk.
        """
        with self._transaction():
            yield self._connection
        [(self._last,)] = self._connection.execute(_LAST).fetchall()

    def register(self, study: StudyRow, runs: Sequence[RunRow]) -> None:
        """Record a study, its points in order, and what they need; points that it no longer has leave it."""
        unique = list({run.run_id: run for run in runs}.values())
        point = [(study.name, study.variant, run.run_id, position) for position, run in enumerate(unique)]
        needs = {(run.run_id, role, needed): None for run in unique for role, needed in run.dependencies}
        specs = [(run.run_id, run.kind, _json(run.spec), run.source, run.setting_id) for run in unique]
        with self._transaction():
            self._insert("study", [study], "INSERT OR REPLACE")
            self._insert("run", specs, "INSERT OR REPLACE")
            self._insert("dependency", list(needs), "INSERT OR IGNORE")
            self._connection.execute(
                "DELETE FROM study_run WHERE study = ? AND variant = ?", [study.name, study.variant]
            )
            self._insert("study_run", point)
            for table in ("metric", "vector"):
                self._connection.execute(_RELABEL.format(table=table), [[run.run_id for run in unique]])

    def keep_code(self, texts: Mapping[str, str | None]) -> dict[str, str | None]:
        """Store texts, each once, and give their SHA-256 by name; None stays None."""
        known = {name: None if text is None else sha256(text.encode()).hexdigest() for name, text in texts.items()}
        rows = [(known[name], text) for name, text in texts.items() if text is not None]
        with self._transaction():
            self._insert("code", list(dict.fromkeys(rows)), "INSERT OR IGNORE")
        return known

    def studies(self, name: str) -> list[StudyRow]:
        """The variants of a study."""
        rows = self._connection.execute("SELECT * FROM study WHERE name = ? ORDER BY variant", [name]).fetchall()
        return [StudyRow(*row) for row in rows]

    def recover(self) -> list[str]:
        """Mark what a dead process left running as interrupted.

        Returns:
            The ids of those runs.
        """
        with self._transaction():
            rows = self._connection.execute(
                "UPDATE attempt SET status = 'interrupted', error = ? WHERE status = 'running' RETURNING run_id",
                [_ENDED],
            ).fetchall()
        return [run_id for (run_id,) in rows]

    def stored(self) -> dict[str, Stored]:
        """What is stored of every run that was ever tried."""
        return read_stored(lambda sql: self._connection.execute(sql).fetchall())

    def paths(self) -> set[str]:
        """The paths of all artifacts."""
        return {path for (path,) in self._connection.execute("SELECT DISTINCT path FROM artifact").fetchall()}

    def cut(self, run_id: str, kept: int | None) -> None:
        """Delete a run's numbers after an epoch; without one, all of them and its artifacts.

        No file is deleted.
        """
        self.flush()
        with self._transaction():
            for table in ("metric", "vector"):
                self._connection.execute(
                    f"DELETE FROM {table} WHERE run_id = ? AND (?::BIGINT IS NULL OR epoch > ?::BIGINT)",
                    [run_id, kept, kept],
                )
            if kept is None:
                self._connection.execute("DELETE FROM artifact WHERE run_id = ?", [run_id])

    def forget(self, paths: Sequence[str]) -> None:
        """Delete the record of files that are lost."""
        self.flush()
        with self._transaction():
            self._connection.execute("DELETE FROM artifact WHERE path IN (SELECT unnest(?::VARCHAR[]))", [list(paths)])

    def begin(self, run_id: str, environment: Mapping[str, object]) -> int:
        """Start an attempt.

        Args:
            environment: What it runs on, under the names of `ENVIRONMENT`; `versions` and `code` are mappings.

        Returns:
            The attempt's id.
        """
        if unknown := environment.keys() - set(ENVIRONMENT):
            raise ValueError(f"environment has {sorted(unknown)}; an attempt records {', '.join(ENVIRONMENT)}")
        self._last += 1
        facts = {**environment, **{name: _json(environment.get(name)) for name in ("versions", "code")}}
        start = (self._last, run_id, "running", _now(), *(facts.get(name) for name in ENVIRONMENT))
        self._open[self._last] = Entry(self._last, run_id, start)
        return self._last

    @property
    def next_attempt(self) -> int:
        """The id of the attempt that is begun next."""
        return self._last + 1

    def record(self, report: Report) -> None:
        """Note the facts of a report. Those of an attempt that is over change nothing."""
        if (entry := self._open.get(report.attempt)) is not None and entry.ending is None:
            entry.add(report.facts, _now())

    def flush_if_due(self) -> bool:
        """Write what has waited for a second; see `flush`."""
        return time.monotonic() - self._flushed >= SECONDS_BETWEEN_FLUSHES and self.flush()

    def flush(self) -> bool:
        """Write what is waiting, in one transaction.

        A number that is not finite is stored as NULL.

        Returns:
            Whether there was something.

        Raises:
            LedgerError: If nothing can be written, such as on a full disk; what is waiting waits on.
        """
        self._flushed = time.monotonic()
        waiting = [entry for entry in self._open.values() if entry.is_waiting]
        if not waiting:
            return False
        try:
            self._write(waiting)
            for entry in waiting:
                entry.clear()
        except duckdb.Error:
            try:
                self._write_apart(waiting)
            except duckdb.Error as error:
                raise LedgerError(_unwritable(error)) from error
        self._open = {attempt: entry for attempt, entry in self._open.items() if entry.ending is None}
        return True

    def take_rejected(self) -> list[Rejected]:
        """The attempts whose facts could not be stored, and were ended as failed for it; each is told once."""
        told, self._rejected = self._rejected, []
        return told

    def _write_apart(self, entries: Sequence[Entry]) -> None:
        """Write the entries one by one, so that what is wrong with one does not touch the others."""
        for entry in entries:
            try:
                self._write([entry])
            except duckdb.Error as error:
                ending = Ending("failed", f"what it reported cannot be stored: {error}")
                self._write([entry.end_only(ending, _now())])
                self._rejected.append(Rejected(entry.attempt, entry.run_id, ending.error or ""))
                entry.ending = ending
            entry.clear()

    def _write(self, entries: Sequence[Entry]) -> None:
        with self._transaction():
            self._insert("attempt", [entry.start for entry in entries if entry.start], columns=_STARTED)
            self._insert("metric", [row for entry in entries for row in entry.numbers])
            insert_vectors(self._connection, [vector for entry in entries for vector in entry.vectors])
            self._replace_artifacts(entries)
            self._update(entries)

    def _update(self, entries: Sequence[Entry]) -> None:
        rows = [entry.changes() for entry in entries if entry.has_changed]
        if rows:
            types = self._types["attempt"]
            lists = ", ".join(f"unnest(?::{types[name]}[]) AS {name}" for name in CHANGING)
            changes = ", ".join(f"{name} = coalesce(new.{name}, attempt.{name})" for name in CHANGING[1:])
            self._connection.execute(
                f"UPDATE attempt SET {changes} FROM (SELECT {lists}) AS new WHERE attempt.attempt_id = new.attempt_id",
                [list(column) for column in zip(*rows, strict=True)],
            )

    def _replace_artifacts(self, entries: Sequence[Entry]) -> None:
        """One row for each name and epoch of a run; a run that is over keeps nothing to go on from."""
        rows: dict[_ArtifactPlace, tuple[object, ...] | None] = {}
        for entry in entries:
            for own in entry.artifacts:
                rows[entry.run_id, own.name, own.replaces] = None
                place = (entry.run_id, own.name, own.epoch)
                rows[place] = (entry.run_id, own.name, own.path, own.sha256, own.bytes, own.epoch)
        if rows:
            self._connection.execute(
                "DELETE FROM artifact USING (SELECT unnest(?::VARCHAR[]) AS run_id, unnest(?::VARCHAR[]) AS name, "
                "unnest(?::BIGINT[]) AS epoch) AS new WHERE artifact.run_id = new.run_id AND artifact.name = new.name "
                "AND artifact.epoch IS NOT DISTINCT FROM new.epoch",
                [list(column) for column in zip(*rows, strict=True)],
            )
        self._insert("artifact", [row for row in rows.values() if row is not None])
        if over := [entry.run_id for entry in entries if entry.is_final]:
            self._connection.execute(
                "DELETE FROM artifact WHERE name = ? AND run_id IN (SELECT unnest(?::VARCHAR[]))", [RESUME, over]
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN")
        try:
            yield
            self._connection.execute("COMMIT")
        except _UNWRITABLE as error:
            self._roll_back()
            raise LedgerError(_unwritable(error)) from error
        except BaseException:
            self._roll_back()
            raise
        self.revision += 1

    def _roll_back(self) -> None:
        try:
            self._connection.execute("ROLLBACK")
        except duckdb.Error:
            return  # a commit that failed has ended its transaction already

    def _insert(
        self, table: str, rows: Sequence[tuple[object, ...]], verb: str = "INSERT", columns: Sequence[str] = ()
    ) -> None:
        # One list a column: executemany is a hundred times slower.
        if not rows:
            return
        types = self._types[table]
        names = columns or tuple(types)
        lists = [list(column) for column in zip(*rows, strict=True)]
        unnested = ", ".join(f"unnest(?::{types[name]}[])" for name in names)
        self._connection.execute(f"{verb} INTO {table} ({', '.join(names)}) SELECT {unnested}", lists)


_RELABEL = """
UPDATE {table} SET label = own.label
FROM (
    SELECT run_id, json_extract_string(spec, '$.probe.label') AS label FROM run WHERE run_id IN (SELECT unnest(?))
) AS own
WHERE {table}.run_id = own.run_id AND {table}.label <> own.label
"""
"""A probe's label is no part of its identity: its rows have the one that was registered last."""

_LAST = "SELECT coalesce(max(attempt_id), 0) FROM attempt"

_ArtifactPlace = tuple[str, str, int | None]

_STARTED = ("attempt_id", "run_id", "status", "started", *ENVIRONMENT)

_UNWRITABLE = (
    duckdb.IOException,
    duckdb.TransactionException,  # a commit on a full disk
    duckdb.FatalException,
    duckdb.InternalException,
    duckdb.OutOfMemoryException,
)


def _unwritable(error: Exception) -> str:
    return (
        f"the ledger cannot be written: {error}. Nothing that was published is lost. Free some space in the workspace, "
        "and give the same command again"
    )


def _column_types(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    rows = connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE database_name = 'ledger' "
        "ORDER BY table_name, column_index"
    ).fetchall()
    types: dict[str, dict[str, str]] = {}
    for table, column, type_ in rows:
        types.setdefault(table, {})[column] = type_
    return types


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, allow_nan=False)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
