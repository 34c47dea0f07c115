"""The run `training`: one fit, its curves and its checkpoints."""

import time
from collections.abc import Iterable, Iterator
from functools import partial

from linstudy import metrics
from linstudy.runs.context import labelled
from linstudy.runs.events import Diverged, Emit, Measured, Produced, Progress, Restarted, Stopped
from linstudy.runs.job import CHECKPOINT, Job
from linstudy.runs.networks import starting_point, stored_state
from linstudy.runs.precision import precision
from linstudy.spec.run import TrainingRun
from linstudy.train.checkpoint import to_arrays
from linstudy.train.fit import EpochResult, fit

SECONDS_BETWEEN_CHECKPOINTS = 300.0
"""What a killed training loses at most, beside the epoch that it was in."""


def run(job: Job, emit: Emit) -> None:
    """Train from the latest checkpoint, or from the start, until every checkpoint that is asked for is there.

    A training that is done and lacks an earlier checkpoint goes again from the nearest one before it.
    """
    spec = job.spec
    assert isinstance(spec, TrainingRun)
    stored = job.epochs("self")
    wanted = {*job.checkpoints, spec.train.epochs} - set(stored)
    if not wanted:
        return
    told = spec.train.epochs in stored
    with precision(spec.train.precision):
        data = labelled(job, emit, spec.train.precision)
        model, statistics = starting_point(job, spec, data)
        resume, epoch = None, resume_epoch(stored, wanted)
        if epoch is not None:
            resume = (epoch, stored_state(job.load("self", CHECKPOINT, epoch), model, statistics, spec.train, data))
        if not told:
            emit(Restarted(epoch))
        results = fit(model, statistics, data, spec.train, spec.seed, resume=resume)
        _follow(job, emit if not told else _only_artifacts(emit), spec.train.epochs, wanted, results)


def _only_artifacts(emit: Emit) -> Emit:
    """For a training whose rows are stored already: the same rows again are not told twice."""
    return lambda event: None if isinstance(event, Measured) else emit(event)


def resume_epoch(stored: Iterable[int], wanted: Iterable[int]) -> int | None:
    """The stored epoch to go on from: the last one before every epoch that is wanted."""
    first = min(wanted)
    return max((epoch for epoch in stored if epoch < first), default=None)


def _follow(job: Job, emit: Emit, epochs: int, wanted: set[int], results: Iterator[EpochResult]) -> None:
    saved_at = time.monotonic()
    for result in results:
        for measured in measurements(result):
            emit(measured)
        emit(Progress(result.epoch / max(epochs, 1), _summary(result, epochs)))
        if not result.finite:
            emit(Diverged(result.epoch))
            return
        stopping = job.stop() and result.epoch < max(wanted)
        if result.epoch in wanted or stopping or time.monotonic() - saved_at > SECONDS_BETWEEN_CHECKPOINTS:
            emit(Produced(CHECKPOINT, to_arrays(result.state), result.epoch))
            saved_at = time.monotonic()
        if stopping:
            raise Stopped
        if result.epoch == max(wanted):
            return


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
