"""Several learners as one."""

from collections.abc import Callable, Sequence
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from linstudy.tangent.placement import Shares
from linstudy.train.learner import Learner


@final
class Group(eqx.Module):
    """Learners of one shape: the arrays in which they differ stacked, what they share held once.

    A group of one has nothing stacked, so that its program is that of the learner alone. A larger one is spread over
    the local devices along the axis of runs, which is longer than `count` where learners are repeated to fill it up.
    """

    own: Any
    shared: Any
    count: int = eqx.field(static=True)
    shares: Shares

    def __init__(self, learners: Sequence[Learner]):
        self.count, self.shares = len(learners), Shares(len(learners))
        structure = jax.tree.structure(learners[0])
        own, shared = [], []
        for several in zip(*map(jax.tree.leaves, learners), strict=True):
            differ = eqx.is_array(several[0]) and any(leaf is not several[0] for leaf in several)
            own.append(self.joined(several) if differ else None)
            same = self.shares.everywhere(several[0]) if eqx.is_array(several[0]) else several[0]
            shared.append(None if differ else same)
        self.own, self.shared = structure.unflatten(own), structure.unflatten(shared)

    def each(self, function: Callable[..., Any], *arguments: Any, axes: tuple[int | None, ...] | None = None) -> Any:
        """`function(learner, *arguments)` of all, the arguments taken along their axis of runs, 0 unless said."""
        if self.count == 1:
            return function(self.shared, *arguments)
        arrays, rest = eqx.partition(self.shared, eqx.is_array)

        def of_one(own: Any, shared: Any, *its: Any) -> Any:
            return function(eqx.combine(own, shared, rest), *its)

        along = (0, None, *(axes or (0,) * len(arguments)))
        return self.shares.mapped(of_one, along)(self.own, arrays, *arguments)

    def joined(self, trees: Sequence[PyTree[Array]]) -> PyTree[Array]:
        """What each has, such as its state, as one."""
        if self.count == 1:
            return trees[0]
        return self.shares.apart(jax.tree.map(lambda *leaves: jnp.stack(leaves), *self.shares.filled(trees)))

    def with_axis(self, tree: PyTree[Array]) -> PyTree[Array]:
        """What `each` or `joined` gave, with an axis of runs also where there is one run."""
        return jax.tree.map(lambda leaf: leaf[None], tree) if self.count == 1 else tree


def can_group(one: Learner, other: Learner) -> bool:
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
