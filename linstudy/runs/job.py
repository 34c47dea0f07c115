"""What a run is given to work with."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from linstudy.data import Dataset, load
from linstudy.spec.errors import LinstudyError
from linstudy.spec.run import NadsRun, RunSpec

CHECKPOINT = "checkpoint"

Arrays = Mapping[str, np.ndarray]
ArtifactKey = tuple[str, str, int | None]
"""Role of the run ("self" for this one), name of the artifact, its epoch."""


@dataclass(frozen=True)
class Job:
    """One attempt at one run.

    Attributes:
        checkpoints: The epochs whose checkpoints a training must leave.
        artifacts: How to load every artifact of this run's earlier attempts and of the runs it needs.
        scratch: Opens a file without a name, for what exceeds memory; it is gone once nothing holds it.
        stop: Whether the run should stop at its next safe point.
    """

    spec: RunSpec
    checkpoints: tuple[int, ...] = ()
    artifacts: Mapping[ArtifactKey, Callable[[], Arrays]] = field(default_factory=dict)
    data_folder: Path | None = None
    scratch: Callable[[], IO[bytes]] = tempfile.TemporaryFile
    stop: Callable[[], bool] = lambda: False

    def load(self, role: str, name: str, epoch: int | None = None) -> Arrays:
        """The arrays of an artifact of the run needed in a role.

        Raises:
            LinstudyError: If there is no such artifact.
        """
        try:
            return self.artifacts[(role, name, epoch)]()
        except KeyError:
            at = "" if epoch is None else f" of epoch {epoch}"
            raise LinstudyError(f"the run needed as {role} has left no {name}{at}") from None

    def needed(self, role: str) -> Arrays:
        """The one artifact of a role that is named like the role itself: `spectrum`, `nads`."""
        return self.load(role, role)

    def epochs(self, role: str) -> list[int]:
        """The epochs whose checkpoints a role's run has left."""
        found = (epoch for r, name, epoch in self.artifacts if (r, name) == (role, CHECKPOINT) and epoch is not None)
        return sorted(found)

    def dataset(self) -> Dataset:
        """The data of the run; kept, since the next run of a study mostly has the same."""
        assert not isinstance(self.spec, NadsRun)
        return _dataset(self.spec.data, self.data_folder)


_LAST: dict[Any, Dataset] = {}


def _dataset(spec: Any, folder: Path | None) -> Dataset:
    key = (spec.model_dump_json(), folder)
    if key not in _LAST:
        _LAST.clear()
        _LAST[key] = load(spec, folder)
    return _LAST[key]
