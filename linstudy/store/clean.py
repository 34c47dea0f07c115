"""What a workspace holds that nothing needs any more."""

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from linstudy.facts import RESUME
from linstudy.store.artifacts import FOLDER, SCRATCH, ArtifactStore
from linstudy.store.database import unfinished_files
from linstudy.store.query import Ask
from linstudy.store.quoting import literal
from linstudy.store.removal import Removal, files_of, is_artifact, needed_by_others, present, read_dependencies
from linstudy.store.workspace import Workspace

DAYS_OF_LOGS = 7
"""A log that is no attempt's, such as a worker's own, is kept for so long after its last line."""

UNNAMED = "files that no row names"
STATES = "states of finished runs"
LOGS = "logs"
PROGRAMS = "compiled programs"
OF_RUNS = "files of these runs"


@dataclass(frozen=True)
class Cleaning:
    """What goes.

    Attributes:
        states: How many of the runs that go have failed, were interrupted, or are only planned.
        orphans: Other runs that no study names: they stay.
    """

    removal: Removal
    states: Mapping[str, int]
    orphans: int


_ORPHANS = "SELECT run_id, status FROM runs WHERE run_id NOT IN (SELECT run_id FROM study_run) ORDER BY ALL"


def find_superfluous(ask: Ask, workspace: Workspace) -> Cleaning:
    """Runs without a result that no study names any more, and files that nothing needs.

    A run that was interrupted and can go on from a stored state stays, and so does one that another run needs.
    """
    orphans = dict(ask(_ORPHANS).rows)
    resumable = {run_id for (run_id,) in ask("SELECT DISTINCT run_id FROM artifact").rows}
    idle = {
        run_id
        for run_id, status in orphans.items()
        if status in ("failed", "planned") or (status == "interrupted" and run_id not in resumable)
    }
    gone = idle - needed_by_others(idle, read_dependencies(ask)).keys()
    finished = dict(ask(_FINISHED).rows)
    of_runs = [file for files in files_of(ask, gone, workspace).values() for file in files]
    files = {
        OF_RUNS: of_runs,
        STATES: present(_states(finished.values(), workspace)),
        UNNAMED: present(_unnamed(ask, workspace)),
        LOGS: present(_old_logs(ask, workspace)),
        PROGRAMS: present(workspace.compile_cache.rglob("*")),
    }
    states = {
        state: n for state in ("failed", "interrupted", "planned") if (n := sum(orphans[one] == state for one in gone))
    }
    return Cleaning(
        Removal(runs=sorted(gone), finished=sorted(finished), files=files), states, len(orphans) - len(gone)
    )


_FINISHED = f"""
SELECT run_id, path FROM artifact JOIN runs USING (run_id)
WHERE name = {literal(RESUME)} AND status IN ('done', 'diverged') ORDER BY ALL
"""


def _states(paths: Iterable[str], workspace: Workspace) -> Iterator[Path]:
    store = ArtifactStore(workspace.artifacts)
    return (store.file(path) for path in paths if is_artifact(path))


def _unnamed(ask: Ask, workspace: Workspace) -> Iterator[Path]:
    """Artifacts that no row names, what was left in the scratch folder by runs that are over, and halves of files."""
    named = {path for (path,) in ask("SELECT DISTINCT path FROM artifact").rows}
    for file in workspace.artifacts.glob("*/*.safetensors"):
        path = Path(FOLDER, file.parent.name, file.name).as_posix()
        if path not in named and is_artifact(path):
            yield file
    unfinished = {run_id for (run_id,) in ask("SELECT run_id FROM runs WHERE status NOT IN ('done', 'diverged')").rows}
    yield from (file for file in (workspace.artifacts / SCRATCH).glob("*") if file.stem not in unfinished)
    yield from workspace.artifacts.glob("*/.*.incoming")
    yield from workspace.artifacts.glob("*/.*.writing")
    yield from unfinished_files(workspace)


def _old_logs(ask: Ask, workspace: Workspace) -> Iterator[Path]:
    """Logs of attempts that no run has any more; other logs, once they are old."""
    named = {Path(log).name for (log,) in ask("SELECT log FROM attempt WHERE log IS NOT NULL").rows}
    oldest = time.time() - DAYS_OF_LOGS * 86_400
    for file in sorted(workspace.logs.glob("*.log")):
        if file.name not in named and (_OF_ATTEMPT.fullmatch(file.name) or file.stat().st_mtime < oldest):
            yield file


_OF_ATTEMPT = re.compile(r"[0-9a-f]{16}-\d+\.log")
