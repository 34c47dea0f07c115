"""The folder that holds a study's results."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import NamedTemporaryFile
from typing import IO

from linstudy.spec.errors import LinstudyError
from linstudy.store.lock import Held, Holder, exclusive, holder

SLOW_SYNC = 0.05
"""Seconds from which on a ledger, which is synced once a second, is better kept on another disk."""

_ADVICE = "`linstudy run --ledger DIR`, with a folder on a local disk, does not wait for that"


class WorkspaceError(LinstudyError):
    """The workspace is in use, or cannot be used."""


@dataclass(frozen=True)
class Workspace:
    """Where everything lies: `results.duckdb` and `artifacts/` for people, `.linstudy/` for the program.

    Attributes:
        working: A folder on another disk, in which the ledger is while it is open; None to leave it where it is.
    """

    root: Path
    working: Path | None = None

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
    def away(self) -> Path:
        """A note that the ledger is elsewhere, and where; see `working_copy`."""
        return self.private / "away.json"

    @property
    def logs(self) -> Path:
        """One file an attempt, a worker, or an unexpected failure."""
        return self.private / "logs"

    @property
    def seals(self) -> Path:
        """Which stored files were seen to be right."""
        return self.private / "seals.json"

    @property
    def live(self) -> Path:
        """What a study that runs shows, for other terminals."""
        return self.private / "live.json"

    @property
    def mark(self) -> Path:
        """A text of its own, by which a worker on another machine knows the workspace for the same."""
        return self.private / "mark"

    @property
    def jobs(self) -> Path:
        """The scripts of a queue's jobs, and what they print."""
        return self.private / "jobs"

    @property
    def compile_cache(self) -> Path:
        """Compiled programs, kept between studies."""
        return self.private / "compile_cache"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Make the folders and be the only process that writes to them; the lock ends with its process.

        On a file system without locks, where the ledger is elsewhere, the lock is a file that only one process can
        make. It stays where that one ends without a word; see `lock.exclusive`.

        Raises:
            WorkspaceError: If another process holds it, with its pid and host, or something is in the way.
            LockError: If the file system has no locks and the ledger is in it, or the lock is another user's.
        """
        self._prepare()
        try:
            with exclusive(self._lock, without_locks=self.working is not None):
                yield
        except Held as error:
            file = f" {error}" if str(error) else ""
            raise WorkspaceError(
                f"the workspace {self.root} is in use by {self.holder() or Holder()}. One study at a time runs in a "
                "workspace: wait for it, stop it, or choose another folder with --workspace. "
                f"Its results can be read meanwhile.{file}"
            ) from error

    def check(self) -> str:
        """Try what a study needs of this folder, or of the nearest one above it that exists; what was found, in words.

        Raises:
            LinstudyError: If something cannot be written, synced or locked.
        """
        self._check_parts()
        place = next(folder for folder in (self.root, *self.root.absolute().parents) if folder.is_dir())
        seconds = _try_storage(place)
        new = "" if place == self.root else ", which `linstudy run` makes,"
        used = f"; {found} runs a study there" if (found := self.holder()) else ""
        slow = f". To sync a file takes {seconds * 1e3:.0f} ms there: {_ADVICE}" if seconds > SLOW_SYNC else ""
        return f"the workspace {self.root.absolute()}{new} can be written to, synced and locked{used}{slow}"

    def holder(self) -> Holder | None:
        """The process that runs a study here now; None if there is none. Nothing is written."""
        return holder(self._lock)

    @property
    def _lock(self) -> Path:
        return self.private / "lock"

    @property
    def _folders(self) -> tuple[Path, ...]:
        return self.root, self.private, self.artifacts

    def _prepare(self) -> None:
        self._check_parts()
        for folder in self._folders:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise WorkspaceError(
                    f"the folder {folder} cannot be made ({error.strerror}). Choose another with --workspace"
                ) from error

    def _check_parts(self) -> None:
        """That what is there already is what it should be."""
        for folder in filter(os.path.lexists, self._folders):
            if not folder.is_dir():
                raise WorkspaceError(f"{folder} is no folder, where one belongs. Move it elsewhere")
            if not os.access(folder, os.W_OK | os.X_OK):
                raise WorkspaceError(f"the folder {folder} cannot be written to. Choose another with --workspace")
        if self.results.is_dir():
            raise WorkspaceError(f"{self.results} is a folder, where a file belongs. Move the folder elsewhere")


def _try_storage(folder: Path) -> float:
    """Write, sync and lock a file that is removed at once; the seconds that to sync a few bytes takes."""
    try:
        with NamedTemporaryFile(dir=folder, prefix=".linstudy-") as file, exclusive(Path(file.name)):
            return median(_seconds_to_sync(file.file) for _ in range(3))
    except OSError as error:
        raise WorkspaceError(
            f"the folder {folder} cannot be written to ({error.strerror}). Choose another with --workspace"
        ) from error


def _seconds_to_sync(file: IO[bytes]) -> float:
    file.write(b"\0" * 4096)
    file.flush()
    began = time.monotonic()
    os.fsync(file.fileno())
    return time.monotonic() - began
