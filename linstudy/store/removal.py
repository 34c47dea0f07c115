"""What is taken out of a workspace: rows in one transaction, then what is published of them, then files."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import duckdb

from linstudy.facts import RESUME
from linstudy.store.artifacts import FOLDER, PASSING, ArtifactStore
from linstudy.store.database import compact
from linstudy.store.ledger import Ledger
from linstudy.store.query import Ask, open_published
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace

ALIVE = "SELECT run_id FROM study_run UNION SELECT run_id FROM attempt"
"""The runs that count as needing others: a study names them, or they were tried."""


class Point(NamedTuple):
    """A run of a study."""

    study: str
    variant: str
    run_id: str


class File(NamedTuple):
    """A file that is there, and how large it is."""

    path: Path
    bytes: int


@dataclass(frozen=True)
class Removal:
    """What is to go.

    Attributes:
        studies: The (name, variant) of those that go.
        points: What studies name no longer.
        runs: Those that go with all their rows.
        finished: Runs whose state to go on from is superfluous.
        files: By what they are.
    """

    studies: Collection[tuple[str, str]] = ()
    points: Collection[Point] = ()
    runs: Collection[str] = ()
    finished: Collection[str] = ()
    files: Mapping[str, Collection[File]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether nothing goes."""
        return not (self.studies or self.points or self.runs or self.finished or any(self.files.values()))


class Found(Protocol):
    """What was found to go, and what is to be said of it."""

    @property
    def removal(self) -> Removal: ...


AnyFound = TypeVar("AnyFound", bound=Found)


def remove(workspace: Workspace, find: Callable[[Ask], AnyFound]) -> AnyFound:
    """Find what is to go, among what the ledger holds now, and take it out.

    A process that is killed meanwhile leaves a workspace whose rows all have their files: at worst files stay that no
    row names, which the next `linstudy clean` finds.

    Raises:
        LinstudyError: If there is no workspace, another process writes to it, or nothing can be written.
    """
    if not workspace.ledger.exists():
        with open_published(workspace.results):  # says what to do where there is nothing, in place of making it
            pass
    with workspace.lock():
        with Ledger.open(workspace) as ledger:
            ledger.recover()
            publish(ledger, workspace.results)
            with open_published(workspace.results) as ask:
                found = find(ask)
            remove_rows(ledger, found.removal)
            publish(ledger, workspace.results)
        for file in (file for files in found.removal.files.values() for file in files):
            _delete_file(file.path)
        compact(workspace)
    return found


def remove_rows(ledger: Ledger, removal: Removal) -> None:
    """Delete rows, all of them or none."""
    with ledger.write() as connection:
        for table in ("metric", "vector", "artifact", "attempt", "dependency", "study_run", "run"):
            _delete(connection, table, ("run_id",), [(run_id,) for run_id in removal.runs])
        _delete(connection, "study_run", Point._fields, removal.points)
        _delete(connection, "study", ("name", "variant"), removal.studies)
        connection.execute(_LOST_NOTES)
        connection.execute(_NAMELESS_CODE)
        _delete(connection, "artifact", ("name", "run_id"), [(RESUME, run_id) for run_id in removal.finished])


_NAMELESS_CODE = """
DELETE FROM code WHERE sha256 NOT IN (
    SELECT kept FROM (SELECT unnest(map_values(code::MAP(VARCHAR, VARCHAR))) AS kept FROM attempt)
    WHERE kept IS NOT NULL
)
"""


_LOST_NOTES = "DELETE FROM note WHERE subject NOT IN (SELECT run_id FROM run UNION SELECT name FROM study)"


def needed_by_others(candidates: Collection[str], dependencies: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Those of some runs that others need, near or far, each with one that needs it.

    Args:
        dependencies: The ids of runs, each with one that it needs.
    """
    inside = [(run_id, needs) for run_id, needs in dependencies if needs in candidates]
    kept: dict[str, str] = {}
    while new := {
        needs: run_id for run_id, needs in inside if needs not in kept and (run_id not in candidates or run_id in kept)
    }:
        kept |= new
    return kept


def read_dependencies(ask: Ask) -> list[tuple[str, str]]:
    """Each run that counts with each one that it needs."""
    return [
        (run_id, needs) for run_id, needs in ask(f"SELECT run_id, needs FROM dependency WHERE run_id IN ({ALIVE})").rows
    ]


def files_of(ask: Ask, runs: Collection[str], workspace: Workspace) -> dict[str, list[File]]:
    """The artifacts and logs of some runs that no other run has too, as far as they are there."""
    store = ArtifactStore(workspace.artifacts)
    artifacts = _own(ask("SELECT path, run_id FROM artifact").rows, runs)
    logs = _own(ask("SELECT log, run_id FROM attempt WHERE log IS NOT NULL").rows, runs)
    return {
        "artifacts": present(store.file(path) for path in artifacts if is_artifact(path)),
        "logs": present(workspace.logs / Path(log).name for log in logs),
    }


def is_artifact(path: str) -> bool:
    """Whether a path is one that `ArtifactStore` gives: nothing else is ever deleted, whatever a row says."""
    return _ARTIFACT.fullmatch(path) is not None


_ARTIFACT = re.compile(rf"{FOLDER}/(?:[0-9a-f]{{2}}/[0-9a-f]{{64}}|{PASSING}/[^/]+)\.safetensors")


def _own(rows: Iterable[tuple[str, str]], runs: Collection[str]) -> list[str]:
    """The names that belong to some runs alone."""
    names, others = set[str](), set[str]()
    for name, run_id in rows:
        (names if run_id in runs else others).add(name)
    return sorted(names - others)


def present(files: Iterable[Path]) -> list[File]:
    """Those of some files that are there."""
    return [File(file, file.stat().st_size) for file in files if file.is_file()]


def _delete_file(file: Path) -> None:
    file.unlink(missing_ok=True)
    with suppress(OSError):  # it has other files
        file.parent.rmdir()


def _delete(
    connection: duckdb.DuckDBPyConnection, table: str, columns: tuple[str, ...], rows: Collection[tuple[str, ...]]
) -> None:
    if rows:
        lists = ", ".join("unnest(?::VARCHAR[])" for _ in columns)
        connection.execute(
            f"DELETE FROM {table} WHERE ({', '.join(columns)}) IN (SELECT ({lists}))",
            [list(column) for column in zip(*rows, strict=True)],
        )
