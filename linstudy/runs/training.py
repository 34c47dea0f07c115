"""The run `training`: fits, alone or several at once, their curves and their checkpoints."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from linstudy import metrics
from linstudy.runs.context import labelled, progress_of
from linstudy.runs.events import Chose, Diverged, Emit, Event, Measured, Produced, Progress, Restarted, Stopped
from linstudy.runs.function_space import span_learner
from linstudy.runs.job import CHECKPOINT, Arrays, Job
from linstudy.runs.networks import starting_point
from linstudy.runs.precision import precision
from linstudy.spec.run import TrainingRun
from linstudy.spec.train import in_function_space
from linstudy.tasks.labelled import Labelled
from linstudy.train.checkpoint import in_span
from linstudy.train.choice import stacking_pays
from linstudy.train.fit import EpochResult, fit
from linstudy.train.function_space import SpanLearner
from linstudy.train.group import alike, own_bytes
from linstudy.train.learner import Course, Learner
from linstudy.train.network import NetworkLearner

SECONDS_BETWEEN_CHECKPOINTS = 300.0
"""What a killed training loses at most, beside the epoch that it was in."""

MOST_TOGETHER = 16
MOST_COLUMNS = 64


def run(job: Job, emit: Emit) -> None:
    """Train from the latest checkpoint, or from the start, until every checkpoint that is asked for is there.

    A training that is done and lacks an earlier checkpoint goes again from the nearest one before it.
    """
    run_together([job], [emit])


def run_together(jobs: Sequence[Job], emits: Sequence[Emit]) -> None:
    """Train runs of one `fusion_key`, as one program where that is faster; each tells what it would tell alone.

    All are prepared before any tells a row.
    """
    with precision(_spec(jobs[0]).train.precision):
        inputs = _SharedInputs()
        prepared = [_prepared(job, emit, inputs) for job, emit in zip(jobs, emits, strict=True)]
        for group in _groups([attempt for attempt in prepared if attempt is not None]):
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
        self._held.append((data, jnp.concatenate([data.train_inputs, data.test_inputs])))
        return self._held[-1][1]


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return one is other or np.array_equal(one, other)


@dataclass
class _Attempt:
    """One run on its way.

    Attributes:
        wanted: The epochs whose checkpoints are still to be made.
        told: Whether its rows are stored already, from an earlier attempt.
        resume: The epoch that it goes on from, and its checkpoint.
    """

    job: Job
    emit: Emit
    learner: Learner
    wanted: set[int]
    told: bool
    resume: tuple[int, Arrays] | None
    done: bool = False
    saved_at: float = 0.0

    @property
    def epochs(self) -> int:
        return _spec(self.job).train.epochs

    def begin(self, how: str) -> None:
        self.saved_at = time.monotonic()
        if not self.told:
            self.emit(Restarted(None if self.resume is None else self.resume[0]))
        self.emit(Chose("training", how))

    def tell(self, event: Event) -> None:
        """Tell it, unless it is a row that is stored already."""
        if not (self.told and isinstance(event, Measured)):
            self.emit(event)

    def take(self, result: EpochResult, stop: bool) -> None:
        """Tell a result, and leave a checkpoint where one is due."""
        for measured in measurements(result):
            self.tell(measured)
        self.emit(Progress(result.epoch / max(self.epochs, 1), _summary(result, self.epochs)))
        self.done = not result.finite or result.epoch == max(self.wanted)
        if not result.finite:
            self.emit(Diverged(result.epoch))
            return
        due = time.monotonic() - self.saved_at > SECONDS_BETWEEN_CHECKPOINTS
        if result.epoch in self.wanted or due or (stop and not self.done):
            self.emit(Produced(CHECKPOINT, result.checkpoint(), result.epoch))
            self.saved_at = time.monotonic()


def _prepared(job: Job, emit: Emit, shared: _SharedInputs) -> _Attempt | None:
    """All that a run needs before its first epoch; None if it has nothing to do."""
    spec, stored = _spec(job), job.epochs("self")
    wanted = {*job.checkpoints, spec.train.epochs} - set(stored)
    if not wanted:
        return None
    data = labelled(job, emit, spec.train.precision)
    model, statistics = starting_point(job, spec, data)
    inputs, course = shared.of(data), Course(data, spec.train, spec.seed)
    spans = in_function_space(spec.train, len(data.train_labels), len(data.test_labels), job.resources.span)
    learner = (
        span_learner(model, inputs, course, job, progress_of(job, emit, "Gram"))
        if spans
        else NetworkLearner(model, statistics, inputs, course)
    )
    resume, epoch = None, resume_epoch(stored, wanted)
    if epoch is not None:
        arrays = job.load("self", CHECKPOINT, epoch)
        # one that was made through the parameters says nothing of the coefficients
        resume = (epoch, arrays) if in_span(arrays) or not spans else None
    return _Attempt(job, emit, learner, wanted, spec.train.epochs in stored, resume)


def resume_epoch(stored: Iterable[int], wanted: Iterable[int]) -> int | None:
    """The stored epoch to go on from: the last one before every epoch that is wanted."""
    first = min(wanted)
    return max((epoch for epoch in stored if epoch < first), default=None)


def _groups(attempts: Sequence[_Attempt]) -> Iterator[list[_Attempt]]:
    """The attempts that train as one, in the order given."""
    groups: list[list[_Attempt]] = []
    for attempt in attempts:
        found = next((group for group in groups if _joins(attempt, group)), None)
        if found is None:
            groups.append([attempt])
        else:
            found.append(attempt)
    for group in groups:
        first = group[0]
        if isinstance(first.learner, SpanLearner) or stacking_pays([one.learner for one in group], first.epochs):
            yield group
        else:
            yield from ([one] for one in group)


def _joins(attempt: _Attempt, group: Sequence[_Attempt]) -> bool:
    first = group[0]
    epochs = [None if one.resume is None else one.resume[0] for one in (attempt, first)]
    if epochs[0] != epochs[1] or not alike(attempt.learner, first.learner):
        return False
    if isinstance(first.learner, SpanLearner) and isinstance(attempt.learner, SpanLearner):
        return attempt.learner.span is first.learner.span and len(group) < MOST_COLUMNS
    more = own_bytes(attempt.learner, first.learner)
    return len(group) < MOST_TOGETHER and (len(group) + 1) * more <= attempt.job.resources.networks


def _train(group: Sequence[_Attempt]) -> None:
    first = group[0]
    for attempt in group:
        attempt.begin(_how(attempt, len(group)))
    checkpoints = [one.resume[1] for one in group if one.resume is not None]
    resume = None if first.resume is None else (first.resume[0], checkpoints)
    for results in fit([one.learner for one in group], first.epochs, resume=resume):
        stop = first.job.stop()
        for attempt, result in zip(group, results, strict=True):
            if result is not None and not attempt.done:
                attempt.take(result, stop)
        if all(attempt.done for attempt in group):
            return
        if stop:
            raise Stopped


def _how(attempt: _Attempt, together: int) -> str:
    if isinstance(attempt.learner, SpanLearner):
        return "function space"
    if together > 1:
        return "stacked"
    return "alone" if _spec(attempt.job).train.linearize is None else "parameters"


def measurements(result: EpochResult) -> Iterator[Measured]:
    """The rows of one epoch."""
    measured = partial(Measured, epoch=result.epoch, step=result.step)
    for split, loss in result.losses.items():
        yield measured(metrics.LOSS, loss, split)
        yield measured(metrics.ACCURACY, result.accuracies[split], split)
    if result.running_loss is not None:
        yield measured(metrics.LOSS, result.running_loss, "train_running")
    yield measured(metrics.DISTANCE_L2, result.distance_l2)
    yield measured(metrics.DISTANCE_COSINE, result.distance_cosine)
    if result.fitted_at is not None:
        yield measured(metrics.STEPS_TO_FIT, float(result.fitted_at))


def _summary(result: EpochResult, epochs: int) -> str:
    loss, accuracy = result.losses["train"], result.accuracies["train"]
    return (
        f"epoch {result.epoch}/{epochs}  loss {loss:.4f}  accuracy {accuracy:.3f}  test {result.accuracies['test']:.3f}"
    )
