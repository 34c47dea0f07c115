"""What a run is given to work with."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from linstudy.data import Dataset, Places, load
from linstudy.data.places import HERE
from linstudy.facts import Artifact, Fact, Fingerprint
from linstudy.history import Leg
from linstudy.resources import Resources
from linstudy.spec.errors import LinstudyError
from linstudy.spec.run import RunSpec

Arrays = Mapping[str, np.ndarray]
ArtifactKey = tuple[str, str, int | None]
"""Role of the run ("self" for this one), name of the artifact, its epoch."""


class DataChanged(LinstudyError):
    """The arrays of a run's data are not those that it, or a run that it needs, had loaded."""


class Stopped(Exception):
    """A run was asked to stop, and did so at a point from where it can go on."""


class Tell(Protocol):
    """Reports facts that belong together: they are stored at once, or not at all."""

    def __call__(self, *facts: Fact) -> None: ...


Store = Callable[[str, Arrays, int | None, int | None], Artifact]


def _nowhere(name: str, arrays: Arrays, epoch: int | None, replaces: int | None) -> Artifact:
    raise LinstudyError(f"there is no place to store {name}")


@dataclass(frozen=True)
class Job:
    """One attempt at one run.

    Attributes:
        name: That of files which the next attempt at this run goes on with.
        kept: Numbers up to this epoch are stored already, and are not told again; None: none are.
        legs: What is to be made, in order.
        artifacts: How to load every artifact of this run's earlier attempts and of the runs it needs.
        fingerprints: Of the arrays that those had loaded, by role.
        places: Where the paths of the spec are looked for.
        resources: The memory of the worker, where what exceeds it goes, and what is kept between runs.
        tell: Reports what happens.
        stop: Whether the run should stop at its next safe point.
        command: What makes the runs of its study.
        may_be_helped: Whether other workers may have nothing to do.
        began: When, by the monotonic clock.
    """

    spec: RunSpec
    name: str = "run"
    kept: int | None = None
    legs: tuple[Leg, ...] = ()
    artifacts: Mapping[ArtifactKey, Callable[[], Arrays]] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    places: Places = HERE
    resources: Resources = field(default_factory=Resources)
    tell: Tell = lambda *facts: None
    store: Store = _nowhere
    stop: Callable[[], bool] = lambda: False
    command: str = "linstudy run STUDY"
    may_be_helped: bool = False
    began: float = field(default_factory=time.monotonic)

    def save(self, name: str, arrays: Arrays, epoch: int | None = None, *, replaces: int | None = None) -> Artifact:
        """Store arrays that this run, or others, will read. Nobody knows of them until the artifact is told.

        Args:
            replaces: The epoch of an artifact of this name that is no longer needed.
        """
        return self.store(name, arrays, epoch, replaces)

    def load(self, role: str, name: str, epoch: int | None = None) -> Arrays:
        """The arrays of an artifact of the run needed in a role.

        Raises:
            LinstudyError: If there is no such artifact.
        """
        try:
            return self.artifacts[(role, name, epoch)]()
        except KeyError:
            what = name if epoch is None else f"{name} of epoch {epoch}"
            raise LinstudyError(f"{role}: {what} is missing. Make it again: {self.command}") from None

    def needed(self, role: str) -> Arrays:
        """The one artifact of a role that is named like the role itself: `spectrum`, `nads`."""
        return self.load(role, role)

    def dataset(self) -> Dataset:
        """The data of the run; kept, since the next run of a study mostly has the same.

        Raises:
            DataChanged: If its arrays are not those that the runs it needs had loaded.
        """
        spec: Any = self.spec.data
        assert spec is not None, "NADs at the origin have no data"
        key = (spec.model_dump_json(), self.places)
        data = self.resources.cache.of("dataset", key, lambda: load(spec, self.places))
        for role, known in self.fingerprints.items():
            if known != data.fingerprint:
                whose = "an earlier attempt at this run" if role == "self" else f"the {role} that this run needs"
                raise DataChanged(
                    f"the arrays of the data are not those of {whose}: fingerprint {data.fingerprint[:16]} now, "
                    f"{known[:16]} then. Something that reads them has changed, such as the version of Pillow. "
                    f"Make all of it again: {self.command} --again"
                )
        self.tell(Fingerprint(data.fingerprint))
        return data
