"""Arrays on disk: safetensors named by their content, never pickled."""

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, NamedTuple
from uuid import uuid4

import numpy as np
import safetensors
import safetensors.numpy

from linstudy.spec.errors import LinstudyError
from linstudy.store.files import install


class ArtifactError(LinstudyError):
    """Arrays that cannot be stored, or a stored file that is missing or damaged."""


class Artifact(NamedTuple):
    """A stored file; `path` is relative to the workspace."""

    name: str
    path: str
    sha256: str
    bytes: int
    epoch: int | None = None


class ArtifactStore:
    """The folder of stored arrays, `artifacts/` of a workspace."""

    def __init__(self, folder: Path):
        self._folder = folder

    def save(self, name: str, arrays: Mapping[str, np.ndarray], epoch: int | None = None) -> Artifact:
        """Store arrays under the hash of their bytes; equal arrays share one file.

        Raises:
            ArtifactError: If an entry is not a numeric or boolean array.
        """
        content = _serialize(name, arrays)
        sha256 = hashlib.sha256(content).hexdigest()
        relative = Path(self._folder.name, sha256[:2], f"{sha256}.safetensors")
        _write(self._folder.parent / relative, content)
        return Artifact(name, relative.as_posix(), sha256, len(content), epoch)

    def scratch(self) -> IO[bytes]:
        """A file without a name beside the stored ones: not even a killed process leaves anything of it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=self._folder)

    def load(self, path: str, sha256: str | None = None) -> dict[str, np.ndarray]:
        """The arrays of a stored file, checked against the hash that was recorded.

        Raises:
            ArtifactError: If the file is missing or damaged.
        """
        file = self._folder.parent / path
        try:
            content = file.read_bytes()
        except OSError as error:
            raise ArtifactError(f"the artifact {file} cannot be read ({error.strerror}). {_REMEDY}") from error
        found = hashlib.sha256(content).hexdigest()
        if sha256 is not None and found != sha256:
            raise ArtifactError(f"the artifact {file} is damaged: sha256 {found}, recorded was {sha256}. {_REMEDY}")
        try:
            return safetensors.numpy.load(content)
        except safetensors.SafetensorError as error:
            raise ArtifactError(f"the artifact {file} is no safetensors file ({error}). {_REMEDY}") from error


_STORABLE = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64"),
)
_REMEDY = "Put the file back from a copy of the workspace, or make it again: linstudy run STUDY --again"


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
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{uuid4().hex}.incoming")
    try:
        temporary.write_bytes(content)
        install(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
