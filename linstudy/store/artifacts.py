"""Arrays on disk: safetensors named by their content, never pickled."""

import contextlib
import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import IO
from uuid import uuid4

import numpy as np
import safetensors
import safetensors.numpy

from linstudy.facts import Artifact
from linstudy.spec.errors import LinstudyError
from linstudy.store.files import install, replacement

FOLDER = "artifacts"
PASSING = "resume"
"""The subfolder of states that are deleted once they are superfluous; each file is one run's own."""

SCRATCH = "scratch"

_SUFFIX = ".incoming"
_BETWEEN_LOOKS = 0.5


class ArtifactError(LinstudyError):
    """Arrays that cannot be stored, or stored files that are missing or damaged: `paths`, relative to the workspace."""

    def __init__(self, message: str, paths: tuple[str, ...] = ()):
        super().__init__(message)
        self.paths = paths


class ArtifactStore:
    """The folder of stored arrays, `artifacts/` of a workspace.

    Args:
        scratch: Where files go that exceed memory; beside the arrays if None.
        before_writing: Called before a file is written; raises if that must not be.
        patience: Seconds in which a file that is missing or damaged may still appear whole.
    """

    def __init__(
        self,
        folder: Path,
        scratch: Path | None = None,
        *,
        before_writing: Callable[[], object] = lambda: None,
        patience: float = 0.0,
    ):
        self._folder = folder
        self._before_writing, self._patience = before_writing, patience
        self._scratch = folder if scratch is None else scratch

    def save(
        self,
        name: str,
        arrays: Mapping[str, np.ndarray],
        epoch: int | None = None,
        *,
        replaces: int | None = None,
        owner: str = "",
    ) -> Artifact:
        """Store arrays under the hash of their bytes; equal arrays share one file.

        Args:
            replaces: See `Artifact`.
            owner: The run that will delete the file again; it then shares it with no other.

        Raises:
            ArtifactError: If an entry is not a numeric or boolean array, or the file cannot be written.
        """
        content = _serialize(name, arrays)
        sha256 = hashlib.sha256(content).hexdigest()
        place = (PASSING, f"{owner}-{epoch}-{sha256[:16]}") if owner else (sha256[:2], sha256)
        relative = Path(FOLDER, *place).with_suffix(".safetensors")
        self._before_writing()
        _write(self.file(relative), content)
        return Artifact(name, relative.as_posix(), sha256, len(content), epoch, replaces)

    def delete(self, path: str) -> None:
        """Remove a stored file, if it is there."""
        with contextlib.suppress(OSError):
            self.file(path).unlink()

    def keep_only(self, paths: Collection[str]) -> None:
        """Remove the stored files that none of some paths names."""
        kept = {self.file(path) for path in paths}
        for file in self._folder.glob("??/*.safetensors"):
            if file not in kept:
                file.unlink(missing_ok=True)

    def sweep(self, named: Collection[str], unfinished: Collection[str]) -> None:
        """Remove what killed processes left: files that were never complete, and states that nobody goes on from.

        Args:
            named: The paths of all recorded artifacts.
            unfinished: The runs that may have left a file in the scratch folder to go on from.
        """
        for file in self.scratch_folder.glob("*"):
            if file.name.partition(".")[0] not in unfinished:
                file.unlink(missing_ok=True)
        for file in self._folder.glob(f"*/.*{_SUFFIX}"):
            file.unlink(missing_ok=True)
        for file in self._folder.glob(f"{PASSING}/*.safetensors"):
            if Path(FOLDER, PASSING, file.name).as_posix() not in named:
                file.unlink(missing_ok=True)

    def scratch(self) -> IO[bytes]:
        """A file without a name: not even a killed process leaves anything of it."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=self._scratch)

    @property
    def scratch_folder(self) -> Path:
        """For named files that an attempt leaves to the next one, this workspace's alone."""
        if self._scratch == self._folder:
            return self._folder / SCRATCH
        return self._scratch / f"linstudy-{hashlib.sha256(str(self._folder.absolute()).encode()).hexdigest()[:12]}"

    def load(self, path: str, sha256: str | None = None) -> dict[str, np.ndarray]:
        """The arrays of a stored file, checked against the hash that was recorded.

        Raises:
            ArtifactError: If the file is missing or damaged.
        """
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return self._load(path, sha256)
            except ArtifactError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_BETWEEN_LOOKS)

    def _load(self, path: str, sha256: str | None) -> dict[str, np.ndarray]:
        file = self.file(path)
        try:
            content = file.read_bytes()
        except OSError as error:
            raise ArtifactError(f"{file}: cannot be read ({error.strerror}). {_REMEDY}", (path,)) from error
        found = hashlib.sha256(content).hexdigest()
        if sha256 is not None and found != sha256:
            raise ArtifactError(f"{file}: damaged, SHA-256 {found[:16]}, recorded {sha256[:16]}. {_REMEDY}", (path,))
        try:
            return safetensors.numpy.load(content)
        except safetensors.SafetensorError as error:
            raise ArtifactError(f"{file}: no safetensors file ({error}). {_REMEDY}", (path,)) from error

    def has(self, path: str, sha256: str) -> bool:
        """Whether a stored file is there, with this hash."""
        try:
            with self.file(path).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except OSError:
            return False

    def copy(self, path: str, target: "ArtifactStore") -> None:
        """Copy a stored file into another store, where it appears whole."""
        target.file(path).parent.mkdir(parents=True, exist_ok=True)
        with replacement(target.file(path)) as place:
            shutil.copyfile(self.file(path), place)

    def link(self, path: str, target: "ArtifactStore") -> None:
        """Let another store have a stored file, if it is there, without a copy of it."""
        if self.file(path).is_file() and not target.file(path).exists():
            target.file(path).parent.mkdir(parents=True, exist_ok=True)
            target.file(path).symlink_to(self.file(path).resolve())

    def file(self, path: str | Path) -> Path:
        """Where an artifact lies, also where the folder is a link of another name."""
        return self._folder.joinpath(*Path(path).parts[1:])


def is_passing(path: str) -> bool:
    """Whether a file is one run's own, and is deleted once it is superfluous."""
    return Path(path).parts[1:2] == (PASSING,)


_STORABLE = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64"),
)
_REMEDY = "The run that made it is run again by the same command"


def _serialize(name: str, arrays: Mapping[str, np.ndarray]) -> bytes:
    # safetensors writes memory as it lies, so a transposed array needs a copy; ascontiguousarray turns () into (1,).
    ordered = {key: np.asarray(array, order="C") for key, array in arrays.items()}
    for key, array in ordered.items():
        if array.dtype.name not in _STORABLE:
            raise ArtifactError(
                f'artifact "{name}": "{key}" has dtype {array.dtype}, which cannot be stored. '
                f"Convert it to one of {', '.join(_STORABLE)}"
            )
    return safetensors.numpy.save(ordered)


def _write(file: Path, content: bytes) -> None:
    try:
        _write_whole(file, content)
    except OSError as error:
        raise ArtifactError(
            f"{file}: cannot be written ({error.strerror}); {len(content) / 2**20:,.1f} MiB are needed. "
            "Free some space, and give the same command again"
        ) from error


def _write_whole(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{uuid4().hex}{_SUFFIX}")
    try:
        temporary.write_bytes(content)
        install(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
