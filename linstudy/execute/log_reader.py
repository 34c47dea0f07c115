"""What an attempt printed: all of it, and what comes while it runs."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from linstudy.execute.logs import log_file
from linstudy.spec.errors import LinstudyError
from linstudy.store.query import open_published
from linstudy.store.quoting import literal
from linstudy.store.workspace import Workspace

SECONDS_BETWEEN_LOOKS = 0.2

_ATTEMPTS = "SELECT attempt_id, status, log FROM attempt WHERE run_id = {run} ORDER BY attempt_id"


@dataclass(frozen=True)
class AttemptLog:
    """An attempt as it was published, and the file of what it prints, which is made when it prints something."""

    run_id: str
    attempt: int
    status: str
    path: Path


def find_log(run_id: str, workspace: Workspace, attempt: int | None = None) -> AttemptLog:
    """The log of one of a run's attempts, of the last one unless said.

    Raises:
        LinstudyError: If there is no such attempt, or its log is in another workspace.
    """
    with open_published(workspace.results) as ask:
        found = {number: rest for number, *rest in ask(_ATTEMPTS.format(run=literal(run_id))).rows}
    if not found:
        raise LinstudyError(f"run {run_id} has not been started yet, so there is no log of it")
    number = list(found)[-1] if attempt is None else attempt
    if number not in found:
        raise LinstudyError(f"run {run_id} has no attempt {number}. Its attempts: {', '.join(map(str, found))}")
    status, log = found[number]
    if log is None:
        raise LinstudyError(f"attempt {number} of run {run_id} has no log here: it was imported from another workspace")
    return AttemptLog(run_id, number, status, log_file(workspace, log))


def read_log(log: AttemptLog) -> Iterator[bytes]:
    """What is in a log, piece by piece."""
    return _pieces(log.path, 0)


def follow_log(log: AttemptLog, workspace: Workspace, pause: Callable[[float], object] = time.sleep) -> Iterator[bytes]:
    """As `read_log`, and what comes into it until its attempt is over.

    It is over when that is published, or when no process runs a study in the workspace.
    """
    position, is_over = 0, log.status != "running"
    published = None
    while True:
        for piece in _pieces(log.path, position):
            position += len(piece)
            yield piece
        if is_over:
            return
        pause(SECONDS_BETWEEN_LOOKS)
        is_over = workspace.holder() is None
        if not is_over and published != (published := _time_of(workspace.results)):
            is_over = find_log(log.run_id, workspace, log.attempt).status != "running"


def _pieces(path: Path, position: int) -> Iterator[bytes]:
    """What stands in a file after a position; nothing where there is no file yet."""
    try:
        with path.open("rb") as file:
            file.seek(position)
            while piece := file.read(2**16):
                yield piece
    except FileNotFoundError:
        return


def _time_of(path: Path) -> int:
    return path.stat().st_mtime_ns
