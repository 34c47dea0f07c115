"""Eigenpairs of a Gram, with what is needed to trust them."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
from jaxtyping import Array, Float

FULL_LIMIT = 6000
"""Samples up to which all eigenpairs are computed. 2,000 take 1 s on two cores; the time grows with the cube."""

_ROW_BLOCK = 1024


@dataclass(frozen=True)
class Spectrum:
    """Eigenpairs of a Gram Θ in float64, eigenvalues decreasing.

    Attributes:
        eigenvectors: One per row, of unit norm, the entry of largest magnitude positive.
        residuals: ‖Θv − λv‖₂ / λ₁ of each pair.
        gaps: Distance of λ_j to its nearest neighbour, over |λ_j|. Where it is small the eigenvector is defined only
            up to a rotation: compare subspaces.
        all_eigenvalues: Every eigenvalue, if a full decomposition was made.
    """

    eigenvalues: Float[np.ndarray, " top"]
    eigenvectors: Float[np.ndarray, "top samples"]
    residuals: Float[np.ndarray, " top"]
    gaps: Float[np.ndarray, " top"]
    all_eigenvalues: Float[np.ndarray, " samples"] | None

    @property
    def complete(self) -> bool:
        """Whether a full decomposition was made; `top` may still have kept only its first eigenvectors."""
        return self.all_eigenvalues is not None


def _checked(gram: Float[Array | np.ndarray, "rows columns"]) -> np.ndarray:
    matrix = np.asarray(gram)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(
            f"The Gram is {matrix.shape[0]} by {matrix.shape[1]}: a spectrum needs a square one, "
            "`ntk_gram(model, inputs)` without `others`."
        )
    if not np.all(np.isfinite(matrix)):
        raise ValueError("The Gram has entries that are not finite: look at the model's outputs and parameters first.")
    asymmetry, scale = np.max(np.abs(matrix - matrix.T)), np.max(np.abs(matrix))
    if asymmetry > np.sqrt(np.finfo(matrix.dtype).eps) * scale:
        raise ValueError(
            f"The Gram is not symmetric: entries differ from their mirror images by up to {asymmetry:.3g}."
        )
    return matrix


def apply_gram(
    gram: Float[Array | np.ndarray, "rows samples"], vectors: Float[np.ndarray, "samples *columns"]
) -> Float[np.ndarray, "rows *columns"]:
    """Θ V in float64, without a float64 copy of Θ."""
    matrix = np.asarray(gram)
    blocks = (matrix[start : start + _ROW_BLOCK] for start in range(0, len(matrix), _ROW_BLOCK))
    return np.concatenate([block.astype(np.float64) @ vectors for block in blocks])


def fix_signs(vectors: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows columns"]:
    """Turn each row so that its entry of largest magnitude, the first if several, is positive."""
    largest = np.argmax(np.abs(vectors), axis=1)
    return vectors * binarize(vectors[np.arange(len(vectors)), largest])[:, None]


def binarize(eigenvector: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """sign φ with sign(0) = +1: the labels that an eigenfunction gives."""
    return np.where(eigenvector >= 0, 1.0, -1.0).astype(eigenvector.dtype)


def _gaps(eigenvalues: Float[np.ndarray, " known"], top: int) -> Float[np.ndarray, " top"]:
    steps = np.concatenate([[np.inf], -np.diff(eigenvalues), [np.inf]])
    nearest = np.minimum(steps[:-1], steps[1:])[:top]
    size = np.abs(eigenvalues[:top])
    return np.divide(nearest, size, out=np.zeros(top), where=size > 0)


def _leading(matrix: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    start = np.random.default_rng(0).standard_normal(len(matrix))
    values, vectors = scipy.sparse.linalg.eigsh(matrix.astype(np.float64), count, which="LA", v0=start)
    order = np.argsort(-values)
    return values[order], vectors.T[order]


def _full(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values, vectors = scipy.linalg.eigh(matrix.astype(np.float64), driver="evd", overwrite_a=True)
    return values[::-1], vectors.T[::-1]


def _kept(samples: int, top: int | None, full: bool) -> int:
    if top is None and not full:
        raise ValueError(
            f"All eigenpairs of a Gram of {samples} samples were asked for, but above {FULL_LIMIT} only the first ones "
            "are computed: give `top`, for example top=1000."
        )
    if top is not None and not 1 <= top <= samples:
        raise ValueError(f"top={top} eigenvectors of a Gram of {samples} samples: allowed are 1 to {samples}.")
    return samples if top is None else top


def spectrum(
    gram: Float[Array | np.ndarray, "rows columns"], top: int | None = None, *, full_limit: int = FULL_LIMIT
) -> Spectrum:
    """The first `top` eigenpairs of a Gram, all of them by default.

    Up to `full_limit` samples by a full decomposition, which also gives all eigenvalues; beyond by Lanczos from a
    fixed start. Always in float64; a Gram computed in float32 carries its own rounding, 1e-7 of its
    largest entry for LeNet, which moves the eigenvalues of 800 samples by 2e-10 λ₁.

    Args:
        gram: Symmetric.

    Raises:
        ValueError: If `gram` is not square, symmetric and finite, or `top` is out of range.
    """
    matrix = _checked(gram)
    samples = len(matrix)
    full = samples <= full_limit or (top is not None and top + 1 >= samples)
    kept = _kept(samples, top, full)
    # One eigenvalue more than asked for, for the gap of the last.
    known, vectors = _full(matrix) if full else _leading(matrix, kept + 1)
    eigenvalues, eigenvectors = known[:kept].copy(), fix_signs(vectors[:kept])
    errors = np.linalg.norm(apply_gram(matrix, eigenvectors.T) - eigenvectors.T * eigenvalues, axis=0)
    scale = float(np.max(np.abs(known))) or 1.0
    return Spectrum(eigenvalues, eigenvectors, errors / scale, _gaps(known, kept), known.copy() if full else None)
