"""The folder that holds a study's results."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from linstudy.spec.errors import LinstudyError
from linstudy.store.lock import Held, Holder, exclusive, holder


class WorkspaceError(LinstudyError):
    """The workspace is in use, or cannot be used."""


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

        Raises:
            WorkspaceError: If another process holds it, with its pid and host, or something is in the way.
            LockError: If the file system has no locks, or the lock is another user's.
        """
        self._prepare()
        try:
            with exclusive(self._lock):
                yield
        except Held as error:
            raise WorkspaceError(
                f"the workspace {self.root} is in use by {self.holder() or Holder()}. One study at a time runs in a "
                "workspace: wait for it, stop it, or choose another folder with --workspace. "
                "Its results can be read meanwhile."
            ) from error

    def check(self) -> str:
        """Try what a study needs of this folder, or of the nearest one above it that exists; what was found, in words.

        Raises:
            LinstudyError: If something cannot be written, synced or locked.
        """
        self._check_parts()
        place = next(folder for folder in (self.root, *self.root.absolute().parents) if folder.is_dir())
        _try_storage(place)
        new = "" if place == self.root else ", which `linstudy run` makes,"
        used = f"; {found} runs a study there" if (found := self.holder()) else ""
        return f"the workspace {self.root.absolute()}{new} can be written to, synced and locked{used}"

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


def _try_storage(folder: Path) -> None:
    """Write, sync and lock a file that is removed at once."""
    try:
        with NamedTemporaryFile(dir=folder, prefix=".linstudy-") as file, exclusive(Path(file.name)):
            os.fsync(file.fileno())
    except OSError as error:
        raise WorkspaceError(
            f"the folder {folder} cannot be written to ({error.strerror}). Choose another with --workspace"
        ) from error
