"""What an attempt printed: all of it, and what comes while it runs."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from linstudy.spec.errors import LinstudyError
from linstudy.store.query import open_published
from linstudy.store.quoting import literal
from linstudy.store.workspace import Workspace
from linstudy.workers.logs import log_file

SECONDS_BETWEEN_LOOKS = 0.2

_ATTEMPTS = "SELECT attempt_id, status, log FROM attempt WHERE run_id = {run} ORDER BY attempt_id"

Pause = Callable[[float], object]


@dataclass(frozen=True)
class AttemptLog:
    """An attempt, and the file of what it prints, which is made when it prints something."""

    run_id: str
    attempt: int
    path: Path


def find_log(run_id: str, workspace: Workspace, attempt: int | None = None) -> AttemptLog:
    """The log of one of a run's attempts, of the last one unless said.

    An attempt that has printed is found before it is published.

    Raises:
        LinstudyError: If there is no such attempt, or its log is in another workspace.
    """
    found = {number: log for number, (_, log) in _attempts(run_id, workspace).items()} | _printed(run_id, workspace)
    if not found:
        raise LinstudyError(f"run {run_id} has not been started yet, so there is no log of it")
    number = max(found) if attempt is None else attempt
    if number not in found:
        raise LinstudyError(f"run {run_id} has no attempt {number}. Its attempts: {', '.join(map(str, sorted(found)))}")
    if (log := found[number]) is None:
        raise LinstudyError(f"attempt {number} of run {run_id} has no log here: it was imported from another workspace")
    return AttemptLog(run_id, number, log_file(workspace, log))


def read_log(log: AttemptLog) -> Iterator[bytes]:
    """What is in a log, piece by piece."""
    return _pieces(log.path, 0)


def follow_log(log: AttemptLog, workspace: Workspace, pause: Pause = time.sleep) -> Iterator[bytes]:
    """As `read_log`, and what comes into it until its attempt is over.

    It is over when that is published, or when no process runs a study in the workspace.
    """
    position, is_over, published = 0, False, 0
    while True:
        now = workspace.results.stat().st_mtime_ns
        if now != published:
            published, is_over = now, _is_over(log, workspace)
        is_over = is_over or workspace.holder() is None
        for piece in _pieces(log.path, position):
            position += len(piece)
            yield piece
        if is_over:
            return
        pause(SECONDS_BETWEEN_LOOKS)


def _attempts(run_id: str, workspace: Workspace) -> dict[int, tuple[str, str | None]]:
    """Status and log of what is published of a run, by the number of the attempt."""
    with open_published(workspace.results) as ask:
        rows = ask(_ATTEMPTS.format(run=literal(run_id))).rows
    return {number: (status, log) for number, status, log in rows}


def _printed(run_id: str, workspace: Workspace) -> dict[int, str | None]:
    """The logs that bear the name of a run, by the number of the attempt."""
    names = [path.name for path in workspace.logs.glob(f"{run_id}-*.log")]
    numbers = {name: name.removeprefix(f"{run_id}-").removesuffix(".log") for name in names}
    return {int(number): name for name, number in numbers.items() if number.isdecimal()}


def _is_over(log: AttemptLog, workspace: Workspace) -> bool:
    status, _ = _attempts(log.run_id, workspace).get(log.attempt, ("running", None))
    return status != "running"


def _pieces(path: Path, position: int) -> Iterator[bytes]:
    """What stands in a file after a position; nothing where there is no file yet."""
    try:
        with path.open("rb") as file:
            file.seek(position)
            while piece := file.read(2**16):
                yield piece
    except FileNotFoundError:
        return
