"""What of a model is trained: every inexact array that is not frozen."""

from collections.abc import Hashable
from typing import Any, final

import equinox as eqx
import jax
from jaxtyping import PyTree


class Sealed(eqx.Module):
    """A module whose parts are not called as layers of the model around it, so that none may be put in their place."""


@final
class Frozen(Sealed):
    """Arrays of a model that are not its parameters: batch-norm statistics, the anchor of a linearization."""

    value: PyTree


def is_sealed(node: Any) -> bool:
    """Whether the layers inside a node must stay as they are; `Shared` puts parts of them back by their place."""
    return isinstance(node, Sealed | eqx.nn.Shared)


def is_frozen(node: Any) -> bool:
    """Whether nothing inside a node is trained."""
    return isinstance(node, Frozen | eqx.nn.StateIndex)


def _is_parameter(node: Any) -> bool:
    return not is_frozen(node) and eqx.is_inexact_array(node)


def split(model: PyTree) -> tuple[PyTree, PyTree]:
    """Separate the parameters θ of `model` from everything else.

    Returns:
        Two trees of the model's structure, `(parameters, static)`, each with None where the other has a leaf.
        Arrays under `Frozen`, and the initial values of a stateful layer, are static.
    """
    mask = jax.tree.map(_is_parameter, model, is_leaf=is_frozen)
    return eqx.partition(model, mask)


def merge(parameters: PyTree, static: PyTree) -> PyTree:
    """The model that `split` took apart, perhaps with other parameters."""
    return eqx.combine(parameters, static)


def parameter_count(model: PyTree) -> int:
    """The number n of parameters of `model`."""
    parameters, _ = split(model)
    return sum(leaf.size for leaf in jax.tree.leaves(parameters))


def signature(tree: PyTree) -> Hashable | None:
    """All of a tree but its arrays' values: what two trees of one signature do is traced alike.

    Returns:
        None if something in the tree has no hash.
    """
    leaves, structure = jax.tree.flatten(tree)
    kinds = tuple((leaf.shape, leaf.dtype) if eqx.is_array(leaf) else (type(leaf), leaf) for leaf in leaves)
    try:
        hash((structure, kinds))
    except TypeError:
        return None
    return structure, kinds
