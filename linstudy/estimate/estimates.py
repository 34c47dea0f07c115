"""What each run of a plan takes: by stored runs of its setting, by those like it, or by its operations."""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from linstudy.estimate.files import file_bytes
from linstudy.estimate.rates import PROCESS, START, seconds
from linstudy.estimate.work import RunWork, run_work
from linstudy.plan import Run, fusion_key
from linstudy.resources import Resources
from linstudy.spec.data import DataForm, unknown_form
from linstudy.spec.run import RunSpec, as_training
from linstudy.spec.train import in_function_space

Basis = Literal["stored", "like", "counted", "unknown"]

NEAR = 10.0
"""Times more or less that a stored run may take, by its operations, to say something about another."""

NEAREST = 5

TOGETHER = 64
"""Runs in function space that share a Gram at most."""


@dataclass(frozen=True)
class Estimate:
    """What a run takes; None where it is not known.

    Attributes:
        seconds: Without what it shares with another run that comes before it.
        memory: Bytes at its peak.
        disk: Bytes of the files that it leaves.
        scratch: Bytes of files that are gone when it is done.
        basis: What the seconds are from: runs of its setting, runs like it, or its operations.
    """

    seconds: float | None = None
    memory: int | None = None
    disk: int | None = None
    scratch: int = 0
    basis: Basis = "unknown"


@dataclass(frozen=True)
class Timing:
    """A setting whose runs were done, and the seconds of one of them.

    Attributes:
        together: How many runs a worker was given at once; the seconds are those of all over their number.
    """

    setting_id: str
    spec: RunSpec
    seconds: float
    together: float = 1


@dataclass(frozen=True)
class Machine:
    """What runs here may use.

    Attributes:
        cores: Of the processors; None where an accelerator computes, of which operations tell no time.
    """

    cores: int | None
    resources: Resources = field(default_factory=Resources)


FormOf = Callable[[RunSpec], DataForm]


def form_of(spec: RunSpec, look: Callable[..., DataForm] = unknown_form) -> DataForm:
    """The form of a run's data; nothing for one that has none."""
    data = getattr(spec, "data", None)
    return DataForm() if data is None else look(data)


@dataclass(frozen=True)
class _Case:
    """What runs share whose seeds and tasks alone differ.

    Attributes:
        likeness: What runs have in common that take times in the ratio of their operations.
    """

    form: DataForm
    work: RunWork | None
    likeness: tuple[str, ...]


class Estimator:
    """Estimates runs, with what is stored of others."""

    def __init__(self, machine: Machine, form: FormOf = form_of, timings: Iterable[Timing] = ()):
        self._machine, self._form = machine, form
        self._cases: dict[str, _Case] = {}
        self._estimates: dict[Hashable, Estimate] = {}
        self._stored: dict[str, float] = {}
        self._like: dict[tuple[str, ...], list[tuple[float, float]]] = {}
        for timing in timings:
            self._learn(timing)

    def __call__(self, runs: Iterable[Run]) -> Mapping[str, Estimate]:
        """The estimate of each run, by its id; of those that train together the first makes what all share."""
        found: dict[str, Estimate] = {}
        groups: Counter[str] = Counter()
        for run in runs:
            key = _key(run.spec)
            group = self._group(run.spec, self._case(run.spec, key))
            share = 0 if group and groups[group] % TOGETHER else 1
            groups.update([group] if group else [])
            found[run.run_id] = self._estimate(run, key, share)
        return found

    def _learn(self, timing: Timing) -> None:
        self._stored[timing.setting_id] = timing.seconds
        case = self._case(timing.spec, _key(timing.spec))
        if case.work is not None:
            ratio = timing.seconds / self._counted(case.work, 1 / timing.together)
            self._like.setdefault(case.likeness, []).append((self._counted(case.work), ratio))

    def _case(self, spec: RunSpec, key: str) -> _Case:
        if key not in self._cases:
            form = self._form(spec)
            self._cases[key] = _Case(form, run_work(spec, form, self._machine.resources), self._likeness(spec, form))
        return self._cases[key]

    def _counted(self, work: RunWork, share: float = 1) -> float:
        """Seconds by operations, with a share of what is shared; of accelerators they only compare runs with others."""
        cores = self._machine.cores or 1
        return START + seconds(work.own, cores) + share * seconds(work.shared, cores)

    def _group(self, spec: RunSpec, case: _Case) -> str | None:
        """What runs that share their work have in common; None for one that shares none."""
        return fusion_key(spec) if case.work is not None and case.work.shared.read else None

    def _likeness(self, spec: RunSpec, form: DataForm) -> tuple[str, ...]:
        probe, training = getattr(spec, "probe", None), as_training(spec)
        span = training and in_function_space(training.train, form.train, form.test, self._machine.resources.span)
        linear = training is not None and training.train.linearize is not None
        return spec.kind, spec.model.kind, probe.kind if probe else "", f"{span} {linear}"

    def _estimate(self, run: Run, key: str, share: int) -> Estimate:
        stored, checkpoints = self._stored.get(run.setting_id), len(run.checkpoints)
        known = (key, share, checkpoints, stored)
        if known not in self._estimates:
            self._estimates[known] = self._make(run.spec, self._cases[key], share, checkpoints, stored)
        return self._estimates[known]

    def _make(self, spec: RunSpec, case: _Case, share: int, checkpoints: int, stored: float | None) -> Estimate:
        took, basis = self._seconds(case, share, stored)
        disk = file_bytes(spec, checkpoints, case.form, self._machine.resources.span)
        if case.work is None:
            return Estimate(took, None, disk, basis=basis)
        total = case.work.total
        return Estimate(took, PROCESS + total.held + total.passing, disk, total.scratch, basis)

    def _seconds(self, case: _Case, share: int, stored: float | None) -> tuple[float | None, Basis]:
        if stored is not None:
            return stored, "stored"
        if case.work is None:
            return None, "unknown"
        counted = self._counted(case.work, share)
        if ratios := _near(self._like.get(case.likeness, ()), self._counted(case.work)):
            return counted * median(ratios), "like"
        return (counted, "counted") if self._machine.cores else (None, "unknown")


def _key(spec: RunSpec) -> str:
    """All of a run but its seed and its task, of which its work does not depend."""
    return spec.model_dump_json(exclude={"seed", "task"})


def _near(known: Sequence[tuple[float, float]], counted: float) -> list[float]:
    """How many times the counted seconds the runs nearest in these took."""
    by_distance = sorted((abs(math.log(own / counted)), ratio) for own, ratio in known)
    return [ratio for distance, ratio in by_distance[:NEAREST] if distance <= math.log(NEAR)]
