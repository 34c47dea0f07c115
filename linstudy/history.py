"""What is stored of a run, and what is left to do: where it goes on, what is kept, what is to be made. Pure."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from linstudy.facts import CHECKPOINT, RESUME, Artifact, Ending, Fact, Fingerprint, Number, Vector
from linstudy.plan import Run

ArtifactKey = tuple[str, int | None]


@dataclass(frozen=True)
class Stored:
    """What the ledger holds of a run.

    Attributes:
        status: That of its last attempt, or `planned`.
        artifacts: By name and epoch.
        told: The last epoch with numbers; None if there is none.
        fingerprint: Of the arrays that an attempt loaded.
    """

    status: str = "planned"
    artifacts: Mapping[ArtifactKey, Artifact] = field(default_factory=dict)
    told: int | None = None
    fingerprint: str | None = None

    def epochs(self, *names: str) -> set[int]:
        """The epochs of the artifacts of some names."""
        return {epoch for name, epoch in self.artifacts if name in names and epoch is not None}

    def after(self, fact: Fact) -> "Stored":
        """What is stored once a fact is."""
        match fact:
            case Artifact():
                others = {key: own for key, own in self.artifacts.items() if key != (fact.name, fact.replaces)}
                return replace(self, artifacts={**others, (fact.name, fact.epoch): fact})
            case Number() | Vector() if fact.epoch is not None:
                return replace(self, told=max(fact.epoch, -1 if self.told is None else self.told))
            case Fingerprint():
                return replace(self, fingerprint=fact.value)
            case Ending(outcome="done" | "diverged"):  # from where no run goes on
                kept = {key: own for key, own in self.artifacts.items() if key[0] != RESUME}
                return replace(self, status=fact.outcome, artifacts=kept)
            case Ending():
                return replace(self, status=fact.outcome)
        return self

    def without(self, paths: Collection[str]) -> "Stored":
        """What is stored once some files are known to be lost; a run whose only result is one of them is to be made."""
        kept = {key: own for key, own in self.artifacts.items() if own.path not in paths}
        whole = all(epoch is not None for _, epoch in self.artifacts.keys() - kept.keys())
        return replace(self, artifacts=kept, status=self.status if whole else "planned")

    def cut(self, kept: int | None) -> "Stored":
        """What is stored once the numbers after an epoch, or all, are deleted; without any, no artifact is kept."""
        if kept is None:
            return Stored(self.status)
        return replace(self, told=None if self.told is None else min(self.told, kept))


def artifacts_by_role(stored: Mapping[str, Stored]) -> dict[tuple[str, str, int | None], Artifact]:
    """What some runs have left, by the role of each for another one, name and epoch.

    Args:
        stored: What is stored of each, by role; "self" is that other one.
    """
    return {(role, *key): own for role, its in stored.items() for key, own in its.artifacts.items()}


def fingerprints_by_role(stored: Mapping[str, Stored]) -> dict[str, str]:
    """Those of the arrays that some runs had loaded, where they had loaded any."""
    return {role: its.fingerprint for role, its in stored.items() if its.fingerprint is not None}


@dataclass(frozen=True)
class Leg:
    """A part of the way: from the state of an epoch (None: the beginning) on, to the last of those to be made.

    An epoch to be made may be that of `start` itself.
    """

    start: int | None
    make: tuple[int, ...]


@dataclass(frozen=True)
class Resumption:
    """How a run goes on.

    Attributes:
        kept: Numbers up to this epoch are stored and are not told again; those after it are deleted. None: all are.
        legs: What is to be made, in order.
    """

    kept: int | None = None
    legs: tuple[Leg, ...] = ()


def resume_training(stored: Stored, asked: Collection[int]) -> Resumption:
    """From each stored state the missing checkpoints after it, until the next stored state.

    What was told before a state is stored with it, so numbers go on after the last state.

    Args:
        asked: The epochs whose checkpoints are needed; the last one is the end of the training.
    """
    last, checkpoints = max(asked), stored.epochs(CHECKPOINT)
    states = {epoch for epoch in stored.epochs(CHECKPOINT, RESUME) if epoch <= last}
    legs: dict[int | None, list[int]] = {}
    for epoch in sorted(set(asked) - checkpoints):
        start = max((state for state in states if state <= epoch), default=None)
        legs.setdefault(start, []).append(epoch)
    return Resumption(max(states, default=None), tuple(Leg(start, tuple(make)) for start, make in legs.items()))


def resume_probe(stored: Stored, asked: Collection[int]) -> Resumption:
    """The epochs after the last one that was told: the numbers of an epoch are stored together."""
    left = tuple(epoch for epoch in sorted(asked) if stored.told is None or epoch > stored.told)
    return Resumption(stored.told, (Leg(None, left),) if left else ())


def _begin_anew(run: Run, stored: Stored) -> Resumption:
    return Resumption()


RESUMPTIONS: dict[str, Callable[[Any, Stored], Resumption]] = {
    "spectrum": _begin_anew,
    "nads": _begin_anew,
    "training": lambda run, stored: resume_training(stored, run.checkpoints),
    "probe": lambda run, stored: resume_probe(stored, run.spec.epochs),
}
"""How each kind of run goes on."""


def resumption(run: Run, stored: Stored) -> Resumption:
    """How a run goes on from what is stored."""
    return RESUMPTIONS[run.kind](run, stored)


WITH_ARTIFACT = frozenset({"spectrum", "nads"})
"""The kinds of run whose result is one artifact, which is named like the kind."""


def is_complete(run: Run, stored: Stored) -> bool:
    """Whether there is nothing left to do: a finished run may still lack checkpoints that others need now."""
    if stored.status == "diverged":
        return True
    if run.kind in WITH_ARTIFACT and (run.kind, None) not in stored.artifacts:
        return False
    return stored.status == "done" and set(run.checkpoints) <= stored.epochs(CHECKPOINT)
