"""The spans in which linearizations train, each made once for the runs that follow one another."""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array

from linstudy.models.network import Stateless
from linstudy.runs.context import gram_room
from linstudy.runs.job import Job
from linstudy.tangent import Linearized
from linstudy.tangent.placement import default_budget
from linstudy.train.function_space import Span, SpanLearner, make_span
from linstudy.train.learner import Course

SPAN = "span"
"""Its name in a cache."""


def span_learner(model: Any, inputs: Array, course: Course, job: Job, progress: Callable[[float], None]) -> SpanLearner:
    """The training in function space of a linearization, as `starting_point` gives it."""
    assert isinstance(model, Stateless)
    assert isinstance(model.model, Linearized)
    return SpanLearner(
        course, span_of(model.model.anchor.value, inputs, course.train, job, progress), model.model.centred
    )


def span_of(anchor: Any, inputs: Array, train: int, job: Job, progress: Callable[[float], None]) -> Span:
    """The span of the tangent features at an anchor, from the job's cache: the next run mostly has the same."""
    budget = default_budget(job.resources.features)

    def make() -> Span:
        room = partial(gram_room, job)
        return make_span(anchor, inputs, train, memory_budget=budget, room=room, progress=progress)

    return job.resources.cache.of(SPAN, _digest((anchor, inputs, train)), make)


def _digest(tree: Any) -> str:
    """SHA-256 over the structure, the arrays, and the precision of products."""
    arrays, rest = eqx.partition(tree, lambda leaf: isinstance(leaf, jax.Array | np.ndarray))
    precision = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    digest = hashlib.sha256(f"{rest} {jax.tree.structure(tree)} {precision}".encode())
    for leaf in map(np.asarray, jax.tree.leaves(arrays)):
        digest.update(f"{leaf.dtype.str} {leaf.shape}\n".encode())
        digest.update(np.ascontiguousarray(leaf).data)
    return digest.hexdigest()
