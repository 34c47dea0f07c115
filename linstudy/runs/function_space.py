"""The spans in which linearizations train, each made once for the runs that follow one another."""

import hashlib
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array

from linstudy.models.network import Stateless
from linstudy.tangent import Linearized
from linstudy.train.function_space import Span, SpanLearner, make_span
from linstudy.train.learner import Course

_LAST: dict[str, Span] = {}


def span_learner(model: Any, inputs: Array, course: Course, progress: Callable[[float], None]) -> SpanLearner:
    """The training in function space of a linearization, as `starting_point` gives it."""
    assert isinstance(model, Stateless)
    assert isinstance(model.model, Linearized)
    return SpanLearner(course, span_of(model.model.anchor.value, inputs, course.train, progress), model.model.centred)


def span_of(anchor: Any, inputs: Array, train: int, progress: Callable[[float], None]) -> Span:
    """The span of the tangent features at an anchor; the last one is kept, since the next run mostly has the same."""
    key = _digest((anchor, inputs, train))
    if key not in _LAST:
        _LAST.clear()
        _LAST[key] = make_span(anchor, inputs, train, progress=progress)
    return _LAST[key]


def _digest(tree: Any) -> str:
    """SHA-256 over the structure, the arrays, and the precision of products."""
    arrays, rest = eqx.partition(tree, lambda leaf: isinstance(leaf, jax.Array | np.ndarray))
    precision = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    digest = hashlib.sha256(f"{rest} {jax.tree.structure(tree)} {precision}".encode())
    for leaf in map(np.asarray, jax.tree.leaves(arrays)):
        digest.update(f"{leaf.dtype.str} {leaf.shape}\n".encode())
        digest.update(np.ascontiguousarray(leaf).data)
    return digest.hexdigest()
