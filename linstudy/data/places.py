"""Where the files that a study names are looked for, and where downloads go.

One rule for data, labels and factories: an absolute path is itself (`~` is the home folder); a relative one lies beside
the study file, or else in the data folder.
"""

import json
import os
import stat
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir

from linstudy.data.errors import DataError


@dataclass(frozen=True)
class Places:
    """The folders of a study's relative paths.

    Attributes:
        study_folder: That of the study file; the current one where there is no study, or linstudy comes with it.
        data_folder: As named by `--data` or LINSTUDY_DATA.
        named: Where the first of them is, in words.
    """

    study_folder: Path = Path()
    data_folder: Path | None = None
    named: str = "beside the study file"

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders, absolute, in the order in which they are searched."""
        given = (self.study_folder, self.data_folder)
        return tuple(Path(os.path.abspath(_at_home(str(folder)))) for folder in given if folder is not None)

    def extend_import_path(self) -> None:
        """Let modules be found in the folders, last: a file in them takes no other module's place."""
        sys.path += [str(folder) for folder in self.folders if str(folder) not in sys.path]

    def resolve(self, path: str) -> Path:
        """The file or folder that a study calls `path`.

        Raises:
            DataError: If there is none.
        """
        given = _at_home(path)
        candidates = [given] if given.is_absolute() else [folder / given for folder in self.folders]
        for candidate in candidates:
            if os.path.exists(candidate):  # also says no to a path that the system cannot have
                return candidate
        if given.is_absolute():
            raise DataError(f"there is no {_quoted(given)}; correct the path")
        raise DataError(
            f"there is no {_quoted(path)} {self.described}; correct the path, or name its folder with --data"
        )

    @property
    def described(self) -> str:
        """The folders in words: `beside the study file ("/a") or in the data folder ("/b")`."""
        names = (self.named, "in the data folder")
        return " or ".join(f"{name} ({_quoted(folder)})" for name, folder in zip(names, self.folders, strict=False))


HERE = Places()
"""For paths that no study names."""


def _at_home(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # the home of a user who does not exist
        return Path(path)


def _quoted(path: str | Path) -> str:
    """A path on one line, whatever characters its names have."""
    return json.dumps(str(path), ensure_ascii=False)


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
