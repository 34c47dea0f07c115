"""Optimizers and learning-rate schedules."""

import functools
from collections.abc import Callable

import optax

from linstudy.spec.train import AdamOptimizer, SgdOptimizer, Train


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


@functools.lru_cache
def make_optimizer(train: Train, steps: int) -> optax.GradientTransformation:
    """The optimizer of a training of `steps` updates; equal arguments give one object, so compiled code is shared."""
    schedule = SCHEDULES[train.schedule](train.optimizer.learning_rate, max(steps, 1))
    return OPTIMIZERS[train.optimizer.kind](train.optimizer, schedule)
