"""Eigenvectors that products in float32 found, corrected in float64.

Their span holds the right ones but for what rounding put outside of it. So one precise product, with the Gram's part
in the first of them left apart, finds the pairs in the span (Rayleigh and Ritz), with their residuals r; and one step
along each r, whose product with the Gram may be rounded since r is small, takes most of what is outside away: rounding
goes in all directions alike, and the Gram is small in nearly all of them.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from linstudy.tangent.decomposition import eigenpairs
from linstudy.tangent.symmetric import Part, product, quick_product
from linstudy.tangent.tiling import Progress, tile_slices

_COLUMNS = 2048
_APART = 64
_DRAWS = 64
_OWN_STREAM = 20_011
"""A seed that the search did not start from: residuals are anything but independent of its first vectors."""
_SHARE_OF_PRECISE = 0.7


def _dots(left: Float[np.ndarray, "rows samples"], right: Float[np.ndarray, "rows samples"]) -> np.ndarray:
    return np.einsum("ij,ij->i", left, right)


def _ratio(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    return np.divide(over, under, out=np.zeros_like(over), where=under > 0)


def _ritz(
    gram: Any, values: np.ndarray, vectors: np.ndarray, progress: Progress
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The eigenpairs of Θ in the span of `vectors`, with Θv − λv."""
    images, first = np.empty_like(vectors), Part(values[:_APART], vectors[:_APART])
    for rows in tile_slices(len(vectors), _COLUMNS):
        images[rows] = quick_product(gram, vectors[rows].T, first).T
        progress(_SHARE_OF_PRECISE * rows.stop / len(vectors))
    values, turn = eigenpairs(vectors @ images.T)
    vectors, images = turn.T @ vectors, turn.T @ images
    images -= values[:, None] * vectors
    # In the span they are 0 but for rounding, of which a step along them would make λ₁ / λ_j times as much.
    images -= images @ vectors.T @ vectors
    return values, vectors, images


def _step(gram: Any, values: np.ndarray, vectors: np.ndarray, residuals: np.ndarray) -> None:
    """Move each vector along its residual r so that the new one, r + s (Θ − λ) r, is smallest.

    In place. Residuals are scaled to norm 1 for the product: their entries may be too small for float32.
    """
    sizes = np.sqrt(_dots(residuals, residuals))
    residuals *= _ratio(np.ones_like(sizes), sizes)[:, None]
    slopes = quick_product(gram, residuals.T).T - values[:, None] * residuals
    steps = _ratio(-_dots(residuals, slopes), _dots(slopes, slopes))
    vectors += (sizes * steps)[:, None] * residuals


def _orthonormal(vectors: Float[np.ndarray, "rows samples"]) -> np.ndarray:
    """The nearest orthonormal rows, where the given ones are nearly so: V − (VVᵀ − 1) V / 2."""
    return (1.5 * np.eye(len(vectors)) - 0.5 * (vectors @ vectors.T)) @ vectors


def drawn_residuals(
    gram: Any, values: Float[np.ndarray, " count"], vectors: Float[np.ndarray, "count samples"]
) -> Float[np.ndarray, " count"]:
    """‖Θv − λv‖ of each pair, by products in float64 of Θ with 64 random vectors in place of one with each v.

    Each is right to 9 % (one standard deviation, of √(χ²/64)).
    """
    generator = np.random.default_rng(_OWN_STREAM)
    draws = generator.standard_normal((_DRAWS, vectors.shape[1]))
    left = product(gram, draws.T).T @ vectors.T - draws @ vectors.T * values
    return np.sqrt(np.mean(np.square(left), axis=0))


def corrected(
    gram: Float[np.ndarray, "samples samples"],
    values: Float[np.ndarray, " count"],
    vectors: Float[np.ndarray, "count samples"],
    progress: Progress,
) -> tuple[Float[np.ndarray, " count"], Float[np.ndarray, "count samples"], Float[np.ndarray, " count"]]:
    """Eigenvalues, decreasing, eigenvectors, one a row, and `drawn_residuals`, from orthonormal rows near eigenvectors.

    Args:
        gram: In float32.
        values: About the eigenvalues, decreasing.
    """
    values, vectors, residuals = _ritz(gram, values, vectors, progress)
    for rows in tile_slices(len(values), _COLUMNS):
        _step(gram, values[rows], vectors[rows], residuals[rows])
        progress(_SHARE_OF_PRECISE + (1 - _SHARE_OF_PRECISE) * rows.stop / len(values))
    vectors = _orthonormal(vectors)
    return values, vectors, drawn_residuals(gram, values, vectors)
