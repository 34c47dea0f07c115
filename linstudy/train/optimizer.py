"""Optimizers and learning-rate schedules."""

import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import optax

from linstudy.spec.train import AdamOptimizer, Optimizer, Schedule, SgdOptimizer, Train


def _sgd(spec: SgdOptimizer, learning_rate: optax.Schedule) -> optax.GradientTransformation:
    return optax.sgd(learning_rate, momentum=spec.momentum)


def _adam(spec: AdamOptimizer, learning_rate: optax.Schedule) -> optax.GradientTransformation:
    return optax.adam(learning_rate)


OPTIMIZERS: dict[str, Callable[..., optax.GradientTransformation]] = {"sgd": _sgd, "adam": _adam}

SCHEDULES: dict[str, Callable[[float, int], optax.Schedule]] = {
    "linear": lambda peak, steps: optax.linear_schedule(peak, 0.0, steps),
    "constant": lambda peak, steps: optax.constant_schedule(peak),
    "one_cycle": lambda peak, steps: optax.linear_onecycle_schedule(steps, peak),
}


def make_optimizer(train: Train, steps: int) -> optax.GradientTransformation:
    """The optimizer of a training of `steps` updates, at a peak learning rate of 1.

    Whoever uses it multiplies its updates by the learning rate, an array: trainings that differ in it share compiled
    code, and train as one program.
    """
    unit = train.optimizer.model_copy(update={"learning_rate": 1.0})
    return _make(unit, train.schedule, max(steps, 1))  # type: ignore[arg-type]


@functools.lru_cache
def _make(spec: Optimizer, name: Schedule, steps: int) -> optax.GradientTransformation:
    """Equal arguments give one object, so that compiled code is shared."""
    schedule = SCHEDULES[name](1.0, steps)

    def learning_rate(count: Any) -> Any:
        # as a float of the training's own precision, since optax makes a float32 of its integer count
        return schedule(jnp.asarray(count).astype(float))

    return OPTIMIZERS[spec.kind](spec, learning_rate)
