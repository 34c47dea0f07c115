"""Published files: found in a data folder or downloaded, and never read without a check of their hash."""

import contextlib
import gzip
import hashlib
import sys
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from linstudy.data.errors import DataError
from linstudy.data.places import archive_places, cache_folder, download_place
from linstudy.data.published import PUBLISHED, PublishedFile

_GZIP_MAGIC = b"\x1f\x8b"


def read_published(kind: str, folder: Path | None) -> dict[str, bytes]:
    """The checked bytes of every published file of `kind`, by published name; single files come unpacked.

    Files that are nowhere to be found are downloaded, but only once those that were found are known to be right.

    Raises:
        DataError: If a file is damaged or belongs to another set, or one is missing and cannot be downloaded.
    """
    found = find_published(kind, folder)
    files = PUBLISHED[kind].files
    contents = {file.name: _read_checked(kind, file, found[file.name]) for file in files if file.name in found}
    missing = [file for file in files if file.name not in found]
    downloaded = _download_all(kind, missing, folder)
    return contents | {file.name: _read_checked(kind, file, downloaded[file.name]) for file in missing}


def _download_all(kind: str, missing: Sequence[PublishedFile], folder: Path | None) -> dict[str, Path]:
    place = download_place(kind, folder)
    existed = place.is_dir()
    try:
        return {file.name: _download(kind, file, place) for file in missing}
    except (OSError, ValueError) as error:
        if not existed:
            _remove_if_empty(place)
        raise DataError(_missing_message(kind, find_published(kind, folder), place, error)) from error


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def find_published(kind: str, folder: Path | None) -> dict[str, Path]:
    """Where the published files of `kind` lie, by published name; those not found are left out. No hash is checked."""
    places = archive_places(kind, folder)
    found = {file.name: _first_file(places, file.names) for file in PUBLISHED[kind].files}
    return {name: path for name, path in found.items() if path is not None}


def _first_file(places: Sequence[Path], names: Sequence[str]) -> Path | None:
    candidates = (place / name for place in places for name in names)
    return next((path for path in candidates if path.is_file()), None)


def _read_checked(kind: str, file: PublishedFile, path: Path) -> bytes:
    content = path.read_bytes()
    if file.content_md5 is not None and content.startswith(_GZIP_MAGIC):
        content = _unpack(path, content)
    expected = file.content_md5 or file.md5
    actual = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if actual != expected:
        raise DataError(_mismatch_message(kind, file, path, actual, expected))
    return content


def _unpack(path: Path, content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f'"{path}" is damaged ({error}); delete it, and the same command downloads it anew') from error


def _mismatch_message(kind: str, file: PublishedFile, path: Path, actual: str, expected: str) -> str:
    subject = f'"{path}"' if file.content_md5 is None else f'what "{path}" holds'
    owner = next(
        (other for other, its in PUBLISHED.items() if actual in [f.content_md5 or f.md5 for f in its.files]), ""
    )
    if owner:
        return (
            f"{subject} is not from {kind} but from {owner} (MD5 {actual}, not {expected}); "
            f'put each set into a folder of its own: "{path.parent / owner}" and "{path.parent / kind}"'
        )
    return (
        f"{subject} has the MD5 {actual}, but the published {file.name} of {kind} has {expected}; "
        f"delete the file, and the same command downloads it anew"
    )


def _missing_message(kind: str, found: Mapping[str, Path], place: Path, error: Exception) -> str:
    published = PUBLISHED[kind]
    missing = [file for file in published.files if file.name not in found]
    width = max(len(file.name) for file in missing)
    return "\n".join(
        [
            f"{kind}: {len(missing)} of its {len(published.files)} files are missing and could not be downloaded",
            *(f'found "{path}"' for path in found.values()),
            f'missing in "{place}":',
            *(f"  {file.name:<{width}}  MD5 {file.md5}  {published.addresses[0]}{file.name}" for file in missing),
            "Put them there, or name the folder that holds them with --data or LINSTUDY_DATA; "
            "with a network, the same command downloads them.",
            f"The download ended with {type(error).__name__}: {error}",
        ]
    )


def _download(kind: str, file: PublishedFile, place: Path) -> Path:
    """Fetch one file; concurrent callers wait for the first and take its file."""
    from filelock import FileLock

    locks = cache_folder() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with FileLock(locks / f"{kind}-{file.name}.lock"):
        return _first_that_answers([address + file.name for address in PUBLISHED[kind].addresses], file, place)


def _first_that_answers(addresses: Sequence[str], file: PublishedFile, place: Path) -> Path:
    *mirrors, last = addresses
    for address in mirrors:
        try:
            return _retrieve(address, file, place)
        except (OSError, ValueError):
            continue
    return _retrieve(last, file, place)


def _retrieve(address: str, file: PublishedFile, place: Path) -> Path:
    import pooch

    from linstudy.data.progress import DownloadBar

    pooch.get_logger().setLevel("WARNING")
    with DownloadBar(file.name, visible=sys.stderr.isatty()) as bar:
        # pooch declares neither its protocol for progress bars nor its own downloaders with their real types.
        downloader: Any = pooch.HTTPDownloader(progressbar=cast(Any, bar), chunk_size=2**16, timeout=30)
        return Path(
            pooch.retrieve(address, known_hash=f"md5:{file.md5}", fname=file.name, path=place, downloader=downloader)
        )
