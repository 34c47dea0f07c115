"""From the points of a study to runs: what each needs, and what makes it the same run.

Pure: what must be read from outside (the content of a data folder, the source of a user's model) comes in through
`identify`.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from linstudy.spec.base import Spec
from linstudy.spec.probe import AlignmentProbe, AnyProbe
from linstudy.spec.run import NadsRun, ProbeRun, RunSpec, SpectrumRun, TrainingRun
from linstudy.spec.study import Point
from linstudy.spec.task import DirectionTask, EigenfunctionTask, NadTask
from linstudy.spec.train import AnchorEpoch, in_function_space

NUMERICS = {"spectrum": 3, "nads": 2, "training": 3, "probe": 3}
"""Bumped for a kind of run when its results, or a default of its specs, change."""

_OUTSIDE = {"data": {"path"}, "task": {"path"}}
"""Fields that say where something lies; what lies there is the source's identity."""

Identify = Callable[[str, Spec], str]
"""What identifies the content behind a spec, given the part of the run (data, model or task) that it describes."""


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
    """The runs of a study, each after what it needs."""

    runs: dict[str, Run] = field(default_factory=dict)

    def add(self, run: Run) -> Run:
        """Insert a run once, after what it needs, and note the checkpoints that are asked of it and of those."""
        self.runs.setdefault(run.run_id, run)
        for need in run.needs:
            self._keep(need.run_id, need.epochs)
        return self._keep(run.run_id, run.checkpoints)

    def waiting_for(self, run_id: str) -> list[str]:
        """The runs that cannot be run without this one, near and far."""
        found = {run_id: None}
        for run in self.runs.values():
            if any(need.run_id in found for need in run.needs):
                found[run.run_id] = None
        return list(found)[1:]

    def _keep(self, run_id: str, epochs: Iterable[int]) -> Run:
        run = self.runs[run_id]
        if new := set(epochs).difference(run.checkpoints):
            self.runs[run_id] = replace(run, checkpoints=tuple(sorted({*run.checkpoints, *new})))
        return self.runs[run_id]


def make_plan(points: Iterable[Point], identify: Identify) -> Plan:
    """The runs behind some points, shared where they are the same.

    Args:
        identify: Gives an empty text for a spec that names nothing outside the study.
    """
    plan = Plan()
    for point in points:
        training = _training(plan, point, identify)
        for probe in point.probes:
            _probe(plan, point, probe, training, identify)
    return plan


def _probe(plan: Plan, point: Point, probe: AnyProbe, training: Run, identify: Identify) -> None:
    """Add a probe, which needs what its training needs too: labels and anchor are made again."""
    epochs = probe.epochs(point.train.epochs)
    needs = {need.role: need for need in (Need("training", training.run_id, epochs), *training.needs)}
    if isinstance(probe, AlignmentProbe) and "spectrum" not in needs:
        needs["spectrum"] = Need("spectrum", _spectrum(plan, point, identify).run_id)
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
    plan.add(_run(plan, spec, tuple(needs.values()), identify))


def _spectrum(plan: Plan, point: Point, identify: Identify) -> Run:
    spec = SpectrumRun(kind="spectrum", data=point.data, model=point.model, spectrum=point.spectrum, seed=point.seed)
    return plan.add(_run(plan, spec, (), identify))


def _training(plan: Plan, point: Point, identify: Identify) -> Run:
    needs: list[Need] = []
    if isinstance(point.task, EigenfunctionTask):
        needs.append(Need("spectrum", _spectrum(plan, point, identify).run_id))
    if isinstance(point.task, NadTask):
        nads = NadsRun(kind="nads", data=point.data, model=point.model, seed=point.seed)
        needs.append(Need("nads", plan.add(_run(plan, nads, (), identify)).run_id))
    linearize = point.train.linearize
    if linearize is not None and isinstance(linearize.at, AnchorEpoch):
        network = point.model_copy(update={"train": point.train.model_copy(update={"linearize": None})})
        needs.append(Need("anchor", _training(plan, network, identify).run_id, (linearize.at.epoch,)))
    spec = TrainingRun(
        kind="training", data=point.data, model=point.model, task=point.task, train=point.train, seed=point.seed
    )
    return plan.add(replace(_run(plan, spec, tuple(needs), identify), checkpoints=(point.train.epochs,)))


def _run(plan: Plan, spec: RunSpec, needs: tuple[Need, ...], identify: Identify) -> Run:
    source = source_of(spec, identify)
    run_id = run_identity(spec, [need.run_id for need in needs], source)
    settings = [plan.runs[need.run_id].setting_id for need in needs]
    return Run(run_id, setting_identity(spec, settings, source), spec, source, needs)


def source_of(spec: RunSpec, identify: Identify) -> str:
    """The identity of what a run's spec names outside the study."""
    parts = [name for name in ("data", "model", "task") if name in type(spec).model_fields]
    return ",".join(identity for name in parts if (identity := identify(name, getattr(spec, name))))


def run_identity(spec: RunSpec, needs: Iterable[str], source: str) -> str:
    """16 hexadecimal digits of SHA-256 over what determines a run's numbers.

    Args:
        needs: The ids of the runs that it needs.
    """
    return _identity(_canonical(spec), needs, source, spec.kind)


def setting_identity(spec: RunSpec, needs: Iterable[str], source: str) -> str:
    """As `run_identity`, over all of that but the seed.

    Args:
        needs: The settings of the runs that it needs.
    """
    content = _canonical(spec)
    content.pop("seed", None)
    return _identity(content, needs, source, spec.kind)


def _identity(spec: dict[str, Any], needs: Iterable[str], source: str, kind: str) -> str:
    content = {
        "spec": spec,
        "needs": sorted(needs),
        "source": source,
        "numerics": NUMERICS[kind],
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _canonical(spec: RunSpec) -> dict[str, Any]:
    content = spec.model_dump(mode="json", exclude_defaults=True)
    for part, names in _OUTSIDE.items():
        for name in names & content.get(part, {}).keys():
            del content[part][name]
    for moment in ("at", "every"):  # resolved in `epochs`
        content.get("probe", {}).pop(moment, None)
    return content


def fusion_key(spec: RunSpec) -> str | None:
    """What runs that may train as one program have in common; None for a run that only trains alone.

    Trainings of one model on the same data, however they differ in task, seed and learning rate. In function space
    they share a Gram, so their seed and inputs are the same too, and a linearization at a checkpoint, whose anchor
    is no other's, is alone.
    """
    if not isinstance(spec, TrainingRun):
        return None
    content = spec.model_dump(mode="json", exclude={"task", "seed"})
    del content["train"]["optimizer"]["learning_rate"]
    if in_function_space(spec.train, spec.data.train, spec.data.test) is not False:
        if spec.train.linearize is not None and isinstance(spec.train.linearize.at, AnchorEpoch):
            return None
        content["seed"] = spec.seed
        if isinstance(spec.task, DirectionTask):  # makes inputs of its own
            content["task"] = spec.task.model_dump(mode="json")
    return json.dumps(content, sort_keys=True)


def describe(spec: RunSpec) -> str:
    """A run in a few words: its parts' kinds, and what differs from the defaults."""
    parts = [spec.kind]
    for name, part in spec.model_dump(mode="json", exclude_defaults=True).items():
        if isinstance(part, dict) and name != "train":
            kind = part.pop("kind", "")
            parts.append(f"{kind}({_fields(part)})" if part else kind)
        elif name == "train" and part:
            parts.append(_fields(part))
    return " ".join([*filter(None, parts), f"seed={spec.seed}"])


def _fields(part: dict[str, Any]) -> str:
    return ", ".join(f"{name}={_short(value)}" for name, value in part.items())


def _short(value: Any) -> str:
    text = f"{{{_fields(value)}}}" if isinstance(value, dict) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
