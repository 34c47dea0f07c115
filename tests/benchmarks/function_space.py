"""Linear training in function space against the parameter path and `nt.linearize`."""

import time
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import peers
from measure import Candidate, calls
from settings import Settings, images, labels
from table import Line, Section
from training import BATCH, together

from linstudy.models.network import Stateless
from linstudy.spec.train import Linearize, Train
from linstudy.tangent import freeze, linearize
from linstudy.tasks.labelled import Labelled
from linstudy.train.fit import fit
from linstudy.train.function_space import SpanLearner, make_span
from linstudy.train.learner import Course
from linstudy.train.network import NetworkLearner

LEGEND = """LeNet's linearization at initialization, batches of 128, evaluation of all training and test samples \
after each epoch. In function space all targets train together; the time is that of the first call, with compilation \
and both Grams, measured whole. The parameter path is measured over few epochs of one target, after an epoch to warm \
up, and multiplied by epochs and targets; `nt.linearize` likewise, its steps alone, without evaluation."""

Size = tuple[int, int, int, int, int]
"""Training and test samples, targets, epochs, and epochs measured of the parameter path."""


def _size(settings: Settings) -> Size:
    if settings.smoke:
        return 2 * BATCH, 64, 2, 2, 1
    if settings.quick:
        return 10_000, 1_000, 20, 100, 1
    return 10_000, 1_000, 20, 100, 3


def section(settings: Settings) -> Section:
    """Both ways, and the peer's."""
    train, test, targets, epochs, few = _size(settings)
    inputs = images(train + test)
    tasks = [_task(inputs, train, seed) for seed in range(targets)]
    anchor = freeze(*settings.network(settings.lenet))
    spec = Train(epochs=epochs, linearize=Linearize())
    gram, whole = _in_function_space(anchor, tasks, spec)
    path = _by_parameters(anchor, tasks[0], spec, few)
    steps = settings.measure([Candidate("nt.linearize", calls(_peer_step(anchor, tasks[0])))])[0]
    setting = f"m = {train:,} + {test:,}, {targets} targets, {epochs} epochs"
    projected = f"projected from {few} epochs of one target, {path:.3g} s each"
    lines = [
        Line(setting, "linstudy, function space", whole, 1.0, remark=f"measured; the Grams took {gram:.3g} s of it"),
        Line(setting, "linstudy, parameter path", *_times(path * epochs * targets, whole), remark=projected),
    ]
    if steps.seconds is None:
        return _section([*lines, Line(setting, steps.name, remark=steps.remark)])
    total = steps.seconds * (train // BATCH) * epochs * targets
    remark = f"projected from steps of {steps.seconds * 1e3:.3g} ms, no evaluation"
    return _section([*lines, Line(setting, steps.name, *_times(total, whole), remark=remark)])


def _section(lines: list[Line]) -> Section:
    return Section("Linear training in function space", LEGEND, lines)


def _times(seconds: float, ours: float) -> tuple[float, float]:
    return seconds, seconds / ours


def _task(inputs: np.ndarray, train: int, seed: int) -> Labelled:
    signs = labels(len(inputs), seed)
    return Labelled(inputs[:train], signs[:train], inputs[train:], signs[train:])


def _in_function_space(anchor: Callable[..., Any], tasks: list[Labelled], spec: Train) -> tuple[float, float]:
    """Seconds of the span, and of everything."""
    start = time.perf_counter()
    span = make_span(anchor, together(tasks[0]), len(tasks[0].train_inputs))
    made = time.perf_counter() - start
    learners = [SpanLearner(Course(task, spec, 0), span, False) for task in tasks]
    for _ in fit(learners, spec.epochs):
        pass
    return made, time.perf_counter() - start


def _by_parameters(anchor: Callable[..., Any], task: Labelled, spec: Train, few: int) -> float:
    """Seconds of an epoch."""
    learner = NetworkLearner(Stateless(linearize(anchor)), None, together(task), Course(task, spec, 0))
    results = fit([learner], 1 + few)
    for _ in range(2):
        next(results)
    start = time.perf_counter()
    for _ in results:
        pass
    return (time.perf_counter() - start) / few


def _peer_step(anchor: Callable[..., Any], task: Labelled) -> Callable[[], Any]:
    return peers.linear_step(anchor, jnp.asarray(task.train_inputs[:BATCH]), jnp.asarray(task.train_labels[:BATCH]))
