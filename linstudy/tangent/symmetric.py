"""A symmetric Gram, wherever it is: in memory, in a file, on an accelerator, or nowhere but in its products."""

from itertools import combinations_with_replacement
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from linstudy.tangent.features import full_precision
from linstudy.tangent.tiling import ahead, tile_slices

_CAST_BYTES = 2**26
_CAST_ROWS = 512
_RUN = 512
_TILE = 2048


@runtime_checkable
class Operator(Protocol):
    """A Gram that is only ever multiplied."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> Any: ...

    def __matmul__(self, vectors: Any, /) -> Any: ...


Gram = Float[Array | np.ndarray, "rows columns"] | Operator


def on_host(gram: Any) -> Any:
    """A Gram in the host's memory, or in a file, as a numpy array; others as they are."""
    on_host = isinstance(gram, jax.Array) and all(device.platform == "cpu" for device in gram.devices())
    return np.asarray(gram) if on_host else gram


def _asymmetry(matrix: np.ndarray) -> tuple[float, float]:
    """The largest difference from a mirror image, and the largest size of an entry; NaN where there is one."""
    asymmetry = scale = 0.0
    for rows, columns in combinations_with_replacement(tile_slices(len(matrix), _TILE), 2):
        tile = matrix[rows, columns]
        mirrored = matrix[columns, rows].T
        difference = tile - mirrored
        asymmetry = np.maximum(asymmetry, np.max(np.abs(difference, out=difference)))
        scale = np.max([scale, tile.max(), -tile.min(), mirrored.max(), -mirrored.min()])
    return float(asymmetry), float(scale)


def _operator_asymmetry(operator: Any) -> tuple[float, float]:
    """⟨u, Θv⟩ − ⟨Θu, v⟩ of random vectors, over the mean size of their entries, and what to compare it with."""
    vectors = np.random.default_rng(0).standard_normal((operator.shape[0], 4))
    images = product(operator, vectors)
    forms = vectors.T @ images
    sizes = np.linalg.norm(vectors, axis=0).max() * np.linalg.norm(images, axis=0).max()
    return float(np.max(np.abs(forms - forms.T))), float(sizes)


def check_symmetric(gram: Any) -> None:
    """Raise unless a Gram is square, finite and symmetric; an operator is asked for products alone.

    Raises:
        ValueError: With what was found.
    """
    if len(gram.shape) != 2 or gram.shape[0] != gram.shape[1]:
        raise ValueError(
            f"The Gram is {' by '.join(map(str, gram.shape))}: a spectrum needs a square one, "
            "`ntk_gram(model, inputs)` without `others`."
        )
    dense = isinstance(gram, np.ndarray)
    with np.errstate(invalid="ignore"):
        asymmetry, scale = _asymmetry(gram) if dense else _operator_asymmetry(gram)
    if not np.isfinite(scale):
        raise ValueError("The Gram has entries that are not finite: look at the model's outputs and parameters first.")
    if asymmetry > np.sqrt(np.finfo(gram.dtype).eps) * scale:
        how = "entries differ from their mirror images" if dense else "⟨u, Θv⟩ and ⟨Θu, v⟩ of random u and v differ"
        raise ValueError(f"The Gram is not symmetric: {how} by up to {asymmetry:.3g}.")


def apply_gram(
    gram: Float[Array | np.ndarray, "rows samples"], vectors: Float[np.ndarray, "samples *columns"]
) -> Float[np.ndarray, "rows *columns"]:
    """Θ V in float64, without a float64 copy of Θ."""
    matrix = np.asarray(gram)
    if matrix.dtype == np.float64:
        return matrix @ vectors
    # Below 512 rows, products with many columns spend their time on reading the columns.
    height = max(_CAST_ROWS, _CAST_BYTES // (8 * matrix.shape[1]))
    # One buffer for all blocks: to map fresh memory for each costs more than the conversion.
    buffer, product = np.empty((min(height, len(matrix)), matrix.shape[1])), np.empty((len(matrix), *vectors.shape[1:]))
    for rows in tile_slices(len(matrix), height):
        block = buffer[: rows.stop - rows.start]
        np.copyto(block, matrix[rows])
        product[rows] = block @ vectors
    return product


def _apply_on_device(gram: Array, vectors: np.ndarray) -> np.ndarray:
    height = max(1, 8 * _CAST_BYTES // (8 * gram.shape[1]))
    with jax.enable_x64(True), full_precision():
        columns = jnp.asarray(vectors)
        blocks = [gram[rows].astype(jnp.float64) @ columns for rows in tile_slices(gram.shape[0], height)]
        return np.concatenate([np.asarray(block) for block in blocks])


@jax.jit
def _rows_product(rows: Array, vectors: Array) -> Array:
    """Vᵀ Θ of some rows of both, which XLA's CPU kernels multiply at their full rate for few columns too."""
    return lax.dot_general(vectors, rows, (((0,), (0,)), ((), ())), precision=lax.Precision.HIGHEST)


def quick_product(
    gram: Float[np.ndarray, "samples samples"], vectors: Float[np.ndarray, "samples columns"]
) -> Float[np.ndarray, "samples columns"]:
    """Θ V of a symmetric float32 array, in half the time of `product`: in float32 over runs of 512 rows, whose sums are
    added up in float64.

    Rounding in a run leaves about ε λ₁ √(256 / m) of an image for Θ with entries near their mean λ₁ / m, where rounding
    the entries of Θ itself leaves ε λ₁ / √m: of 60,000 samples 4e-9 λ₁ and 2e-10 λ₁.
    """
    columns, total = vectors.astype(np.float32), np.zeros(vectors.T.shape)
    runs = (_rows_product(gram[rows], columns[rows]) for rows in tile_slices(len(gram), _RUN))
    for part in ahead(runs):
        total += np.asarray(part)
    return total.T


def product(gram: Any, vectors: Float[np.ndarray, "samples columns"]) -> Float[np.ndarray, "samples columns"]:
    """Θ V where Θ is: an array accumulates in float64, by blocks of rows; an operator takes V in its own precision.

    float32 products would leave 1e-7 λ₁ of every residual, and thus nothing of an eigenvector whose gap is smaller:
    of the later ones, for the spectra of networks. `quick_product` is for what is corrected afterwards.
    """
    if isinstance(gram, np.ndarray):
        return apply_gram(gram, vectors)
    if isinstance(gram, jax.Array):
        return _apply_on_device(gram, vectors)
    return np.asarray(gram @ vectors.astype(gram.dtype), np.float64)


def rounding(gram: Any) -> float:
    """What the rounding of products leaves of a residual, over λ₁: 2e-14 in float64, as of all arrays, else 2e-6."""
    exact = isinstance(gram, np.ndarray | jax.Array) or gram.dtype == np.float64
    return 2e-14 if exact else 16 * float(np.finfo(gram.dtype).eps)


def own_rounding(gram: Any) -> float:
    """‖Ev‖ / λ₁ where E rounds each entry of a Gram whose mean entry is λ₁ / m: ε / √m."""
    return float(np.finfo(gram.dtype).eps) / np.sqrt(gram.shape[0])


def has_entries(gram: Any) -> bool:
    """Whether a Gram is an array, whose products cost no more than its entries' multiply-adds."""
    return isinstance(gram, np.ndarray | jax.Array)


def entries_of(gram: Any) -> np.ndarray:
    """All entries of a Gram: of an operator, its product with the identity."""
    return np.asarray(gram) if has_entries(gram) else product(gram, np.eye(gram.shape[0]))
