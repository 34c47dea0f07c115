"""From the points of a study to runs: what each needs, and what makes it the same run.

Pure: what must be read from outside (the content of a data folder, the source of a user's model) comes in through
`identify`.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from linstudy.spec.base import Spec
from linstudy.spec.data import Data, DataForm, unknown_form
from linstudy.spec.errors import LinstudyError
from linstudy.spec.identity import identity_content
from linstudy.spec.probe import AnyProbe
from linstudy.spec.resolution import resolve
from linstudy.spec.run import NadsRun, ProbeRun, RunSpec, SpectrumRun, TrainingRun, as_training
from linstudy.spec.study import Point
from linstudy.spec.train import in_function_space

NUMERICS = {"spectrum": 6, "nads": 3, "training": 4, "probe": 4}
"""Bumped for a kind of run when its results, or a default of its specs, change."""

CHANGES = {
    "spectrum": {
        5: "first eigenpairs of float32 Grams are searched in float32, then corrected in float64",
        6: "their correction is in float32 too, but for the part of the Gram in its first 64 eigenvectors",
    },
    "nads": {3: "the first ten NADs are told too; directions and singular values are the same"},
    "training": {4: "numbers moved by rounding"},
    "probe": {4: "numbers moved by rounding"},
}
"""What changed with a version of `NUMERICS`, in words, as in the CHANGELOG."""

Identify = Callable[[str, Spec], str | Mapping[str, str]]
"""What identifies the content behind a spec, given the part of the run (data, model or task) that it describes: one
text, or one for each of several files."""

PARTS = ("data", "model", "task")
"""The parts of a run that can name something outside the study."""

FormOf = Callable[[Data], DataForm]


@dataclass(frozen=True)
class Need:
    """A run that another needs, in a role, with the epochs whose checkpoints it reads."""

    role: str
    run_id: str
    epochs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Run:
    """One run: its identity, its complete spec, what it needs, and the checkpoints that others read from it.

    Attributes:
        setting_id: That of the run without its seed: runs that differ in their seed alone share it.
    """

    run_id: str
    setting_id: str
    spec: RunSpec
    source: str
    needs: tuple[Need, ...] = ()
    checkpoints: tuple[int, ...] = ()

    @property
    def kind(self) -> str:
        return self.spec.kind


@dataclass
class Plan:
    """The runs of a study, each after what it needs.

    Attributes:
        points: The position of the point that asked for each run first.
    """

    runs: dict[str, Run] = field(default_factory=dict)
    points: dict[str, int] = field(default_factory=dict)

    def add(self, run: Run) -> Run:
        """Insert a run once, after what it needs, and note the checkpoints that are asked of it and of those."""
        self.runs.setdefault(run.run_id, run)
        for need in run.needs:
            self._keep(need.run_id, need.epochs)
        return self._keep(run.run_id, run.checkpoints)

    def with_needs(self, run_ids: Collection[str]) -> "Plan":
        """Some of the runs and all that they need, in order; checkpoints that others ask of them are still theirs."""
        kept: set[str] = set()
        for run_id, run in reversed(self.runs.items()):
            if run_id in run_ids or run_id in kept:
                kept |= {run_id, *(need.run_id for need in run.needs)}
        return Plan({run_id: run for run_id, run in self.runs.items() if run_id in kept}, self.points)

    def _keep(self, run_id: str, epochs: Iterable[int]) -> Run:
        run = self.runs[run_id]
        if new := set(epochs).difference(run.checkpoints):
            self.runs[run_id] = replace(run, checkpoints=tuple(sorted({*run.checkpoints, *new})))
        return self.runs[run_id]


def make_plan(points: Iterable[Point], identify: Identify, form: FormOf = unknown_form) -> Plan:
    """The runs behind some points, shared where they are the same.

    Args:
        identify: Gives nothing for a spec that names nothing outside the study.
        form: Tells what is known of a data set before it is loaded.
    """
    planner = _Planner(identify, form)
    for position, point in enumerate(points):
        planner.add(point, position)
    return planner.plan


class _Planner:
    """Adds the runs behind points to a plan, each after what it needs."""

    def __init__(self, identify: Identify, form: FormOf):
        self.plan = Plan()
        self._identify, self._form, self._position = identify, form, 0
        self._builders: dict[str, Callable[[Point], Run]] = {"spectrum": self._spectrum, "nads": self._nads}

    def add(self, point: Point, position: int) -> None:
        self._position = position
        point = resolve(point, self._form(point.data))
        training = self._training(point)
        for probe in point.probes:
            self._probe(point, probe, training)

    def _training(self, point: Point) -> Run:
        needs = self._needs(point, point.task.needs)
        if (epoch := point.train.anchor_epoch) is not None:
            network = point.model_copy(update={"train": point.train.model_copy(update={"linearize": None})})
            needs.append(Need("anchor", self._training(network).run_id, (epoch,)))
        spec = TrainingRun(
            kind="training", data=point.data, model=point.model, task=point.task, train=point.train, seed=point.seed
        )
        return self.plan.add(replace(self._run(spec, needs), checkpoints=(point.train.epochs,)))

    def _probe(self, point: Point, probe: AnyProbe, training: Run) -> None:
        """Add a probe, which needs what its training needs too: labels and anchor are made again."""
        epochs = probe.epochs(point.train.epochs)
        needs = {need.role: need for need in (Need("training", training.run_id, epochs), *training.needs)}
        for need in self._needs(point, [role for role in probe.needs if role not in needs]):
            needs[need.role] = need
        spec = ProbeRun(
            kind="probe",
            data=point.data,
            model=point.model,
            task=point.task,
            train=point.train,
            probe=probe,
            epochs=epochs,
            seed=point.seed,
        )
        self.plan.add(self._run(spec, needs.values()))

    def _spectrum(self, point: Point) -> Run:
        """The spectrum over the inputs of the point's task."""
        task = point.task if point.task.makes_inputs else None
        spec = SpectrumRun(
            kind="spectrum",
            data=point.data,
            model=point.model,
            spectrum=point.spectrum,
            task=task,
            seed=point.seed if point.spectrum.has_seed else None,
        )
        return self.plan.add(self._run(spec, [] if task is None else self._needs(point, task.needs)))

    def _nads(self, point: Point) -> Run:
        shape = self._form(point.data).shape
        if shape is None:
            raise LinstudyError(
                f"nads: the shape of {point.data.kind} inputs is not known. Write data: {{kind: gaussian}}"
            )
        data = point.data if point.nads.at == "data" else None
        spec = NadsRun(kind="nads", model=point.model, shape=shape, seed=point.seed, nads=point.nads, data=data)
        return self.plan.add(self._run(spec, []))

    def _needs(self, point: Point, kinds: Iterable[str]) -> list[Need]:
        """The runs of some kinds that a point brings, each in the role of its kind."""
        return [Need(kind, self._builders[kind](point).run_id) for kind in kinds]

    def _run(self, spec: RunSpec, needs: Iterable[Need]) -> Run:
        source = source_of(spec, self._identify)
        needs = tuple(needs)
        run_id = run_identity(spec, [need.run_id for need in needs], source)
        self.plan.points.setdefault(run_id, self._position)
        settings = [self.plan.runs[need.run_id].setting_id for need in needs]
        return Run(run_id, setting_identity(spec, settings, source), spec, source, needs)


def source_of(spec: RunSpec, identify: Identify) -> str:
    """What lies behind each part of a run that names something outside the study, as JSON; empty if none does."""
    parts = {name: getattr(spec, name, None) for name in PARTS}
    found = {name: identify(name, part) for name, part in parts.items() if part is not None}
    found = {name: identity for name, identity in found.items() if identity}
    return json.dumps(found, sort_keys=True) if found else ""


def epochs_read(spec: RunSpec, role: str) -> tuple[int, ...]:
    """The epochs whose checkpoints a run reads of the one that it needs in a role."""
    if role == "training":
        return getattr(spec, "epochs", ())
    train = getattr(spec, "train", None)
    return (train.anchor_epoch,) if role == "anchor" and train is not None else ()


def read_source(source: str) -> dict[str, Any]:
    """What `source_of` found behind each part; nothing of a source that an earlier version wrote."""
    try:
        parts = json.loads(source)
    except ValueError:
        return {}
    return parts if isinstance(parts, dict) else {}


def run_identity(spec: RunSpec, needs: Iterable[str], source: str) -> str:
    """16 hexadecimal digits of SHA-256 over what determines a run's numbers.

    Args:
        needs: The ids of the runs that it needs.
    """
    return _identity(identity_content(spec), needs, source, spec.kind)


def numerics_of(run_id: str, spec: RunSpec, needs: Iterable[str], source: str) -> int | None:
    """The version of its kind's numerics that a run was computed by, which its id has in it.

    None where no version gives the id: a linstudy made it whose ids, or whose specs, said things in another way.
    """
    content, needs = identity_content(spec), list(needs)
    versions = range(NUMERICS[spec.kind], 0, -1)
    return next((one for one in versions if _identity(content, needs, source, spec.kind, one) == run_id), None)


def setting_identity(spec: RunSpec, needs: Iterable[str], source: str) -> str:
    """As `run_identity`, over all of that but the seed.

    Args:
        needs: The settings of the runs that it needs.
    """
    content = identity_content(spec)
    content.pop("seed", None)
    return _identity(content, needs, source, spec.kind)


def _identity(spec: dict[str, Any], needs: Iterable[str], source: str, kind: str, numerics: int | None = None) -> str:
    content = {
        "spec": spec,
        "needs": sorted(needs),
        "source": source,
        "numerics": numerics or NUMERICS[kind],
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fusion_key(spec: RunSpec) -> str | None:
    """What runs that may train as one program have in common; None for a run that only trains alone.

    Trainings of one model on the same data, however they differ in task, seed and learning rate. In function space
    they share a Gram, so their seed and inputs are the same too, and a linearization at a checkpoint, whose anchor
    is no other's, is alone.
    """
    training = as_training(spec)
    if training is None:
        return None
    content = training.model_dump(mode="json", exclude={"task", "seed"})
    del content["train"]["optimizer"]["learning_rate"]
    if in_function_space(training.train, training.data.train, training.data.test) is not False:
        if training.train.anchor_epoch is not None:
            return None
        content["seed"] = training.seed
        if training.task.makes_inputs:
            content["task"] = training.task.model_dump(mode="json")
    return json.dumps(content, sort_keys=True)


def describe(spec: RunSpec) -> str:
    """A run in a few words: its parts' kinds, and what differs from the defaults."""
    return describe_fields(spec.model_dump(mode="json", exclude_defaults=True))


def describe_fields(content: Mapping[str, Any]) -> str:
    """As `describe`, of the fields that differ from the defaults."""
    parts = [content["kind"]]
    for name, part in content.items():
        if isinstance(part, dict):
            kind, fields = part.get("kind", ""), _fields({key: value for key, value in part.items() if key != "kind"})
            parts.append(f"{kind}({fields})" if kind and fields else kind or fields)
        elif name == "shape":
            parts.append(f"shape={part}")
    seed = content.get("seed")
    return " ".join([*filter(None, parts), *([] if seed is None else [f"seed={seed}"])])


def _fields(part: dict[str, Any]) -> str:
    return ", ".join(f"{name}={_short(value)}" for name, value in part.items())


def _short(value: Any) -> str:
    text = f"{{{_fields(value)}}}" if isinstance(value, dict) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
