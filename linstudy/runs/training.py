"""The run `training`: fits, alone or several at once, their curves and their checkpoints."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from linstudy import metrics
from linstudy.facts import CHECKPOINT, RESUME, Ending, Fact, Method, Notice, Number, Progress
from linstudy.history import Leg
from linstudy.runs.context import label_data, progress_of
from linstudy.runs.function_space import span_learner
from linstudy.runs.job import Arrays, Job, Stopped
from linstudy.runs.networks import starting_point
from linstudy.runs.precision import precision
from linstudy.spec.run import TrainingRun
from linstudy.spec.train import in_function_space
from linstudy.tangent.placement import default_budget
from linstudy.tasks.labelled import Labelled, LabelQuality
from linstudy.train.checkpoint import in_span
from linstudy.train.choice import stacking_pays
from linstudy.train.fit import EpochResult, fit
from linstudy.train.function_space import SpanLearner
from linstudy.train.group import can_group, own_bytes
from linstudy.train.learner import Course, Learner
from linstudy.train.network import NetworkLearner

SECONDS_BETWEEN_STATES = 300.0
"""What a killed training loses at most, beside the epoch that it was in."""

MOST_TOGETHER = 16
MOST_COLUMNS = 64


def run(job: Job) -> None:
    """Train along the legs of the job, and leave the checkpoints that these ask for."""
    run_together([job])


def run_together(jobs: Sequence[Job]) -> None:
    """Train runs of one `fusion_key`, as one program where that is faster; each reports what it would report alone.

    All are prepared before any reports a number.
    """
    with precision(_spec(jobs[0]).train.precision):
        inputs = _SharedInputs()
        prepared = [[_prepare(job, leg, inputs) for leg in job.legs] for job in jobs]
        for number in range(max(len(legs) for legs in prepared)):
            legs = [own[number] for own in prepared if number < len(own)]
            for group in _groups([leg for leg in legs if not leg.done]):
                _train(group)


def _spec(job: Job) -> TrainingRun:
    assert isinstance(job.spec, TrainingRun)
    return job.spec


class _SharedInputs:
    """The inputs of several runs on the device, held once where they are the same."""

    def __init__(self) -> None:
        self._held: list[tuple[Labelled, Array]] = []

    def of(self, data: Labelled) -> Array:
        """The training samples, then the test samples."""
        for known, held in self._held:
            if _same(known.train_inputs, data.train_inputs) and _same(known.test_inputs, data.test_inputs):
                return held
        self._held.append((data, jnp.asarray(np.concatenate([data.train_inputs, data.test_inputs]))))
        return self._held[-1][1]


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return one is other or np.array_equal(one, other)


@dataclass
class _Stretch:
    """One run on one of its legs.

    Attributes:
        start: The state of the leg's first epoch; None for the initialization.
        quality: Of the run's labels, to be told on its first leg.
        rolling: The epoch of the state that the run would go on from now, if that is no checkpoint.
    """

    job: Job
    learner: Learner
    leg: Leg
    start: Arrays | None
    quality: LabelQuality | None = None
    rolling: int | None = None
    done: bool = False
    saved_at: float = 0.0

    @property
    def epochs(self) -> int:
        return _spec(self.job).train.epochs

    def begin(self, together: int) -> None:
        """Report how it trains: as one program of so many runs."""
        self.saved_at = time.monotonic()
        self.job.tell(*_methods(self.learner, together), *_quality_facts(self.quality, self.job.kept is None))

    def take(self, result: EpochResult, stop: bool) -> None:
        """Report a result, with the state after it where one is due: all of it is stored at once."""
        facts: list[Fact] = [Progress(result.epoch / max(self.epochs, 1), _summary(result, self.epochs))]
        self.done = not result.finite or result.epoch == self.leg.make[-1]
        if self.job.kept is None or result.epoch > self.job.kept:
            facts += numbers(result)
        if not result.finite:
            self.job.tell(*facts, Ending("diverged", f"the loss is not finite at epoch {result.epoch}"))
            return
        due = time.monotonic() - self.saved_at > SECONDS_BETWEEN_STATES
        if result.epoch in self.leg.make:
            facts.append(self.job.save(CHECKPOINT, result.checkpoint(), result.epoch))
            self.saved_at = time.monotonic()
            if self.done and self.leg is self.job.legs[-1]:
                facts.append(Ending("done"))  # though others that go together with it may still train
        elif due or stop:
            facts.append(self.job.save(RESUME, result.checkpoint(), result.epoch, replaces=self.rolling))
            self.rolling, self.saved_at = result.epoch, time.monotonic()
        self.job.tell(*facts)


def _prepare(job: Job, leg: Leg, shared: _SharedInputs) -> _Stretch:
    """All that a run needs before the first epoch of a leg."""
    spec, start, rolling = _spec(job), None, None
    if leg.start is not None:
        rolling = leg.start if ("self", RESUME, leg.start) in job.artifacts else None
        start = job.load("self", CHECKPOINT if rolling is None else RESUME, leg.start)
    data = label_data(job, spec.train.precision)
    model, statistics = starting_point(job, spec, data.train_inputs.shape[1:])
    inputs, course = shared.of(data), Course(data, spec.train, spec.seed)
    limit = default_budget(job.resources.span)
    spans = in_function_space(spec.train, len(data.train_labels), len(data.test_labels), limit)
    # a state that was made through the parameters says nothing of the coefficients, but goes on as it began
    if spans and (start is None or in_span(start)):
        learner = span_learner(model, inputs, course, job, progress_of(job, "Gram"))
    else:
        learner = NetworkLearner(model, statistics, inputs, course)
    stretch = _Stretch(job, learner, leg, start, data.quality if leg is job.legs[0] else None, rolling)
    if start is not None and leg.start in leg.make:
        job.tell(job.save(CHECKPOINT, start, leg.start))
        stretch.done = leg.make == (leg.start,)
    return stretch


def _groups(stretches: Sequence[_Stretch]) -> Iterator[list[_Stretch]]:
    """Those that train as one, in the order given."""
    groups: list[list[_Stretch]] = []
    for stretch in stretches:
        found = next((group for group in groups if _joins(stretch, group)), None)
        if found is None:
            groups.append([stretch])
        else:
            found.append(stretch)
    for group in groups:
        first = group[0]
        learners, cache = [one.learner for one in group], first.job.resources.cache
        if isinstance(first.learner, SpanLearner) or stacking_pays(learners, first.epochs, cache):
            yield group
        else:
            yield from ([one] for one in group)


def _joins(stretch: _Stretch, group: Sequence[_Stretch]) -> bool:
    first = group[0]
    if stretch.leg.start != first.leg.start or not can_group(stretch.learner, first.learner):
        return False
    if isinstance(first.learner, SpanLearner) and isinstance(stretch.learner, SpanLearner):
        return stretch.learner.span is first.learner.span and len(group) < MOST_COLUMNS
    more = own_bytes(stretch.learner, first.learner)
    return len(group) < MOST_TOGETHER and (len(group) + 1) * more <= stretch.job.resources.networks


def _train(group: Sequence[_Stretch]) -> None:
    first = group[0]
    for stretch in group:
        stretch.begin(len(group))
    states = [one.start for one in group if one.start is not None]
    resume = None if first.leg.start is None else (first.leg.start, states)
    for results in fit([one.learner for one in group], first.epochs, resume=resume):
        stop = first.job.stop()
        for stretch, result in zip(group, results, strict=True):
            if result is not None and not stretch.done:
                stretch.take(result, stop)
        if all(stretch.done for stretch in group):
            return
        if stop:
            raise Stopped


def _methods(learner: Learner, together: int) -> Iterator[Method]:
    """In which space a run trains, and with how many others as one program."""
    yield Method("training", "function space" if isinstance(learner, SpanLearner) else "parameters")
    if together > 1:
        yield Method("together", f"{together} runs")


def _quality_facts(quality: LabelQuality | None, is_first: bool) -> Iterator[Fact]:
    """What is told of labels at the beginning of an attempt; numbers by the first one alone, since they are kept."""
    if quality is not None and is_first:
        yield Number(metrics.LABEL_GAP, quality.gap)
        yield Number(metrics.LABEL_RESIDUAL, quality.residual)
        yield Number(metrics.LABEL_ROTATION, quality.rotation)
    if quality is not None and quality.warning:
        yield Notice(quality.warning)


def numbers(result: EpochResult) -> Iterator[Number]:
    """The numbers of one epoch."""
    number = partial(Number, epoch=result.epoch, step=result.step)
    for split, loss in result.losses.items():
        yield number(metrics.LOSS, loss, split)
        yield number(metrics.ACCURACY, result.accuracies[split] if math.isfinite(loss) else None, split)
    if result.running_loss is not None:
        yield number(metrics.LOSS, result.running_loss, "train_running")
    yield number(metrics.DISTANCE_L2, result.distance_l2)
    yield number(metrics.DISTANCE_COSINE, result.distance_cosine)
    if result.fitted_at is not None:
        yield number(metrics.STEPS_TO_FIT, float(result.fitted_at))


def _summary(result: EpochResult, epochs: int) -> str:
    loss, accuracy = result.losses["train"], result.accuracies["train"]
    return (
        f"epoch {result.epoch}/{epochs}  loss {loss:.4f}  accuracy {accuracy:.3f}  test {result.accuracies['test']:.3f}"
    )
