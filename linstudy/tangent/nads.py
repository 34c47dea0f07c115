"""Neural anisotropy directions: the inputs' directions, in the order in which a network prefers them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int

from linstudy.tangent.features import check_scalar_output, full_precision, output_gradient
from linstudy.tangent.gram import DEFAULT_MEMORY_BUDGET
from linstudy.tangent.parameters import parameter_count
from linstudy.tangent.spectrum import fix_signs
from linstudy.tangent.tiling import Progress, report, tile_slices

DEFAULT_BATCH = 64


@dataclass(frozen=True)
class Nads:
    """Right singular vectors of M = E_x ∇²_{θ,x} f, in float64, singular values decreasing. All d of them.

    Attributes:
        directions: One per row, of unit norm over the flattened input, the entry of largest magnitude positive.
        singular_values: σ_j; σ_j² is the alignment E[y Θ(x,x') y'] of x ↦ v_jᵀx. They come from MᵀM, so those below
            1e-8 σ₁, or the rounding of the model's own precision, are not resolved.
    """

    directions: Float[np.ndarray, "dimensions dimensions"]
    singular_values: Float[np.ndarray, " dimensions"]


@eqx.filter_jit
def _mixed_block(
    model: Callable[..., Any],
    points: Float[Array, "points *shape"],
    directions: Float[Array, "dimensions *shape"],
    start: Int[Array, ""],
    size: int,
    batch: int,
) -> Float[Array, "dimensions size"]:
    """Rows `start` to `start + size` of M, transposed: the derivative of ∇_θ f along each direction of the input."""

    def block_of_gradient(sample: Float[Array, "*shape"]) -> Float[Array, " size"]:
        flat, _ = ravel_pytree(output_gradient(model, sample))
        return jax.lax.dynamic_slice(jnp.pad(flat, (0, -flat.size % size)), (start,), (size,))

    def along(direction: Float[Array, "*shape"]) -> Float[Array, " size"]:
        def add(total: Float[Array, " size"], point: Float[Array, "*shape"]) -> tuple[Float[Array, " size"], None]:
            return total + jax.jvp(block_of_gradient, (point,), (direction,))[1], None

        total, _ = jax.lax.scan(add, jnp.zeros(size, points.dtype), points)
        return total / points.shape[0]

    with full_precision():
        return jax.lax.map(along, directions, batch_size=batch)


def _products(
    model: Callable[..., Any], points: Array, size: int, batch: int, progress: Iterator[float]
) -> Float[np.ndarray, "dimensions dimensions"]:
    """MᵀM in float64, summed over blocks of `size` parameters."""
    dimensions = points[0].size
    directions = jnp.eye(dimensions, dtype=points.dtype).reshape(dimensions, *points.shape[1:])
    total = np.zeros((dimensions, dimensions))
    for rows in tile_slices(parameter_count(model), size):
        block = _mixed_block(model, points, directions, jnp.asarray(rows.start), size, min(batch, dimensions))
        block = np.asarray(block).astype(np.float64)
        total += block @ block.T
        next(progress)
    return total


def nads(
    model: Callable[..., Any],
    points: Float[Array | np.ndarray, "points *shape"],
    *,
    batch: int = DEFAULT_BATCH,
    memory_budget: int = DEFAULT_MEMORY_BUDGET,
    progress: Progress | None = None,
) -> Nads:
    """The NADs of a model: right singular vectors of its mixed derivative, averaged over `points`.

    The paper takes the origin alone; with points drawn from N(0, I) Theorem 1 is exact.

        at_origin = nads(model, jnp.zeros((1, 1, 32, 32)))
        direction = at_origin.directions[0].reshape(1, 32, 32)

    The derivative is the one that automatic differentiation gives, which leaves out the jumps of a ReLU's slope: with a
    smooth activation, such as GELU, Theorem 1 holds; with a ReLU this M is not the one of the theorem.

    Args:
        batch: Directions differentiated at once.
        memory_budget: Bytes of M held at a time; M is recomputed, never stored, by blocks of parameters.

    Raises:
        ValueError: If M is zero, as for a ReLU network without biases at the origin, or not finite.

    Source: arXiv:2106.06770, Theorem 1.
    """
    points = jnp.asarray(points)
    check_scalar_output(model, points[0])
    parameters, dimensions = parameter_count(model), points[0].size
    # The block and its float64 copy.
    size = min(parameters, max(1, memory_budget // (dimensions * (points.dtype.itemsize + 8))))
    step = report(progress, len(tile_slices(parameters, size)))
    products = _products(model, points, size, batch, step)
    if not np.all(np.isfinite(products)):
        raise ValueError("The mixed derivative of the model is not finite at these points: look at its outputs first.")
    if not np.any(products):
        raise ValueError(
            f"The mixed derivative ∇²_{{θ,x}} f of {type(model).__name__} is zero at these {len(points)} points: "
            "it has no directions. At the origin a ReLU without biases has slope 0: use a smooth activation, "
            "such as GELU, or points drawn from N(0, I)."
        )
    squares, vectors = scipy.linalg.eigh(products)
    return Nads(fix_signs(vectors.T[::-1]), np.sqrt(np.maximum(squares[::-1], 0.0)))
