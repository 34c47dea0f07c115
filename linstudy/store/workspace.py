"""The folder that holds a study's results."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from linstudy.spec.errors import LinstudyError


class WorkspaceError(LinstudyError):
    """The workspace is in use."""


@dataclass(frozen=True)
class Workspace:
    """Where everything lies: `results.duckdb` and `artifacts/` for people, `.linstudy/` for the program."""

    root: Path

    @property
    def results(self) -> Path:
        """What users read."""
        return self.root / "results.duckdb"

    @property
    def artifacts(self) -> Path:
        """Checkpoints, spectra and NADs."""
        return self.root / "artifacts"

    @property
    def private(self) -> Path:
        """The program's own folder."""
        return self.root / ".linstudy"

    @property
    def ledger(self) -> Path:
        """The live database of the one process that writes."""
        return self.private / "ledger.duckdb"

    @property
    def logs(self) -> Path:
        """One file a worker or unexpected failure."""
        return self.private / "logs"

    @property
    def seals(self) -> Path:
        """Which stored files were seen to be right."""
        return self.private / "seals.json"

    @property
    def compile_cache(self) -> Path:
        """Compiled programs, kept between studies."""
        return self.private / "compile_cache"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only process that writes to this workspace; the lock ends with its process.

        Raises:
            WorkspaceError: If another process holds it, with its pid and host.
        """
        from filelock import FileLock, Timeout

        self.private.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.private / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise WorkspaceError(self._in_use()) from error
        try:
            # A file of its own: whoever tries the lock empties the lock's.
            with suppress(OSError):  # a full disk
                self._holder.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
            yield
        finally:
            self._holder.unlink(missing_ok=True)
            lock.release()

    @property
    def _holder(self) -> Path:
        return self.private / "holder.json"

    def _in_use(self) -> str:
        who = "another process"
        with suppress(OSError, ValueError, KeyError, TypeError):
            holder = json.loads(self._holder.read_text())
            who = f"process {holder['pid']} on {holder['host']}"
        return (
            f"the workspace {self.root} is in use by {who}. One study at a time runs in a workspace: "
            "wait for it, stop it, or choose another folder with --workspace. Its results can be read meanwhile."
        )
