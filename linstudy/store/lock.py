"""A lock on a file, which ends with its process, and a note in it of who holds it."""

import errno
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from linstudy.machine import host_name
from linstudy.spec.errors import LinstudyError

PATIENCE = 0.3
"""Seconds in which a lock is tried: longer than somebody looks who only asks for its holder."""

WITHOUT_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)
"""What asking for a lock ends with on a file system that has none."""


class LockError(LinstudyError):
    """The lock cannot be had."""


class Held(Exception):
    """Another process has the lock; the text says what to do where that process may have ended without a word."""


@dataclass(frozen=True)
class Holder:
    """The process that has a lock; without a pid if its note cannot be read.

    Attributes:
        job: The number of its job of Slurm, and how often that was requeued; empty where there is none.
    """

    pid: int | None = None
    host: str | None = None
    job: tuple[str, int] | tuple[()] = ()

    def __str__(self) -> str:
        return "another process" if self.pid is None else f"process {self.pid} on {self.host}"

    @classmethod
    def here(cls) -> "Holder":
        """This process."""
        number, requeued = (os.environ.get(name, "") for name in ("SLURM_JOB_ID", "SLURM_RESTART_COUNT"))
        return cls(os.getpid(), host_name(), (number, int(requeued or 0)) if number else ())

    def has_ended(self) -> bool:
        """Whether it is known to be gone: it is none of this machine's processes, or its job was requeued."""
        here = self.here()
        if self.job and here.job and self.job[0] == here.job[0] and self.job[1] < here.job[1]:
            return True
        return self.host == here.host and self.pid is not None and not _is_process(self.pid)


@contextmanager
def exclusive(path: Path, *, without_locks: bool = False) -> Iterator[None]:
    """Hold the lock.

    Args:
        without_locks: Whether a file beside `path`, which only one process can make, is the lock where the file system
            has none. The file is deleted at the end; that of a process that is known to be gone is passed over.

    Raises:
        Held: If another process has it.
        LockError: If the file cannot be opened, or its file system has no locks.
    """
    with _open(path) as file:
        if without_locks and not _has_locks(file):
            with _sole_file(_beside(path)):
                yield
            return
        _acquire(file, path)
        _pass_over(_beside(path))  # of a machine that has no locks there
        file.truncate(0)
        json.dump(asdict(Holder.here()), file)
        file.flush()
        yield


def holder(path: Path) -> Holder | None:
    """Who has the lock; None if nobody has. Nothing is written."""
    import fcntl

    beside = _noted(_beside(path)) if _beside(path).exists() else None
    if beside is not None and not beside.has_ended():
        return beside
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except OSError as error:  # held, or not to be known: then it counts as held
        return None if error.errno in WITHOUT_LOCKS else _noted(path)
    return None


@contextmanager
def _sole_file(path: Path) -> Iterator[None]:
    """Make a file that is not there, and delete it at the end."""
    _pass_over(path)
    try:
        with path.open("x", encoding="utf-8") as file:
            json.dump(asdict(Holder.here()), file)
    except FileExistsError as error:
        raise _held_by(path) from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _pass_over(path: Path) -> None:
    """Take away the file of a process that is known to be gone.

    Raises:
        Held: If that is not known.
    """
    if not path.exists():
        return
    if not _noted(path).has_ended():
        raise _held_by(path)
    old = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        path.rename(old)
        if not _noted(old).has_ended():  # another process was faster, and this is its own
            with suppress(OSError):
                os.link(old, path)
            old.unlink()
            raise _held_by(path)
        old.unlink()


def _held_by(path: Path) -> Held:
    return Held(
        f"Its file system has no locks, so that the file {path} stands for one: if that process has ended without a "
        "word, as with its machine, delete the file"
    )


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.owner")


def _is_process(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True


def _open(path: Path) -> TextIO:
    try:
        return path.open("a+", encoding="utf-8")
    except PermissionError as error:
        raise LockError(
            f"{path} belongs to {_owner(path)} and cannot be opened. "
            f"Run as {_owner(path)}, or choose another folder with --workspace"
        ) from error
    except OSError as error:
        raise LockError(f"{path} is no file that can be locked ({error.strerror}). Move it elsewhere") from error


def _has_locks(file: TextIO) -> bool:
    """Whether the file system has locks; one that can be had is held from now on, shared with others."""
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in WITHOUT_LOCKS
    return True


def _acquire(file: TextIO, path: Path) -> None:
    import fcntl

    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise Held from error
            time.sleep(PATIENCE / 10)
        except OSError as error:
            raise LockError(
                f"{path} cannot be locked ({error.strerror}): its file system has no locks, and two studies at once "
                "would spoil the results. Choose a folder on another file system with --workspace, or one on a local "
                "disk for the ledger: linstudy run --ledger DIR"
            ) from error


def _noted(path: Path) -> Holder:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Holder(found["pid"], found["host"], tuple(found.get("job", ())))
    except (OSError, ValueError, TypeError, KeyError):
        return Holder()


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except (OSError, KeyError):
        return "another user"
