"""What other workspaces have exported, taken into this one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import duckdb

from linstudy.spec.errors import LinstudyError
from linstudy.store.artifacts import FOLDER, ArtifactStore
from linstudy.store.exchange import attached_export
from linstudy.store.ledger import Ledger
from linstudy.store.rows import study_name
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace


class Merged(NamedTuple):
    """What came of one export.

    Attributes:
        taken: Runs that had got further there than here.
        known: The other runs that were tried there.
        conflicts: What both have and differs, a line each; what was here stays.
    """

    taken: int
    known: int
    conflicts: list[str]

    def __str__(self) -> str:
        return f"{self.taken} runs taken, {self.known} known already, {len(self.conflicts)} conflicts"


def merge_exports(workspace: Workspace, folders: Sequence[Path]) -> Iterator[tuple[Path, Merged]]:
    """Take exports into a workspace, one after another, and publish.

    Raises:
        LinstudyError: As `merge`; if another process writes to the workspace.
    """
    with workspace.lock(), Ledger.open(workspace) as ledger:
        ledger.recover()
        try:
            for folder in folders:
                yield folder, merge(ledger, folder, ArtifactStore(workspace.artifacts))
        finally:
            publish(ledger, workspace.results)


@contextmanager
def merged_results(folders: Sequence[Path]) -> Iterator[Path]:
    """A file such as a workspace publishes, with what some exports hold; it is gone afterwards.

    Raises:
        LinstudyError: As `merge`; if two exports differ in what both hold.
    """
    with TemporaryDirectory(prefix="linstudy-") as place:
        workspace = Workspace(Path(place))
        for _, merged in merge_exports(workspace, folders):
            if merged.conflicts:
                raise LinstudyError("\n".join(merged.conflicts))
        yield workspace.results


def merge(ledger: Ledger, folder: Path, store: ArtifactStore) -> Merged:
    """Take an export in, run by run; a second time changes nothing.

    A run that is done there and not here comes with its attempts, numbers and vectors, in place of what an unfinished
    attempt left here. One that is done in both is compared, and stays. Artifacts come along where their files do.

    Raises:
        LinstudyError: If the folder holds no export, or that of a newer linstudy; nothing is changed then.
    """
    with ledger.session() as session, attached_export(session, folder):
        session.execute("USE ledger")
        session.execute(_STATES)
        session.execute(_DIFFERING)
        conflicts = [*_differing_studies(session, folder), *_differing_runs(session, folder)]
        sound = _files(session, ArtifactStore(folder / FOLDER), store)
        with ledger.write() as connection:
            for statement in _MERGE:
                connection.execute(statement)
            connection.execute(_ARTIFACTS, [sound])
        [counts] = session.execute(
            "SELECT count(*) FILTER (theirs > here), count(*) FILTER (theirs <= here AND theirs > 0) "
            "FROM incoming.state"
        ).fetchall()
    taken, known = counts
    return Merged(taken, known, conflicts)


_STATE = """
SELECT
    run_id,
    CASE
        WHEN arg_max(status, attempt_id) IN ('done', 'diverged') THEN 2
        WHEN count(status) > 0 THEN 1
        ELSE 0
    END AS state
FROM {database}.run LEFT JOIN {database}.attempt USING (run_id)
GROUP BY run_id
"""
_STATES = f"""
CREATE TABLE incoming.state AS
SELECT run_id, theirs.state AS theirs, coalesce(own.state, 0) AS here
FROM ({_STATE.format(database="incoming")}) AS theirs
LEFT JOIN ({_STATE.format(database="ledger")}) AS own USING (run_id)
"""
"""How far each run of the export is, there and here: 2 finished, 1 tried, 0 neither."""

_DIFFERING = """
CREATE TABLE incoming.differing AS
SELECT
    run_id, any_value(run.kind) AS kind, count(*) AS numbers,
    min(place) AS place, arg_min(own_value, place) AS own_value, arg_min(their_value, place) AS their_value
FROM (
    SELECT
        run_id,
        concat_ws(' ', name, nullif(split, ''), 'of epoch ' || own.epoch) AS place,
        printf('%.9g', own.value) AS own_value,
        printf('%.9g', theirs.value) AS their_value
    FROM incoming.metric AS theirs JOIN ledger.metric AS own USING (run_id, name, split)
    WHERE own.epoch IS NOT DISTINCT FROM theirs.epoch AND own.step IS NOT DISTINCT FROM theirs.step
        AND own.value IS DISTINCT FROM theirs.value
    UNION ALL
    SELECT run_id, concat_ws(' ', name, nullif(split, ''), 'of epoch ' || own.epoch), 'one vector', 'another'
    FROM incoming.vector AS theirs JOIN ledger.vector AS own USING (run_id, name, split)
    WHERE own.epoch IS NOT DISTINCT FROM theirs.epoch AND own.value IS DISTINCT FROM theirs.value
)
JOIN incoming.state USING (run_id)
JOIN incoming.run USING (run_id)
WHERE theirs = 2 AND here = 2
GROUP BY run_id
"""
"""Runs that are finished in both and have other numbers, with the first of these."""

_AGREEING = """
SELECT run_id FROM incoming.state
WHERE theirs > here OR theirs = 2 AND run_id NOT IN (SELECT run_id FROM incoming.differing)
"""
"""Those whose artifacts there are right here as well."""

_TAKEN = "SELECT run_id FROM incoming.state WHERE theirs > here"

_MERGE = (
    "INSERT OR IGNORE INTO run BY NAME FROM incoming.run",
    """
    UPDATE run SET setting_id = theirs.setting_id FROM incoming.run AS theirs
    WHERE run.run_id = theirs.run_id AND run.setting_id IS NULL AND theirs.setting_id IS NOT NULL
    """,
    *(f"INSERT OR IGNORE INTO {table} BY NAME FROM incoming.{table}" for table in ("code", "note")),
    "INSERT OR IGNORE INTO dependency BY NAME FROM incoming.dependency",
    """
    INSERT OR IGNORE INTO study_run BY NAME
    SELECT theirs.* FROM incoming.study_run AS theirs
    JOIN incoming.study AS study ON study.name = theirs.study AND study.variant = theirs.variant
    WHERE NOT EXISTS (
        FROM study AS own
        WHERE own.name = study.name AND own.variant = study.variant AND own.document <> study.document
    )
    """,
    "INSERT OR IGNORE INTO study BY NAME SELECT * REPLACE (NULL AS file) FROM incoming.study",  # not here
    *(
        f"DELETE FROM {table} WHERE run_id IN ({_TAKEN})"  # of an attempt that came less far
        for table in ("metric", "vector", "artifact")
    ),
    *(
        f"INSERT INTO {table} BY NAME FROM incoming.{table} WHERE run_id IN ({_TAKEN})"
        for table in ("metric", "vector")
    ),
    f"""
    INSERT INTO attempt BY NAME
    SELECT theirs.* REPLACE (
        (SELECT coalesce(max(attempt_id), 0) FROM attempt) + row_number() OVER (ORDER BY theirs.attempt_id)
            AS attempt_id,
        CASE theirs.status WHEN 'running' THEN 'interrupted' ELSE theirs.status END AS status,
        CASE theirs.status WHEN 'running' THEN 'it was running when it was exported' ELSE theirs.error END AS error,
        NULL AS log
    )
    FROM incoming.attempt AS theirs
    WHERE run_id IN ({_TAKEN}) AND NOT EXISTS (
        FROM attempt AS own
        WHERE own.run_id = theirs.run_id AND own.started = theirs.started AND own.host IS NOT DISTINCT FROM theirs.host
    )
    """,
)
"""Within one transaction. A log stays where it was written."""

_ARTIFACTS = f"""
INSERT INTO artifact BY NAME
SELECT theirs.* FROM incoming.artifact AS theirs
WHERE run_id IN ({_AGREEING}) AND theirs.path IN (SELECT unnest(?::VARCHAR[])) AND NOT EXISTS (
    FROM artifact AS own
    WHERE own.run_id = theirs.run_id AND own.name = theirs.name AND own.epoch IS NOT DISTINCT FROM theirs.epoch
)
"""


def _differing_studies(session: duckdb.DuckDBPyConnection, folder: Path) -> Iterator[str]:
    rows = session.execute(
        "SELECT name, variant FROM incoming.study AS theirs JOIN ledger.study AS own USING (name, variant) "
        "WHERE own.document <> theirs.document ORDER BY ALL"
    ).fetchall()
    for name, variant in rows:
        study = study_name(name, variant)
        yield f"study {study}: its file here is not the one of {folder}. Its points stay those here; runs were taken"


def _differing_runs(session: duckdb.DuckDBPyConnection, folder: Path) -> Iterator[str]:
    rows = session.execute(
        "SELECT run_id, kind, numbers, place, own_value, their_value FROM incoming.differing ORDER BY run_id"
    ).fetchall()
    for run_id, kind, count, place, own, theirs in rows:
        rest = f", and {count - 1} more" if count > 1 else ""
        yield f"{kind} {run_id}: {place} is {own} here and {theirs} in {folder}{rest}. What is here stays"


def _files(session: duckdb.DuckDBPyConnection, source: ArtifactStore, store: ArtifactStore) -> list[str]:
    """The paths of artifacts that are in the store, those included that are copied there now."""
    rows = session.execute(
        f"SELECT DISTINCT path, sha256 FROM incoming.artifact WHERE run_id IN ({_AGREEING}) ORDER BY ALL"
    ).fetchall()
    # others are files that no finished run shares, or paths that lead elsewhere
    shared = [row for row in rows if Path(row[0]).parts == (FOLDER, row[1][:2], f"{row[1]}.safetensors")]
    for path, sha256 in shared:
        if not store.file(path).is_file() and source.has(path, sha256):
            source.copy(path, store)
    return [path for path, _ in shared if store.file(path).is_file()]
