"""A training state as named arrays, and back."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from linstudy.spec.errors import LinstudyError

SPAN = "span:"
"""What the names begin with of the arrays that a training in function space adds, to go on from."""

_OTHERS = "span"
"""What those of earlier versions begin with as well. Their states go on through the parameters."""


def to_arrays(tree: Any) -> dict[str, np.ndarray]:
    """The arrays of a pytree by their path, such as `.parameters.hidden[0].weight`."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def ordinary(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those arrays of a checkpoint that every training of its model has."""
    return {name: array for name, array in arrays.items() if not name.startswith(_OTHERS)}


def in_span(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The state in function space that a checkpoint holds; empty if it was made through the parameters."""
    return {name.removeprefix(SPAN): array for name, array in arrays.items() if name.startswith(SPAN)}


def with_span(arrays: Mapping[str, np.ndarray], span: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A checkpoint with a state in function space."""
    return {**arrays, **{SPAN + name: array for name, array in span.items()}}


def from_arrays(template: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """A pytree of the structure of `template` with stored arrays.

    Raises:
        LinstudyError: If the arrays are not those of such a pytree.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(template)
    names = [jax.tree_util.keystr(path) for path, _ in leaves]
    if set(names) != set(arrays):
        odd = sorted(set(names) ^ set(arrays))[:3]
        raise LinstudyError(f"the checkpoint does not fit the model: {', '.join(odd)} stand in only one of them")
    for name, (_, leaf) in zip(names, leaves, strict=True):
        if np.shape(leaf) != arrays[name].shape:
            raise LinstudyError(
                f"the checkpoint does not fit the model: {name} is {arrays[name].shape}, not {np.shape(leaf)}"
            )
    return jax.tree_util.tree_unflatten(structure, [jnp.asarray(arrays[name]) for name in names])
