"""Where data are looked for, and where downloads go."""

import os
import stat
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir

from linstudy.data.errors import DataError


def cache_folder() -> Path:
    """The folder that the platform gives linstudy for what it can fetch or compute again."""
    from platformdirs import user_cache_path

    folder = Path()
    with suppress(RuntimeError):  # a user without a home, as in many containers; older platformdirs say ~/.cache then
        folder = user_cache_path("linstudy", appauthor=False)
    return folder if folder.is_absolute() else Path(gettempdir(), f"linstudy-{os.getuid()}")


def archive_places(kind: str, folder: Path | None) -> tuple[Path, ...]:
    """Folders that may hold the published files of `kind`, nearest first."""
    cached = cache_folder() / "data" / kind
    if folder is None:
        return (cached,)
    if not folder.is_dir():
        raise DataError(
            f'the data folder "{folder}" does not exist; create it, name another with --data or LINSTUDY_DATA, '
            f'or name none to use "{cache_folder() / "data"}"'
        )
    return (folder / kind, folder, cached)


def download_place(kind: str, folder: Path | None) -> Path:
    """The folder for downloads of `kind`: in the data folder if that can be written to, else in the cache."""
    if folder is not None and _is_writable(folder):
        return folder / kind
    return cache_folder() / "data" / kind


def _is_writable(folder: Path) -> bool:
    # os.access says yes to root everywhere, but a folder without a write bit is meant to be left alone.
    return os.access(folder, os.W_OK) and bool(stat.S_IMODE(folder.stat().st_mode) & 0o222)


def resolve(path: str, folder: Path | None) -> Path:
    """The file or folder that a study calls `path`: in the data folder, else in the current one."""
    given = Path(path).expanduser()
    bases = [Path.cwd()] if folder is None or given.is_absolute() else [folder, Path.cwd()]
    tried = [base / given for base in bases]
    for candidate in tried:
        if candidate.exists():
            return candidate
    looked = " or ".join(f'"{candidate}"' for candidate in tried)
    raise DataError(f'data path "{path}": there is no {looked}; correct the path, or name its folder with --data')
