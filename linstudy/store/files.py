"""Files that appear whole or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import BinaryIO

from linstudy.spec.errors import LinstudyError

_UNSUPPORTED = (errno.EINVAL, errno.EBADF, errno.ENOSYS, errno.EOPNOTSUPP)


def install(temporary: Path, final: Path) -> None:
    """Give a finished file its name, once its content is on the disk; whoever has the old one open keeps it.

    Raises:
        LinstudyError: If a folder has that name.
    """
    _sync(temporary)
    try:
        os.replace(temporary, final)
    except IsADirectoryError as error:
        raise LinstudyError(f"{final} is a folder, where a file belongs. Move the folder elsewhere") from error
    _sync_folder(final.parent)


@contextmanager
def replacement(final: Path) -> Iterator[Path]:
    """A file to write beside `final`, which it replaces at the end; after an exception `final` is as it was."""
    temporary = final.with_name(f".{final.name}.{os.getpid()}.writing")
    try:
        yield temporary
        install(temporary, final)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def output(out: Path, name: str) -> Iterator[BinaryIO]:
    """A stream whose content the file that `--out` names has at the end, if all goes well.

    Args:
        name: Of a file, for who has named a folder.

    Raises:
        LinstudyError: If it cannot be written.
    """
    if out.is_dir():
        raise LinstudyError(f"--out {out} is a folder. Name a file in it: {out / name}")
    if not out.parent.is_dir():
        raise LinstudyError(f"--out {out}: there is no folder {out.parent}. Make it first: mkdir -p {out.parent}")
    is_special = out.exists() and not out.is_file()  # a pipe or a device is written to, never replaced
    with nullcontext(out) if is_special else replacement(out.resolve()) as place:
        try:
            stream = place.open("wb")
        except OSError as error:
            raise LinstudyError(f"--out {out} cannot be written ({error.strerror})") from error
        with stream:
            yield stream


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Some network file systems cannot sync a folder; there the new name is as safe as they make it."""
    try:
        _sync(folder)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
