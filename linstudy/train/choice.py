"""Whether several networks train faster stacked or one after another, by measurement."""

import time
from collections.abc import Sequence

import jax
import numpy as np

from linstudy.resources import Cache
from linstudy.tangent.parameters import signature
from linstudy.tangent.placement import device_count
from linstudy.train.fit import batch_orders, block_logits, call_step
from linstudy.train.group import Group
from linstudy.train.learner import Learner

REPEATS = 3

WORTH_MEASURING = 1000
"""Updates of all runs together, below which compiling both ways takes longer than either saves."""

HOPELESS = 1.5
"""Two a device that take this many times as long as one after another end the measurement, before it takes minutes."""


def stacking_pays(learners: Sequence[Learner], epochs: int, cache: Cache) -> bool:
    """Whether alike learners train faster as one program.

    Always on accelerators. On CPUs, where stacked convolutions can be slower, a few updates and a block of the
    evaluation are timed both ways.

    Args:
        cache: Keeps what was found for the shape of the learners.
    """
    if len(learners) == 1 or jax.default_backend() != "cpu":
        return True
    course = learners[0].course
    if epochs * course.steps * len(learners) < WORTH_MEASURING:
        return False
    shape = signature(learners[0])
    if shape is None:
        return _measured(learners)
    known = cache.of("stacking", None, dict)
    key = (len(learners), shape)
    if key not in known:
        known[key] = _measured(learners)
    return known[key]


def _measured(learners: Sequence[Learner]) -> bool:
    alone = _epoch_seconds(learners[:1])
    few = learners[: 2 * device_count()]
    if len(few) < len(learners) and _epoch_seconds(few) > HOPELESS * len(few) * alone:
        return False
    return _epoch_seconds(learners) < len(learners) * alone


def _epoch_seconds(learners: Sequence[Learner]) -> float:
    """The time that an epoch of these together takes, from the fastest of some updates and blocks."""
    group, course = Group(learners), learners[0].course
    state = group.joined([learner.begin() for learner in learners])
    orders = batch_orders(group, learners)(1)
    updates, blocks = [], []
    for _ in range(1 + REPEATS):
        start = time.perf_counter()
        state, value = call_step((group, orders, np.asarray(0)), state)
        jax.block_until_ready((state, value))
        updates.append(time.perf_counter() - start)
    samples = course.train + course.test
    size = min(learners[0].block or samples, samples)
    for _ in range(1 + REPEATS):
        start = time.perf_counter()
        jax.block_until_ready(block_logits(group, state, np.asarray(0), size))
        blocks.append(time.perf_counter() - start)
    return course.steps * min(updates[1:]) + -(-samples // size) * min(blocks[1:])
