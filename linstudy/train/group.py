"""Several learners as one."""

from collections.abc import Callable, Sequence
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from linstudy.train.learner import Learner, TrainingState


@final
class Group(eqx.Module):
    """Learners of one shape: the arrays in which they differ stacked, what they share held once.

    A group of one has nothing stacked, so that its program is that of the learner alone.
    """

    own: Any
    shared: Any
    count: int = eqx.field(static=True)

    def __init__(self, learners: Sequence[Learner]):
        self.count = len(learners)
        structure = jax.tree.structure(learners[0])
        own, shared = [], []
        for several in zip(*map(jax.tree.leaves, learners), strict=True):
            differ = eqx.is_array(several[0]) and any(leaf is not several[0] for leaf in several)
            own.append(jnp.stack(several) if differ else None)
            shared.append(None if differ else several[0])
        self.own, self.shared = structure.unflatten(own), structure.unflatten(shared)

    def each(self, function: Callable[..., Any], *arguments: Any, axes: tuple[int | None, ...] | None = None) -> Any:
        """`function(learner, *arguments)` of all, the arguments taken along their axis of runs, 0 unless said."""
        if self.count == 1:
            return function(self.shared, *arguments)

        def of_one(own: Any, *its: Any) -> Any:
            return function(eqx.combine(own, self.shared), *its)

        return jax.vmap(of_one, in_axes=(0, *(axes or (0,) * len(arguments))))(self.own, *arguments)

    def joined(self, states: Sequence[TrainingState]) -> TrainingState:
        """The states of all as one."""
        return states[0] if self.count == 1 else jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)

    def with_axis(self, tree: PyTree[Array]) -> PyTree[Array]:
        """What `each` or `joined` gave, with an axis of runs also where there is one run."""
        return jax.tree.map(lambda leaf: leaf[None], tree) if self.count == 1 else tree


def alike(one: Learner, other: Learner) -> bool:
    """Whether two learners can be in one group: they differ in the values of arrays alone."""
    leaves, others = jax.tree.leaves(one), jax.tree.leaves(other)
    return jax.tree.structure(one) == jax.tree.structure(other) and all(map(_fit, leaves, others))


def _fit(leaf: Any, other: Any) -> bool:
    if eqx.is_array(leaf) and eqx.is_array(other):
        return leaf.shape == other.shape and leaf.dtype == other.dtype
    if isinstance(leaf, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(leaf, other)
    return leaf is other or leaf == other


def own_bytes(one: Learner, other: Learner) -> int:
    """What one more learner adds to the arrays of a group."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return sum(leaf.nbytes for leaf, shared in pairs if eqx.is_array(leaf) and leaf is not shared)
