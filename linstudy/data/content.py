"""Hashes of files and folders, remembered as long as paths, sizes, times and inodes stay the same.

The time of the last change of an inode counts too: unlike that of the last writing, no program sets it back, so that
`rsync --times`, `tar -x` and `touch -r` hide nothing.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from linstudy.data.errors import DataError
from linstudy.data.listing import image_entries
from linstudy.data.places import cache_folder


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes; its name and place do not matter.

    Raises:
        DataError: If it cannot be read.
    """
    with _reading(path):
        status = path.stat()
        return _remembered(path, _signature([("", status)]), lambda: _digest(path))


def image_folder_hash(root: Path) -> str:
    """SHA-256 over the relative paths and the bytes of a folder's images; other files do not matter."""
    with _reading(root):
        images = list(image_entries(root))
        signature = _signature((relative, entry.stat()) for relative, entry in images)
        return _remembered(root, signature, lambda: _digest_all((relative, entry.path) for relative, entry in images))


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"{error.filename or path} cannot be read: {error.strerror}") from None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_small(path: str) -> str:
    # file_digest clears a buffer of 256 KiB a call, most of the time for an image of 1 KiB.
    with open(path, "rb", buffering=0) as file:
        return hashlib.sha256(file.read()).hexdigest()


def _digest_all(files: Iterable[tuple[str, str]]) -> str:
    total = hashlib.sha256()
    for relative, path in files:
        total.update(f"{relative}\0{_digest_small(path)}\n".encode(errors="surrogateescape"))
    return total.hexdigest()


def _signature(files: Iterable[tuple[str, os.stat_result]]) -> str:
    total = hashlib.sha256()
    for relative, status in files:
        known = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        total.update(f"{relative}\0{known}\n".encode(errors="surrogateescape"))
    return total.hexdigest()


def _remembered(path: Path, signature: str, compute: Callable[[], str]) -> str:
    """The hash noted for `path` beside the same signature, else a computed one, which is noted."""
    note = cache_folder() / "hashes" / hashlib.sha256(os.fsencode(path.resolve())).hexdigest()
    with contextlib.suppress(OSError):
        noted_signature, _, noted_hash = note.read_text().partition(" ")
        if noted_signature == signature:
            return noted_hash
    content_hash = compute()
    with contextlib.suppress(OSError):
        _write_whole(note, f"{signature} {content_hash}")
    return content_hash


def _write_whole(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)
