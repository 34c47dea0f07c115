"""What happened to each run: in memory, in the ledger and on the disk, kept in step."""

import contextlib
from collections.abc import Collection, Mapping
from pathlib import Path

from linstudy.facts import Artifact, Report
from linstudy.history import Stored, resumption
from linstudy.plan import Plan, Run
from linstudy.store.artifacts import ArtifactStore, is_passing
from linstudy.store.entries import Rejected
from linstudy.store.integrity import Seals
from linstudy.store.ledger import Ledger
from linstudy.store.workspace import Workspace
from linstudy.workers.logs import Log


class Records:
    """The history of a plan's runs.

    Files that are missing or damaged are forgotten at once, so that the runs which made them count as unfinished.
    """

    def __init__(self, ledger: Ledger, workspace: Workspace, plan: Plan, scratch: Path | None = None):
        self._ledger, self._workspace = ledger, workspace
        self._store = ArtifactStore(workspace.artifacts, scratch)
        self._seals = Seals(workspace.seals, self._store)
        self._garbled = Log(workspace.logs / "garbled.log")
        self._stored = ledger.stored()
        unfinished = {one for one, its in self._stored.items() if its.status not in ("done", "diverged")}
        self._store.sweep(ledger.paths(), unfinished)
        self._superfluous: list[str] = []
        own = [self.of(run_id) for run_id in plan.runs]
        self.forget(self._seals.broken(artifact for one in own for artifact in one.artifacts.values()))

    def of(self, run_id: str) -> Stored:
        """What is stored of a run."""
        return self._stored.get(run_id, Stored())

    def begin(self, run: Run, environment: Mapping[str, object], *, again: bool) -> int:
        """Start an attempt, which goes on from what is stored, or from nothing.

        Returns:
            The attempt's number.
        """
        stored = self.of(run.run_id)
        kept = None if again else resumption(run, stored).kept
        if run.run_id in self._stored:
            self._ledger.cut(run.run_id, kept)
        self._stored[run.run_id] = stored.cut(kept)
        return self._ledger.begin(run.run_id, environment)

    @property
    def log_folder(self) -> str:
        """Where logs lie, relative to the workspace."""
        return self._workspace.logs.relative_to(self._workspace.root).as_posix()

    def log_name(self, run: Run) -> str:
        """The file of what the next attempt prints, in the folder of logs."""
        return f"{run.run_id}-{self._ledger.next_attempt}.log"

    def record(self, run: Run, report: Report) -> None:
        """Note what is reported of a run."""
        self._ledger.record(report)
        before = after = self.of(run.run_id)
        for fact in report.facts:
            after = after.after(fact)
            if isinstance(fact, Artifact):
                self._seals.take(fact)
        self._stored[run.run_id] = after
        left = {own.path for own in after.artifacts.values()}
        self._superfluous += [
            own.path for own in before.artifacts.values() if own.path not in left and is_passing(own.path)
        ]

    def flush_if_due(self) -> None:
        """Write what has waited for a second, and delete the files that it made superfluous."""
        if self._ledger.flush_if_due():
            self._delete_superfluous()

    def flush(self) -> None:
        """Write what is waiting, now."""
        self._ledger.flush()
        self._delete_superfluous()

    def take_rejected(self) -> list[Rejected]:
        """The attempts whose facts could not be stored."""
        return self._ledger.take_rejected()

    def forget(self, paths: Collection[str]) -> set[str]:
        """Take files for lost.

        Returns:
            The runs that made them.
        """
        if not paths:
            return set()
        self._ledger.forget(list(paths))
        self._superfluous += filter(is_passing, paths)
        owners = {
            run_id
            for run_id, stored in self._stored.items()
            if any(own.path in paths for own in stored.artifacts.values())
        }
        self._stored |= {run_id: self._stored[run_id].without(paths) for run_id in owners}
        return owners

    def note_garbled(self, text: str) -> None:
        """Keep a line of a worker's channel that is no message."""
        with contextlib.suppress(OSError):  # a full disk
            self._garbled.write(f"{text}\n".encode())

    def close(self) -> None:
        """Write what is waiting."""
        with contextlib.suppress(OSError):
            self._garbled.close()
        self.flush()
        self._seals.write({own.path for stored in self._stored.values() for own in stored.artifacts.values()})

    def _delete_superfluous(self) -> None:
        for path in self._superfluous:
            self._store.delete(path)
        self._superfluous = []
