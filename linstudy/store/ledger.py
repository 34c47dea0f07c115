"""The live database of a workspace, written by one process."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from datetime import UTC, datetime
from typing import Literal, Self, get_args

import duckdb

from linstudy.metrics import METRICS
from linstudy.store.artifacts import Artifact
from linstudy.store.database import open_ledger
from linstudy.store.finite import finite, finite_entries
from linstudy.store.rows import ArtifactRow, Batch, RunRow, StudyRow
from linstudy.store.workspace import Workspace

Outcome = Literal["done", "failed", "interrupted", "diverged"]
ENVIRONMENT = ("host", "device", "fused_group", "versions", "git_commit", "dirty")


class Ledger:
    """Everything that happened, written in transactions; made by `Ledger.open`.

    `revision` counts the writes since it was opened.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection):
        self._connection = connection
        self._types = _column_types(connection)
        self.revision = 0
        with self._transaction():
            connection.execute("DELETE FROM batch")
            self._insert("metric_def", [astuple(metric) for metric in METRICS.values()], "INSERT OR REPLACE")

    @classmethod
    def open(cls, workspace: Workspace) -> Self:
        """Open the ledger, which an existing `results.duckdb` becomes where there is none; hold `workspace.lock()`.

        Raises:
            LedgerError: If the file is not a ledger, is newer than this program, or another process has it open.
        """
        return cls(open_ledger(workspace))

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def session(self) -> duckdb.DuckDBPyConnection:
        """A second connection, which sees what is committed; the caller closes it."""
        session = self._connection.cursor()
        session.execute("USE ledger")
        return session

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

    def recover(self) -> list[str]:
        """Mark what a dead process left running as interrupted.

        Returns:
            The ids of those runs.
        """
        with self._transaction():
            rows = self._connection.execute(
                "UPDATE attempt SET status = 'interrupted', error = 'its process ended without a word' "
                "WHERE status = 'running' RETURNING run_id"
            ).fetchall()
        return [run_id for (run_id,) in rows]

    def begin(self, run_id: str, environment: Mapping[str, object]) -> int:
        """Start an attempt.

        Args:
            environment: What it runs on, under the names of `ENVIRONMENT`; `versions` is a mapping.

        Returns:
            The attempt's id.
        """
        if unknown := environment.keys() - set(ENVIRONMENT):
            raise ValueError(f"environment has {sorted(unknown)}; an attempt records {', '.join(ENVIRONMENT)}")
        facts = {**environment, "versions": _json(environment.get("versions"))}
        with self._transaction():
            [attempt] = self._connection.execute(
                "INSERT INTO attempt BY NAME SELECT coalesce(max(attempt_id), 0) + 1 AS attempt_id, ? AS run_id, "
                f"'running' AS status, ? AS started, {', '.join(f'? AS {name}' for name in ENVIRONMENT)} "
                "FROM attempt RETURNING attempt_id",
                [run_id, _now(), *(facts.get(name) for name in ENVIRONMENT)],
            ).fetchall()[0]
        return attempt

    def finish(
        self,
        attempt: int,
        status: Outcome,
        error: str | None = None,
        traceback: str | None = None,
        *,
        fingerprint: str | None = None,
        methods: Mapping[str, str] | None = None,
    ) -> None:
        """End an attempt.

        Args:
            fingerprint: That of the arrays it loaded.
            methods: How it computed what can be computed in several ways.
        """
        if status not in get_args(Outcome):
            raise ValueError(f'an attempt cannot end as "{status}". Allowed: {", ".join(get_args(Outcome))}')
        with self._transaction():
            ended = self._connection.execute(
                "UPDATE attempt SET status = ?, finished = ?, error = ?, traceback = ?, fingerprint = ?, methods = ? "
                "WHERE attempt_id = ? AND status = 'running' RETURNING attempt_id",
                [status, _now(), error, traceback, fingerprint, _json(methods or None), attempt],
            ).fetchall()
        if not ended:
            raise ValueError(f"attempt {attempt} is not running: it never began, or has ended already")

    def write(self, batch: Batch) -> bool:
        """Add a batch's rows in one transaction; an artifact replaces the run's of the same name and epoch.

        A number that is not finite is stored as NULL.

        Returns:
            False if the batch had been written before.
        """
        _check_names(batch)
        metrics = [row._replace(value=finite(row.value)) for row in batch.metrics]
        vectors = [(*row[:-1], finite_entries(row.values)) for row in batch.vectors]
        with self._transaction():
            if not self._claim(batch.batch_id):
                return False
            self._insert("metric", metrics)
            self._insert("vector", vectors)
            self._replace_artifacts(batch.artifacts)
        return True

    def truncate(self, run_id: str, epoch: int | None = None) -> None:
        """Delete a run's rows beyond a resume point: those of later epochs and, for numbers, of no epoch.

        Artifacts of no epoch stay, since recording them again replaces them. Without `epoch` all rows go. No file is
        deleted.
        """
        kept = -1 if epoch is None else epoch
        with self._transaction():
            for table in ("metric", "vector"):
                self._connection.execute(
                    f"DELETE FROM {table} WHERE run_id = ? AND (epoch IS NULL OR epoch > ?)", [run_id, kept]
                )
            self._connection.execute("DELETE FROM artifact WHERE run_id = ? AND coalesce(epoch, 0) > ?", [run_id, kept])

    def statuses(self) -> dict[str, str]:
        """The status of every run: its last attempt's, else planned."""
        rows = self._connection.execute(
            "SELECT run_id, coalesce(arg_max(status, attempt_id), 'planned') "
            "FROM run LEFT JOIN attempt USING (run_id) GROUP BY run_id"
        ).fetchall()
        return dict(rows)

    def artifacts(self, run_id: str) -> list[Artifact]:
        """A run's artifacts, by name and epoch."""
        rows = self._connection.execute(
            "SELECT name, path, sha256, bytes, epoch FROM artifact WHERE run_id = ? ORDER BY name, epoch NULLS FIRST",
            [run_id],
        ).fetchall()
        return [Artifact(*row) for row in rows]

    def stored_epochs(self) -> dict[str, list[int]]:
        """The epochs of every run's artifacts that have one."""
        rows = self._connection.execute(
            "SELECT run_id, list(DISTINCT epoch ORDER BY epoch) FROM artifact WHERE epoch IS NOT NULL GROUP BY run_id"
        ).fetchall()
        return dict(rows)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        self.revision += 1

    def _claim(self, batch_id: str) -> bool:
        claimed = self._connection.execute(
            "INSERT INTO batch VALUES (?) ON CONFLICT DO NOTHING RETURNING batch_id", [batch_id]
        ).fetchall()
        return bool(claimed)

    def _replace_artifacts(self, rows: Sequence[ArtifactRow]) -> None:
        for run_id, artifact in rows:
            self._connection.execute(
                "DELETE FROM artifact WHERE run_id = ? AND name = ? AND epoch IS NOT DISTINCT FROM ?",
                [run_id, artifact.name, artifact.epoch],
            )
        self._insert("artifact", [(run_id, *artifact) for run_id, artifact in rows])

    def _insert(self, table: str, rows: Sequence[tuple[object, ...]], verb: str = "INSERT") -> None:
        # One list a column: executemany is a hundred times slower.
        if not rows:
            return
        columns = [list(column) for column in zip(*rows, strict=True)]
        unnested = ", ".join(f"unnest(?::{type_}[])" for type_ in self._types[table])
        self._connection.execute(f"{verb} INTO {table} SELECT {unnested}", columns)


def _check_names(batch: Batch) -> None:
    for shape, rows in (("scalar", batch.metrics), ("vector", batch.vectors)):
        known = {metric.name for metric in METRICS.values() if metric.shape == shape}
        if unknown := {row.name for row in rows} - known:
            raise ValueError(
                f"{sorted(unknown)} is no {shape} metric. Declared are {', '.join(sorted(known))}; "
                "declare a new one in linstudy/metrics.py"
            )


def _column_types(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    rows: Iterable[tuple[str, list[str]]] = connection.execute(
        "SELECT table_name, list(data_type ORDER BY column_index) FROM duckdb_columns() "
        "WHERE database_name = 'ledger' GROUP BY table_name"
    ).fetchall()
    return dict(rows)


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, allow_nan=False)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
