"""Whether stored files are what was recorded, without reading each of them every time."""

import contextlib
import json
from collections.abc import Collection, Iterable
from pathlib import Path

from linstudy.facts import Artifact
from linstudy.store.artifacts import ArtifactStore

Seal = tuple[int, int]
"""Size and time of change, in nanoseconds."""


class Seals:
    """The sizes and times of files whose bytes were once seen to be right.

    A file that has another size or time is read and compared with its hash; one that was damaged without either is
    noticed when it is loaded.
    """

    def __init__(self, path: Path, store: ArtifactStore):
        self._path, self._store = path, store
        self._known: dict[str, Seal] = {}
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            self._known = {name: (size, time) for name, (size, time) in json.loads(path.read_text()).items()}

    def broken(self, artifacts: Iterable[Artifact]) -> set[str]:
        """The paths of those that are missing or damaged."""
        return {artifact.path for artifact in artifacts if not self._is_sound(artifact)}

    def take(self, artifact: Artifact) -> None:
        """Take a file for right that was written just now."""
        if seal := self._seal(artifact):
            self._known[artifact.path] = seal

    def write(self, paths: Collection[str]) -> None:
        """Keep what is known of some files for the next time."""
        with contextlib.suppress(OSError):  # it only saves time
            self._path.write_text(json.dumps({path: seal for path, seal in self._known.items() if path in paths}))

    def _is_sound(self, artifact: Artifact) -> bool:
        seal = self._seal(artifact)
        if seal is None or seal[0] != artifact.bytes:
            return False
        if self._known.get(artifact.path) != seal:
            if not self._store.has(artifact.path, artifact.sha256):
                return False
            self._known[artifact.path] = seal
        return True

    def _seal(self, artifact: Artifact) -> Seal | None:
        try:
            status = self._store.file(artifact.path).stat()
        except OSError:
            return None
        return status.st_size, status.st_mtime_ns
