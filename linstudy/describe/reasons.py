"""Why the runs of a study would be computed, in lines: runs that have one and the same reason are told together."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from linstudy.data.kinds import form
from linstudy.describe.plan import ABANDONED, stored_runs
from linstudy.explain import MOST_DIFFERENCES, Difference, Neighbourhood, StoredRun, roots, value_text
from linstudy.facts import CHECKPOINT
from linstudy.history import Stored, is_complete
from linstudy.plan import CHANGES, Plan, Run, describe
from linstudy.prepare.sources import FIELDS
from linstudy.spec.document import TreePath
from linstudy.spec.points import Study
from linstudy.spec.report import place_of
from linstudy.spec.resolution import resolve
from linstudy.store.artifacts import ArtifactStore
from linstudy.store.integrity import Seals
from linstudy.store.query import Ask, open_published
from linstudy.store.quoting import literal
from linstudy.store.stored import read_stored
from linstudy.store.workspace import Workspace

MOST_VALUES = 5
"""Values, or places, that a line lists."""

MOST_REASONS = 20
"""Reasons that are told, the most frequent first."""

FARTHEST = 12
"""Differences of the nearest run, among them those that only follow from others."""

_CAUSES = {
    "epochs": ("train.epochs", "probe.at", "probe.every"),
    "shape": ("data.", "source data"),
    "data": ("data.kind", "data.path", "source data"),
}
"""What fields follow from that no study writes, and the sizes of data. What else is left out follows from the data."""

_CONTENTS = {"data": "data", "task": "labels", "model": "module or file {}"}
"""What lies behind the parts of a run."""

_LONGEST = 60
"""Characters of a value that a line shows."""


@dataclass(frozen=True)
class Reason:
    """Why one run would be computed.

    Attributes:
        words: What is the same for all runs of a line.
        differences: From the nearest stored run, at their root.
        nearest: The id of that run.
        places: Where the study says what differs, by the name of the difference.
    """

    words: str
    differences: Mapping[str, Difference] = field(default_factory=dict)
    nearest: str | None = None
    places: Mapping[str, str] = field(default_factory=dict)

    @property
    def group(self) -> tuple[str, ...]:
        """The same for runs that are told together."""
        return (self.words, *self.differences)


def describe_reasons(
    study: Study, plan: Plan, workspace: Workspace, only: Collection[str], again: bool = False
) -> Iterator[str]:
    """How many runs would be computed, then a few lines for each reason, the most frequent first.

    Args:
        only: The ids of the runs that are asked about.
        again: Whether what is done is computed again.
    """
    runs = {run_id: plan.runs[run_id] for run_id in plan.runs if run_id in only}
    groups: dict[tuple[str, ...], list[tuple[Run, Reason]]] = {}
    for run, reason in find_reasons(study, plan, workspace, runs.values(), again):
        groups.setdefault(reason.group, []).append((run, reason))
    count = sum(map(len, groups.values()))
    yield f"{study.name}{f' [{study.variant}]' if study.variant else ''}: {_head(count, len(runs))}"
    ordered = sorted(groups.values(), key=len, reverse=True)
    for found in ordered[:MOST_REASONS]:
        yield from _describe_group(found)
    if rest := ordered[MOST_REASONS:]:
        yield f"and {len(rest)} more reasons, of {sum(map(len, rest))} runs. Ask about some: --only CONDITION"


def find_reasons(
    study: Study, plan: Plan, workspace: Workspace, runs: Iterable[Run], again: bool = False
) -> Iterator[tuple[Run, Reason]]:
    """The reason of each of the runs that would be computed."""
    if not workspace.results.exists():
        yield from ((run, Reason("new: nothing is stored in this workspace yet")) for run in runs)
        return
    with open_published(workspace.results) as ask:
        reasons = _Reasons(study, plan, workspace, ask)
        for run in runs:
            reason = reasons.of(run) or (Reason("done, and asked again") if again else None)
            if reason is not None:
                yield run, reason


class _Reasons:
    """What is asked of a workspace about the runs of a plan."""

    def __init__(self, study: Study, plan: Plan, workspace: Workspace, ask: Ask):
        self._study, self._plan = study, plan
        self._is_at_work = workspace.holder() is not None
        self._stored = read_stored(lambda sql: ask(sql).rows)
        seals = Seals(workspace.seals, ArtifactStore(workspace.artifacts))
        own = [self._stored[run_id] for run_id in plan.runs if run_id in self._stored]
        self._broken = seals.broken(artifact for one in own for artifact in one.artifacts.values())
        self._errors = dict(ask("SELECT run_id, error FROM runs WHERE error IS NOT NULL").rows)
        self._known = {run.run_id: run for run in stored_runs(ask)}
        named = f"SELECT DISTINCT run_id FROM study_run WHERE study = {literal(study.name)}"
        self._named = {run_id for (run_id,) in ask(named).rows}
        tried = [run for run in self._known.values() if run.run_id in self._stored]
        # Of several that are equally near, one that the study had and has no more tells best what was changed.
        self._near = Neighbourhood(sorted(tried, key=self._distance))

    def of(self, run: Run) -> Reason | None:
        """Why a run would be computed; None if it would not."""
        stored = self._stored.get(run.run_id)
        if stored is None:
            return self._waiting(run) if run.run_id in self._known else self._new(run)
        sound = stored.without(self._broken)
        if is_complete(run, sound):
            return None
        if stored.status in ("failed", "interrupted"):
            error = (self._errors.get(run.run_id) or "").strip().split("\n")[0]
            return Reason(f"{stored.status} before: {error[:200] or 'without a word'}")
        if stored.status == "running":
            return Reason("running now" if self._is_at_work else ABANDONED)
        return Reason(self._missing(run, stored, sound))

    def _distance(self, run: StoredRun) -> int:
        if run.run_id in self._plan.runs:
            return 1
        return 0 if run.run_id in self._named else 2

    def _missing(self, run: Run, stored: Stored, sound: Stored) -> str:
        """What a run that is done has not, or no longer."""
        if lost := sorted({name for name, _ in stored.artifacts.keys() - sound.artifacts.keys()}):
            return f"missing artifact: its {', '.join(lost)} is lost or damaged"
        epochs = sorted(set(run.checkpoints) - sound.epochs(CHECKPOINT))
        if not epochs:
            return "missing artifact: it is done, but its file is not here"
        checkpoints = f"checkpoint{'s' * (len(epochs) > 1)} of epoch {_some([*map(str, epochs)])}"
        if epochs[-1] == run.checkpoints[-1]:  # which every training keeps
            return f"missing artifact: it is done, but its {checkpoints} {'are' if len(epochs) > 1 else 'is'} not here"
        return f"asked for more: it is done, but the {checkpoints} is needed now"

    def _waiting(self, run: Run) -> Reason:
        """Of a run that is registered and was never started."""
        failed = [need for need in run.needs if getattr(self._stored.get(need.run_id), "status", "") == "failed"]
        if failed:
            return Reason(f"not started yet: the {failed[0].role} that it needs failed, {failed[0].run_id}")
        return Reason("not started yet: it was planned before, and its turn has not come")

    def _new(self, run: Run) -> Reason:
        near = self._near.nearest(run, FARTHEST)
        found = {} if near is None else roots(run, self._known[near.run_id], self._plan, self._known)
        position = self._plan.points[run.run_id]
        differences = {name: one for name, one in found.items() if not self._follows(name, position, found)} or found
        if near is None or len(differences) > MOST_DIFFERENCES:
            return Reason("new point: no stored run is near it")
        is_change = near.run_id in self._named and near.run_id not in self._plan.runs
        paths = {name: self._path(name, run, position) for name in differences}
        places = {name: place_of(self._study.trees[position], path) for name, path in paths.items() if path}
        words = "" if _is_outside(differences) else "changed: " if is_change else "new point: "
        return Reason(words, differences, near.run_id, {name: place for name, place in places.items() if place})

    def _follows(self, name: str, position: int, found: Collection[str]) -> bool:
        """Whether a field differs only since another one does, of which it follows."""
        part, *_ = path = name.split(".")
        causes = _CAUSES.get(name, _CAUSES.get(part, ("data.", "source data", "spectrum.")))
        if not any(other != name and other.startswith(causes) for other in found):
            return False
        if name in _CAUSES:
            return True
        point = self._study.points[position]
        meant = resolve(point, form(point.data))
        if part == "probe":
            return all(getattr(one, path[-1], 0) is None for one in point.probes if hasattr(one, path[-1]))
        return _value(point, path) != _value(meant, path)

    def _path(self, name: str, run: Run, position: int) -> TreePath | None:
        """Where a point has what differs; None for what no point has."""
        kind, _, rest = name.partition(" ")
        if kind in ("numerics", "needs"):
            return None
        if kind == "source":
            part = rest.partition(" ")[0]
            return (part, FIELDS[part]) if part in FIELDS else None
        path: TreePath = tuple(name.split("."))
        if path[0] not in ("probe", "epochs"):
            return path
        point = self._study.points[position]
        probes = resolve(point, form(point.data)).probes
        own = getattr(run.spec, "probe", None)
        if own not in probes:
            return None
        fields = path[1:] or ("at" if own.at else "every",)
        return ("probes", probes.index(own), *fields)


def _value(spec: object, path: Iterable[str]) -> object:
    """The value at a path of nested specs; None where there is none."""
    for name in path:
        spec = getattr(spec, name, None)
    return spec


def _is_outside(names: Iterable[str]) -> bool:
    """Whether all that differs lies outside of the study: contents of files, numerics, other runs."""
    return all(" " in name for name in names)


def _head(count: int, runs: int) -> str:
    if count:
        return f"{count} of {runs} run{'s' * (runs != 1)} would be computed"
    return f"nothing would be computed: {'its run is' if runs == 1 else f'all {runs} runs are'} done"


def _describe_group(found: Sequence[tuple[Run, Reason]]) -> Iterator[str]:
    run, reason = found[0]
    kinds = Counter(run.kind for run, _ in found)
    counts = f"{len(found)} run{'s' * (len(found) != 1)}"
    of = f" ({', '.join(f'{count} {kind}' for kind, count in kinds.items())})"
    yield f"{counts}{of}: {reason_text([reason for _, reason in found])}"
    beside = f"; the nearest stored one is {reason.nearest}" if reason.nearest else ""
    yield f"    {'such as ' if len(found) > 1 else ''}{run.run_id}  {describe(run.spec)}{beside}"


def reason_text(reasons: Sequence[Reason]) -> str:
    """Reasons of one group: what differs, with the values on both sides, and the places where the study says it."""
    told = []
    for name in reasons[0].differences:
        ones = [reason.differences[name] for reason in reasons]
        here, there = _values(one.here for one in ones), _values(one.there for one in ones)
        places = dict.fromkeys(reason.places[name] for reason in reasons if name in reason.places)
        told.append(", ".join([_describe_difference(name, here, there, ones[0]), *([_some(places)] if places else [])]))
    return reasons[0].words + "; ".join(told)


def _describe_difference(name: str, here: str, there: str, one: Difference) -> str:
    kind, _, rest = name.partition(" ")
    match kind:
        case "numerics":
            words = "; ".join(text for version, text in CHANGES[rest].items() if version > (one.there or 0))
            earlier = "an earlier version, which its id does not tell" if one.there is None else there
            return f"changed numerics of {rest}: {here} (there {earlier}): {words}"
        case "source":
            part, _, file = rest.partition(" ")
            change = "new" if one.there is None else "changed" if one.here is not None else "no longer used:"
            return f"{change} {_CONTENTS.get(part, rest).format(file)}"
        case "needs":
            return f"another {rest}: {here} (there {there})"
    return f"{name} {here} (there {there})"


def _values(values: Iterable[object]) -> str:
    texts = [value_text(value) for value in values]
    return _some(dict.fromkeys(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..." for text in texts))


def _some(texts: Collection[str]) -> str:
    more = len(texts) - MOST_VALUES
    return ", ".join([*list(texts)[:MOST_VALUES], *([f"and {more} more"] if more > 0 else [])])
