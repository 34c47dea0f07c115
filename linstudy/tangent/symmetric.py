"""A symmetric Gram, wherever it is: in memory, in a file, on an accelerator, or nowhere but in its products."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from linstudy.tangent.features import full_precision
from linstudy.tangent.tiling import tile_slices

_CAST_BYTES = 2**26
_CAST_ROWS = 512
_RUN = 1024
_TILE = 2048
_READERS = 4


@runtime_checkable
class Operator(Protocol):
    """A Gram that is only ever multiplied."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> Any: ...

    def __matmul__(self, vectors: Any, /) -> Any: ...


class Part(NamedTuple):
    """The part of a Gram in some eigenvectors, Σ λ v vᵀ."""

    values: Float[np.ndarray, " count"]
    vectors: Float[np.ndarray, "count samples"]

    def block(self, rows: slice, columns: slice) -> Float[np.ndarray, "rows columns"]:
        """Some of its entries."""
        return self.vectors[:, rows].T * self.values @ self.vectors[:, columns]

    def product(self, vectors: Float[np.ndarray, "samples columns"]) -> Float[np.ndarray, "samples columns"]:
        """Its product with V."""
        return self.vectors.T * self.values @ (self.vectors @ vectors)


Gram = Float[Array | np.ndarray, "rows columns"] | Operator


def on_host(gram: Any) -> Any:
    """A Gram in the host's memory, or in a file, as a numpy array; others as they are."""
    on_host = isinstance(gram, jax.Array) and all(device.platform == "cpu" for device in gram.devices())
    return np.asarray(gram) if on_host else gram


def _asymmetry(matrix: np.ndarray) -> tuple[float, float]:
    """The largest difference from a mirror image, and the largest size of an entry; NaN where there is one."""

    def of_tile(tile: tuple[slice, slice]) -> tuple[float, float]:
        rows, columns = tile
        entries, mirrored = matrix[rows, columns], matrix[columns, rows].T
        with np.errstate(invalid="ignore"):
            difference = entries - mirrored
        scale = np.max([entries.max(), -entries.min(), mirrored.max(), -mirrored.min()])
        return float(np.max(np.abs(difference, out=difference))), float(scale)

    tiles = itertools.combinations_with_replacement(tile_slices(len(matrix), _TILE), 2)
    with ThreadPoolExecutor(_READERS) as pool:  # NumPy's loops let other threads go on
        found = np.array(list(pool.map(of_tile, tiles))).reshape(-1, 2)
    asymmetry, scale = found.max(axis=0, initial=0.0)
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


def quick_product(
    gram: Float[np.ndarray, "samples samples"],
    vectors: Float[np.ndarray, "samples columns"],
    apart: Part | None = None,
) -> Float[np.ndarray, "samples columns"]:
    """Θ V of a float32 array, by tiles in float32 whose products are added up in float64.

    In half the time of `product`; rounding leaves about three times of an image what rounding the entries of Θ itself
    leaves. The part of Θ in its first eigenvectors, without which its entries are small, can be left `apart` and is
    then multiplied in float64: with 64 pairs of LeNet's NTK over 7,000 samples, a tenth of `own_rounding` is left.

    Args:
        apart: Some first eigenpairs of Θ, or any numbers and vectors near them.
    """
    columns, total = np.ascontiguousarray(vectors, np.float32), np.zeros(vectors.shape)
    for rows, run in itertools.product(tile_slices(len(gram), _TILE), tile_slices(gram.shape[1], _RUN)):
        tile = gram[rows, run]
        if apart is not None:
            tile = (tile - apart.block(rows, run)).astype(np.float32)
        total[rows] += tile @ columns[run]
    return total if apart is None else total + apart.product(vectors)


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
