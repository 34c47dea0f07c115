"""Eigenvectors that products in float32 found, corrected in float64.

Their span holds the right ones but for what rounding put outside of it. So one precise product finds the pairs in the
span (Rayleigh and Ritz), with their residuals r; and one step along each r, whose product with the Gram may be rounded
since r is small, takes most of what is outside away: rounding goes in all directions alike, and the Gram is small in
nearly all of them.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from linstudy.tangent.decomposition import eigenpairs
from linstudy.tangent.symmetric import product, quick_product
from linstudy.tangent.tiling import Progress, tile_slices

_COLUMNS = 512
_SHARE_OF_PRECISE = 0.7


def _dots(left: Float[np.ndarray, "rows samples"], right: Float[np.ndarray, "rows samples"]) -> np.ndarray:
    return np.einsum("ij,ij->i", left, right)


def _ratio(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    return np.divide(over, under, out=np.zeros_like(over), where=under > 0)


def _ritz(gram: Any, vectors: np.ndarray, progress: Progress) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The eigenpairs of Θ in the span of `vectors`, with Θv − λv."""
    images = np.empty_like(vectors)
    for rows in tile_slices(len(vectors), _COLUMNS):
        images[rows] = product(gram, vectors[rows].T).T
        progress(_SHARE_OF_PRECISE * rows.stop / len(vectors))
    values, turn = eigenpairs(vectors @ images.T)
    vectors, images = turn.T @ vectors, turn.T @ images
    images -= values[:, None] * vectors
    return values, vectors, images


def _step(gram: Any, values: np.ndarray, vectors: np.ndarray, residuals: np.ndarray) -> np.ndarray:
    """Move each vector along its residual r so that the new one, r + s (Θ − λ) r, is smallest; gives its norm.

    In place. Residuals are scaled to norm 1 for the product: their entries may be too small for float32.
    """
    sizes = np.sqrt(_dots(residuals, residuals))
    residuals *= _ratio(np.ones_like(sizes), sizes)[:, None]
    slopes = quick_product(gram, residuals.T).T - values[:, None] * residuals
    steps = _ratio(-_dots(residuals, slopes), _dots(slopes, slopes))
    vectors += (sizes * steps)[:, None] * residuals
    return sizes * np.linalg.norm(residuals + steps[:, None] * slopes, axis=1)


def _orthonormal(vectors: Float[np.ndarray, "rows samples"]) -> np.ndarray:
    """The nearest orthonormal rows, where the given ones are nearly so: V − (VVᵀ − 1) V / 2."""
    return (1.5 * np.eye(len(vectors)) - 0.5 * (vectors @ vectors.T)) @ vectors


def corrected(
    gram: Float[np.ndarray, "samples samples"], vectors: Float[np.ndarray, "count samples"], progress: Progress
) -> tuple[Float[np.ndarray, " count"], Float[np.ndarray, "count samples"], Float[np.ndarray, " count"]]:
    """Eigenvalues, decreasing, eigenvectors, one a row, and ‖Θv − λv‖, from orthonormal rows near eigenvectors.

    Args:
        gram: In float32.
    """
    values, vectors, residuals = _ritz(gram, vectors, progress)
    errors = np.empty(len(values))
    for rows in tile_slices(len(values), _COLUMNS):
        errors[rows] = _step(gram, values[rows], vectors[rows], residuals[rows])
        progress(_SHARE_OF_PRECISE + (1 - _SHARE_OF_PRECISE) * rows.stop / len(values))
    return values, _orthonormal(vectors), errors
