"""Why a run is new: the stored run that is nearest to it, and in what they differ."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from pydantic import ValidationError

from linstudy.plan import NUMERICS, Plan, Run, numerics_of, read_source
from linstudy.spec.base import Spec
from linstudy.spec.run import RunSpec
from linstudy.spec.stored import read_spec

Facets = Mapping[str, Any]
"""All that an identity is made of, by name: `train.epochs`, `source model nets.layers`, `needs spectrum`."""

MOST_DIFFERENCES = 3
"""A stored run that differs in more, other needed runs not counted, is no neighbour."""

_NEEDS = "needs "


@dataclass(frozen=True)
class StoredRun:
    """A run of an earlier plan, made comparable."""

    run_id: str
    spec: RunSpec
    source: str
    needs: Mapping[str, str]
    facets: Facets

    @property
    def kind(self) -> str:
        return self.spec.kind

    @classmethod
    def read(cls, run_id: str, spec: str, source: str | None, needs: Mapping[str, str]) -> Self | None:
        """A run as it is stored; None if it was made by a version whose specs can no longer be read.

        Args:
            spec: JSON.
            needs: Role and id of the runs that it needs.
        """
        try:
            read = read_spec(spec)
        except ValidationError:
            return None
        return cls(run_id, read, source or "", needs, _facets(read, source or "", needs))


@dataclass(frozen=True)
class Difference:
    """One facet of a run and of its nearest; None where one has none."""

    name: str
    here: Any
    there: Any

    def __str__(self) -> str:
        if self.name.startswith(("source ", _NEEDS)):
            return f"another {self.name.partition(' ')[2]}"
        return f"{self.name} {value_text(self.here)} (there {value_text(self.there)})"


@dataclass(frozen=True)
class Neighbour:
    """The stored run that is nearest to a new one; it differs in nothing if only its numerics are earlier ones."""

    run_id: str
    differences: Sequence[Difference] = field(default=())

    def __str__(self) -> str:
        told = ", ".join(map(str, self.differences)) or "computed by earlier numerics"
        return f"nearest: {self.run_id}, {told}"


class Neighbourhood:
    """Stored runs, by kind, with a number for each value of each facet: all are compared with a run at once."""

    def __init__(self, stored: Iterable[StoredRun]):
        self._numbers: dict[str, int] = {value_text(None): 0}
        by_kind: dict[str, list[StoredRun]] = {}
        for run in stored:
            by_kind.setdefault(run.kind, []).append(run)
        self._kinds = {kind: (runs, *self._table(runs)) for kind, runs in by_kind.items()}

    def nearest(self, run: Run, most: int = MOST_DIFFERENCES) -> Neighbour | None:
        """The stored run of the same kind that differs in the fewest facets, the first of several.

        Other runs that are needed follow from other differences: they count only between runs that else are as near.

        Args:
            most: None is near that differs in more.
        """
        if run.kind not in self._kinds:
            return None
        runs, names, table = self._kinds[run.kind]
        facets = facets_of(run)
        own = np.array([self._numbers.get(value_text(facets.get(name)), -1) for name in names])
        weights = np.array([1 if name.startswith(_NEEDS) else len(names) for name in names])
        found = runs[int(np.argmin((table != own) @ weights))]
        differences = _differences(facets, found.facets)
        is_near = sum(not one.name.startswith(_NEEDS) for one in differences) <= most
        return Neighbour(found.run_id, differences) if is_near else None

    def _table(self, runs: Sequence[StoredRun]) -> tuple[dict[str, None], np.ndarray]:
        names = dict.fromkeys(name for run in runs for name in run.facets)
        number = self._numbers
        rows = [[number.setdefault(value_text(run.facets.get(name)), len(number)) for name in names] for run in runs]
        return names, np.array(rows)


def roots(run: Run, other: StoredRun, plan: Plan, stored: Mapping[str, StoredRun]) -> dict[str, Difference]:
    """In what a run of a plan differs from a stored one at the root, by name.

    A run that it needs is another one for reasons of its own, which are told in its place; versions of numerics are
    told where nothing else differs, or where they are known.
    """
    differences = _differences(facets_of(run), other.facets)
    found: dict[str, Difference] = {}
    for difference in differences:
        needed, known = plan.runs.get(str(difference.here)), stored.get(str(difference.there))
        if difference.name.startswith(_NEEDS) and needed is not None and known is not None:
            found |= roots(needed, known, plan, stored)
        else:
            found[difference.name] = difference
    version = numerics_of(other.run_id, other.spec, other.needs.values(), other.source)
    if not differences or version not in (None, NUMERICS[run.kind]):
        found[f"numerics {run.kind}"] = Difference(f"numerics {run.kind}", NUMERICS[run.kind], version)
    return found


def facets_of(run: Run) -> Facets:
    """All that the identity of a run is made of."""
    return _facets(run.spec, run.source, {need.role: need.run_id for need in run.needs})


def _differences(here: Facets, there: Facets) -> tuple[Difference, ...]:
    names = dict.fromkeys([*here, *there])
    return tuple(
        Difference(name, here.get(name), there.get(name)) for name in names if here.get(name) != there.get(name)
    )


def _facets(spec: RunSpec, source: str, needs: Mapping[str, str]) -> Facets:
    return {
        **dict(_fields(spec)),
        **{f"source {name}": value for name, value in _sources(source)},
        **{f"{_NEEDS}{role}": run_id for role, run_id in needs.items()},
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
    earlier = {"source": source} if source else {}  # the text of an earlier version
    return read_source(source) or earlier


def value_text(value: Any) -> str:
    """A value as it is told."""
    return "nothing" if value is None else json.dumps(value, default=str)
