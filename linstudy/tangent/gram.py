"""The empirical neural tangent kernel of a model, as a Gram matrix."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from linstudy.tangent.features import batch_features, check_scalar_output, full_precision
from linstudy.tangent.parameters import split
from linstudy.tangent.tiling import Progress, Tile, assemble, padded_rows, report, tile_count, tile_slices

DEFAULT_TILE = 256
DEFAULT_MEMORY_BUDGET = 2**31


def _flat(leaf: Float[Array, "samples ..."]) -> Float[Array, "samples parameters"]:
    return leaf.reshape(leaf.shape[0], -1)


@eqx.filter_jit
def _contract(left: PyTree, right: PyTree) -> Float[Array, "tile tile"]:
    with full_precision():
        products = jax.tree.map(lambda a, b: _flat(a) @ _flat(b).T, left, right)
    return functools.reduce(jnp.add, jax.tree.leaves(products))


def feature_bytes(model: Callable[..., Any]) -> int:
    """Memory of the tangent features of one sample."""
    parameters, _ = split(model)
    return sum(leaf.nbytes for leaf in jax.tree.leaves(parameters))


def feature_dtype(model: Callable[..., Any]) -> np.dtype:
    """The precision of the tangent features."""
    parameters, _ = split(model)
    return np.result_type(*(leaf.dtype for leaf in jax.tree.leaves(parameters)))


def _tiles_held(tiles: int, tile_bytes: int, memory_budget: int) -> int:
    """How many row tiles' features to keep: all of them, or all that leave room for one column tile."""
    affordable = memory_budget // tile_bytes
    return tiles if tiles <= affordable else max(1, affordable - 1)


def _tiles(
    model: Callable[..., Any],
    inputs: np.ndarray,
    others: np.ndarray | None,
    tile: int,
    held: int,
) -> Iterator[Tile]:
    """The tiles of the Gram, block by block of `held` row tiles whose features are kept."""
    across = inputs if others is None else others
    rows, columns = tile_slices(len(inputs), tile), tile_slices(len(across), tile)
    for start in range(0, len(rows), held):
        block = range(start, min(start + held, len(rows)))
        kept = {row: batch_features(model, padded_rows(inputs, rows[row], tile)) for row in block}
        for column in range(start if others is None else 0, len(columns)):
            if others is None and column in kept:
                right = kept[column]
            else:
                right = batch_features(model, padded_rows(across, columns[column], tile))
            for row, left in kept.items():
                if others is not None or row <= column:
                    yield rows[row], columns[column], _contract(left, right)


def ntk_gram(
    model: Callable[..., Any],
    inputs: Float[Array | np.ndarray, "samples *shape"],
    others: Float[Array | np.ndarray, "others *shape"] | None = None,
    *,
    tile: int = DEFAULT_TILE,
    memory_budget: int = DEFAULT_MEMORY_BUDGET,
    progress: Progress | None = None,
) -> Float[np.ndarray, "samples others"]:
    """The Gram of the tangent kernel: Θ(x, x') = ∇_θ f(x)ᵀ ∇_θ f(x').

    Without `others` only the tiles on and above the diagonal are computed, and the result is exactly symmetric.
    Features are computed once if all fit the memory budget; otherwise once for every block of rows that does.
    The result is assembled in the memory of the host, in the parameters' dtype. Products of float32 are true float32
    products, unless called under `jax.default_matmul_precision`.

        gram = ntk_gram(model, train_inputs)
        cross = ntk_gram(model, test_inputs, train_inputs)

    Args:
        tile: Samples whose features are computed, and contracted, at once. Fewer if two tiles exceed the budget.
        memory_budget: Bytes of features held at a time. Neither it nor `tile` changes the result beyond rounding.

    Raises:
        ValueError: If the output of `model` is not a scalar.

    Source: Jacot et al., arXiv:1806.07572; arXiv:2106.06770, section 2.
    """
    inputs = np.asarray(inputs)
    across = inputs if others is None else np.asarray(others)
    if len(inputs) == 0 or len(across) == 0:
        raise ValueError(f"A Gram needs samples on both sides, got {len(inputs)} and {len(across)}.")
    check_scalar_output(model, jnp.asarray(inputs[0]))
    symmetric = others is None
    tile = min(tile, max(len(inputs), len(across)), max(1, memory_budget // (2 * feature_bytes(model))))
    row_tiles, column_tiles = len(tile_slices(len(inputs), tile)), len(tile_slices(len(across), tile))
    held = _tiles_held(row_tiles, tile * feature_bytes(model), memory_budget)
    return assemble(
        np.empty((len(inputs), len(across)), feature_dtype(model)),
        _tiles(model, inputs, None if symmetric else across, tile, held),
        symmetric=symmetric,
        progress=report(progress, tile_count(row_tiles, column_tiles, symmetric)),
    )
