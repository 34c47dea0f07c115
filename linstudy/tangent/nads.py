"""Neural anisotropy directions: the inputs' directions, in the order in which a network prefers them.

MᵀM of d directions costs n d² / 2 multiply-adds as a product of M with itself, and M has n d numbers: 91 GB for
ResNet18. As Mᵀ(M v), direction by direction, M is never formed: M v is the derivative of x ↦ ∇_θ f(x) along v, and
Mᵀ u pulls u back through it. Each takes the multiply-adds of 4 forward passes, so MᵀM those of 8 d of them: of LeNet
for 32×32 inputs 8 G instead of 75 G, of ResNet18 4.6 T instead of 8.2 T and no pass is repeated for want of memory.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Float, Float64, PyTree

from linstudy.tangent.features import check_scalar_output, output_gradient
from linstudy.tangent.parameters import parameter_count, split
from linstudy.tangent.placement import memory_budget_or_default
from linstudy.tangent.spectrum import fix_signs
from linstudy.tangent.tiling import Progress, padded_rows, report, tile_slices

DEFAULT_BATCH = 64

_COPIES = 4
"""Copies of M v for every direction of a batch that a program is expected to hold; compiled ones held 2.1 to 3.8."""

Weighted = tuple[Float64[Array, "group *shape"], Float64[Array, " group"]]
"""Points of one shape, and their weights in the mean."""


@dataclass(frozen=True)
class Nads:
    """Right singular vectors of M = E_x ∇²_{θ,x} f, in float64, singular values decreasing. All d of them.

    Attributes:
        directions: One per row, of unit norm over the flattened input, the entry of largest magnitude positive.
        singular_values: σ_j; σ_j² is the alignment E[y Θ(x,x') y'] of x ↦ v_jᵀx. They come from MᵀM, so those below
            1e-8 σ₁ are not resolved.
    """

    directions: Float64[np.ndarray, "dimensions dimensions"]
    singular_values: Float64[np.ndarray, " dimensions"]


def _weighted_sum(weights: Float64[Array, " group"], each: PyTree) -> PyTree:
    return jax.tree.map(lambda leaf: jnp.tensordot(weights, leaf, 1), each)


# Loops over batches and points stay in Python: XLA's CPU convolutions are 10 to 20 times slower inside its own loops.
@eqx.filter_jit(donate="all-except-first")
def _add_derivatives(
    place: tuple[Callable[..., Any], Weighted, Float64[Array, "batch *shape"]], total: PyTree
) -> PyTree[Float64[Array, "batch ..."]]:
    """`total` plus the points' part of M v of each direction v, in the structure of the parameters."""
    model, (points, weights), directions = place

    def along(direction: Array, total: PyTree) -> PyTree:
        each = jax.vmap(lambda x: jax.jvp(lambda x: output_gradient(model, x), (x,), (direction,))[1])(points)
        return jax.tree.map(jnp.add, total, _weighted_sum(weights, each))

    return jax.vmap(along)(directions, total)


@eqx.filter_jit
def _pull_back(
    model: Callable[..., Any], weighted: Weighted, vectors: PyTree[Float64[Array, "batch ..."]]
) -> Float64[Array, "batch *shape"]:
    """The points' part of Mᵀ u of each vector u of parameters."""
    points, weights = weighted

    def along(vector: PyTree) -> Array:
        def transposed(x: Array) -> Array:
            return jax.vjp(lambda x: output_gradient(model, x), x)[1](vector)[0]

        return _weighted_sum(weights, jax.vmap(transposed)(points))

    return jax.vmap(along)(vectors)


def _in_float64(model: Callable[..., Any]) -> Callable[..., Any]:
    """The model with every real array in float64, its running statistics too."""

    def cast(leaf: Any) -> Any:
        real = eqx.is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.floating)
        return leaf.astype(jnp.float64) if real else leaf

    return jax.tree.map(cast, model)


def _groups(points: Float64[np.ndarray, "points *shape"], size: int) -> list[Weighted]:
    """The points in groups of `size`, the last one filled up with points of weight zero."""
    weights = np.full(len(points), 1 / len(points))
    fill = np.zeros(-len(points) % size)
    padded = jnp.asarray(np.concatenate([weights, fill]).reshape(-1, size))
    return [(padded_rows(points, rows, size), padded[row]) for row, rows in enumerate(tile_slices(len(points), size))]


def _unit_directions(start: int, batch: int, shape: tuple[int, ...]) -> Float64[Array, "batch *shape"]:
    """The input's axes from `start` on, zero beyond the last."""
    return jnp.asarray(np.eye(batch, int(np.prod(shape)), start)).reshape(batch, *shape)


def _zeros(model: Callable[..., Any], batch: int) -> PyTree[Float64[Array, "batch ..."]]:
    parameters, _ = split(model)
    return jax.tree.map(lambda leaf: jnp.zeros((batch, *leaf.shape)), parameters)


def _peak_bytes(lowered: Any) -> int:
    """Memory of a compiled program: arguments, results and intermediates. The next call finds it compiled."""
    memory = lowered.compile().compiled.memory_analysis()
    if memory is None:  # a backend that does not tell
        return 0
    held = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    return held + memory.temp_size_in_bytes


def _fitting_batch(model: Callable[..., Any], group: Weighted, batch: int, memory_budget: int) -> int:
    """At most `batch` directions, and fewer, but one, if their programs hold more than the budget."""
    batch = min(batch, max(1, memory_budget // (_COPIES * 8 * parameter_count(model))))
    while True:
        directions, vectors = _unit_directions(0, batch, group[0].shape[1:]), _zeros(model, batch)
        inputs = _add_derivatives.lower((model, group, directions), vectors)
        needed = max(_peak_bytes(inputs), _peak_bytes(_pull_back.lower(model, group, vectors)))
        if needed <= memory_budget or batch == 1:
            return batch
        batch = max(1, min(batch - 1, batch * memory_budget // needed))


def _rows(
    model: Callable[..., Any], groups: list[Weighted], directions: Float64[Array, "batch *shape"], step: Iterator[float]
) -> Float64[np.ndarray, "batch dimensions"]:
    """MᵀM of a batch of directions: first the mean over all points of M v, then of Mᵀ applied to it."""
    vectors = _zeros(model, len(directions))
    for group in groups:
        vectors = jax.block_until_ready(_add_derivatives((model, group, directions), vectors))
        next(step)
    rows = np.zeros((len(directions), directions[0].size))
    for group in groups:
        rows += np.asarray(_pull_back(model, group, vectors)).reshape(rows.shape)
        next(step)
    if not np.all(np.isfinite(rows)):
        raise ValueError("The mixed derivative of the model is not finite at these points: look at its outputs first.")
    return rows


def _products(
    model: Callable[..., Any],
    points: Float64[np.ndarray, "points *shape"],
    batch: int,
    memory_budget: int,
    progress: Progress | None,
) -> Float64[np.ndarray, "dimensions dimensions"]:
    """MᵀM, batch of directions by batch of directions."""
    dimensions = points[0].size
    # An input of few dimensions fills a batch with several points.
    groups = _groups(points, min(len(points), max(1, batch // dimensions)))
    batch = _fitting_batch(model, groups[0], min(batch, dimensions), memory_budget)
    starts = range(0, dimensions, batch)
    step = report(progress, 2 * len(groups) * len(starts))
    each = [_rows(model, groups, _unit_directions(start, batch, points.shape[1:]), step) for start in starts]
    return np.concatenate(each)[:dimensions]


def _require_nonzero(
    products: Float64[np.ndarray, "dimensions dimensions"], model: Callable[..., Any], points: int
) -> None:
    if not np.any(products):
        raise ValueError(
            f"The mixed derivative ∇²_{{θ,x}} f of {type(model).__name__} is zero at these {points} points: "
            "it has no directions. At the origin a ReLU without biases has slope 0: use a smooth activation, "
            "such as GELU, or points drawn from N(0, I)."
        )


def nads(
    model: Callable[..., Any],
    points: Float[Array | np.ndarray, "points *shape"],
    *,
    batch: int = DEFAULT_BATCH,
    memory_budget: int | None = None,
    progress: Progress | None = None,
) -> Nads:
    """The NADs of a model: right singular vectors of its mixed derivative, averaged over `points`.

    The paper takes the origin alone; with points drawn from N(0, I) Theorem 1 is exact.

        at_origin = nads(model, jnp.zeros((1, 1, 32, 32)))
        direction = at_origin.directions[0].reshape(1, 32, 32)

    The derivative is the one that automatic differentiation gives, which leaves out the jumps of a ReLU's slope: with a
    smooth activation, such as GELU, Theorem 1 holds; with a ReLU this M is not the one of the theorem.
    Always in float64: a model of float32 parameters is evaluated in float64, since products in float32 would lose
    σ_j below 3e-4 σ₁.

    Args:
        batch: Directions differentiated at once; with fewer dimensions, directions times points.
        memory_budget: Bytes held at a time, of at least one direction, by default as for `ntk_gram`: it lowers `batch`.
            Neither changes the result beyond rounding.

    Raises:
        ValueError: If M is zero, as for a ReLU network without biases at the origin, or not finite, or if there are no
            points.

    Source: arXiv:2106.06770, Theorem 1.
    """
    with jax.enable_x64(True):
        exact, places = _in_float64(model), np.asarray(points, np.float64)
        if len(places) == 0:
            raise ValueError("NADs need at least one point, such as the origin: jnp.zeros((1, *shape)).")
        check_scalar_output(exact, jnp.asarray(places[0]))
        products = _products(exact, places, batch, memory_budget_or_default(memory_budget), progress)
    _require_nonzero(products, model, len(places))
    squares, vectors = scipy.linalg.eigh((products + products.T) / 2)
    return Nads(fix_signs(vectors.T[::-1]), np.sqrt(np.maximum(squares[::-1], 0.0)))
