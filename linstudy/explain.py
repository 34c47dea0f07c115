"""Why a run is new: the stored run that is nearest to it, and in what they differ."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from linstudy.plan import Run
from linstudy.spec.base import Spec
from linstudy.spec.run import RunSpec

Facets = Mapping[str, Any]
"""All that an identity is made of, by name: `train.epochs`, `source model nets.layers`, `needs spectrum`."""

_SPEC: TypeAdapter[RunSpec] = TypeAdapter(RunSpec)

MOST_DIFFERENCES = 3
"""A stored run that differs in more is no neighbour."""


@dataclass(frozen=True)
class StoredRun:
    """A run of an earlier plan, made comparable."""

    run_id: str
    kind: str
    facets: Facets

    @classmethod
    def read(cls, run_id: str, spec: str, source: str | None, needs: Mapping[str, str]) -> Self | None:
        """A run as it is stored; None if it was made by a version whose specs can no longer be read.

        Args:
            spec: JSON.
            needs: Role and id of the runs that it needs.
        """
        try:
            read = _SPEC.validate_json(spec, strict=False)
        except ValidationError:
            return None
        return cls(run_id, read.kind, _facets(read, source or "", needs))


@dataclass(frozen=True)
class Difference:
    """One facet of a run and of its nearest; None where one has none."""

    name: str
    here: Any
    there: Any

    def __str__(self) -> str:
        if self.name.startswith(("source ", "needs ")):
            return f"another {self.name.partition(' ')[2]}"
        return f"{self.name} {_text(self.here)} (there {_text(self.there)})"


@dataclass(frozen=True)
class Neighbour:
    """The stored run that is nearest to a new one; it differs in nothing if only its numerics are earlier ones."""

    run_id: str
    differences: Sequence[Difference] = field(default=())

    def __str__(self) -> str:
        told = ", ".join(map(str, self.differences)) or "computed by earlier numerics"
        return f"nearest: {self.run_id}, {told}"


def nearest(run: Run, stored: Iterable[StoredRun]) -> Neighbour | None:
    """The stored run of the same kind that differs in the fewest facets, the first of several; None if none is near."""
    facets = _facets(run.spec, run.source, {need.role: need.run_id for need in run.needs})
    found = [Neighbour(other.run_id, _differences(facets, other.facets)) for other in stored if other.kind == run.kind]
    near = [neighbour for neighbour in found if len(neighbour.differences) <= MOST_DIFFERENCES]
    return min(near, key=lambda neighbour: len(neighbour.differences), default=None)


def _differences(here: Facets, there: Facets) -> tuple[Difference, ...]:
    names = dict.fromkeys([*here, *there])
    return tuple(
        Difference(name, here.get(name), there.get(name)) for name in names if here.get(name) != there.get(name)
    )


def _facets(spec: RunSpec, source: str, needs: Mapping[str, str]) -> Facets:
    return {
        **dict(_fields(spec)),
        **{f"source {name}": value for name, value in _sources(source)},
        **{f"needs {role}": run_id for role, run_id in needs.items()},
    }


def _fields(spec: Spec, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in spec:
        if name in spec.outside:
            continue
        if isinstance(value, Spec):
            yield from _fields(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _sources(source: str) -> Iterator[tuple[str, str]]:
    """The identities in the text of `Run.source`: of a part, or of each of its files."""
    for part, identity in parts_of_source(source).items():
        if isinstance(identity, dict):
            yield from ((f"{part} {name}", value) for name, value in identity.items())
        else:
            yield part, identity


def parts_of_source(source: str) -> dict[str, Any]:
    """The identities in the text of `Run.source` by the parts of the run; those of a user's model are by file."""
    try:
        parts = json.loads(source)
    except ValueError:  # nothing, or the text of an earlier version
        return {"source": source} if source else {}
    return parts if isinstance(parts, dict) else {}


def _text(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, default=str)
