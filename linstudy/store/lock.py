"""A lock on a file, which ends with its process, and a note in it of who holds it."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from linstudy.machine import host_name
from linstudy.spec.errors import LinstudyError

PATIENCE = 0.3
"""Seconds in which a lock is tried: longer than somebody looks who only asks for its holder."""


class LockError(LinstudyError):
    """The lock cannot be had."""


class Held(Exception):
    """Another process has the lock."""


@dataclass(frozen=True)
class Holder:
    """The process that has a lock; without a pid if its note cannot be read."""

    pid: int | None = None
    host: str | None = None

    def __str__(self) -> str:
        return "another process" if self.pid is None else f"process {self.pid} on {self.host}"


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock.

    Raises:
        Held: If another process has it.
        LockError: If the file cannot be opened, or its file system has no locks.
    """
    with _open(path) as file:
        _acquire(file, path)
        file.truncate(0)
        json.dump(asdict(Holder(os.getpid(), host_name())), file)
        file.flush()
        yield


def holder(path: Path) -> Holder | None:
    """Who has the lock; None if nobody has. Nothing is written."""
    import fcntl

    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except OSError:  # held, or not to be known: then it counts as held
        return _noted(path)
    return None


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
                "would spoil the results. Choose a folder on another file system with --workspace"
            ) from error


def _noted(path: Path) -> Holder:
    try:
        return Holder(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Holder()


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except (OSError, KeyError):
        return "another user"
