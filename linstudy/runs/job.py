"""What a run is given to work with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from linstudy.data import Dataset, load
from linstudy.resources import Cache, Resources
from linstudy.spec.errors import LinstudyError
from linstudy.spec.run import RunSpec

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
        resources: The memory of the worker, where what exceeds it goes, and what is kept between runs.
        stop: Whether the run should stop at its next safe point.
    """

    spec: RunSpec
    checkpoints: tuple[int, ...] = ()
    artifacts: Mapping[ArtifactKey, Callable[[], Arrays]] = field(default_factory=dict)
    data_folder: Path | None = None
    resources: Resources = field(default_factory=Resources)
    stop: Callable[[], bool] = lambda: False

    @property
    def cache(self) -> Cache:
        """What the worker keeps from one run for the next."""
        return self.resources.cache

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
        spec: Any = self.spec.data
        key = (spec.model_dump_json(), self.data_folder)
        return self.cache.of("dataset", key, lambda: load(spec, self.data_folder))
