"""Eigenpairs of a Gram, with what is needed to trust them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from linstudy.tangent import decomposition
from linstudy.tangent.correction import corrected
from linstudy.tangent.krylov import NotConverged, leading, required
from linstudy.tangent.symmetric import (
    Gram,
    check_symmetric,
    entries_of,
    has_entries,
    on_host,
    own_rounding,
    product,
    quick_product,
    rounding,
)
from linstudy.tangent.tiling import Progress, tile_slices

FULL_LIMIT = 6000
"""Samples up to which all eigenpairs can be had. 3,000 take 5 s of one core; the time grows with the cube."""

FULL_ALWAYS = 1500
"""Samples up to which all eigenpairs are computed whatever is asked for: under a second."""

FULL_SHARE = 1 / 6
"""Of all eigenpairs, from which on a full decomposition is as fast. Of the tangent kernel of a ReLU network, seconds of
one core, full and by Krylov subspaces: m = 3,000, top 200, 4.9 and 1.4; m = 6,000, top 1,000, 39 and 35."""

BASIS_BUDGET = 3 * 2**30
"""Bytes of the basis of a Krylov subspace: 6,700 vectors of 60,000 samples."""

SHARE_OF_ROUNDING = 0.1
"""Of what the rounding of a float32 Gram leaves of a residual, how much the search in float32 may."""

GUARDS = 32
"""Vectors beyond those asked for that are corrected too. What rounding mixes into the last ones is mostly these."""

_RESIDUAL_COLUMNS = 256
_SHARE_OF_SEARCH = 0.8
_SLACK = 5.0


_Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Known eigenvalues, and eigenvectors, signs fixed, and ‖Θv − λv‖ of the pairs asked for."""


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


def _block(samples: int, wanted: int, dense: bool) -> int:
    """Columns of a product. Smaller blocks need fewer columns in all, but every product reads the whole Gram.

    Of m = 3,000, top 200: 16, 32 and 64 columns end after 672, 864 and 1,280. To compute an operator's entries can cost
    thousands of times what to multiply them with a column does.
    """
    return min(samples, (32 if samples < 20_000 else 64) if dense else max(32, wanted // 4))


def _capacity(samples: int, wanted: int, block: int, budget: int) -> int:
    capacity, least = min(samples, budget // (8 * samples)), min(samples, wanted + 4 * block)
    if capacity < least:
        raise ValueError(
            f"The basis for {wanted - 1} eigenpairs of {samples} samples needs {8 * samples * least:,} bytes at least, "
            f"and the budget is {budget:,}: ask for fewer, or give `memory_budget`."
        )
    return min(capacity, max(1000, 5 * wanted + 10 * block))


def _leading(
    gram: Any, wanted: int, budget: int, progress: Progress, *, quick: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    samples, dense = gram.shape[0], has_entries(gram)
    block = _block(samples, wanted, dense)
    return leading(
        lambda vectors: (quick_product if quick else product)(gram, vectors),
        samples,
        min(wanted + GUARDS, samples) if quick else wanted,
        floor=SHARE_OF_ROUNDING * own_rounding(gram) if quick else rounding(gram),
        block=block,
        capacity=_capacity(samples, wanted, block, budget),
        progress=progress,
    )


def _full(gram: Any, kept: int, progress: Progress) -> _Pairs:
    # One copy, of which LAPACK makes the eigenvectors: in its own order of columns, which is that of the transpose.
    values, vectors = decomposition.eigenpairs(np.array(entries_of(gram), np.float64, order="C").T)
    eigenvectors = fix_signs(vectors.T[:kept])
    del vectors
    return values, eigenvectors, _residuals(gram, values[:kept], eigenvectors, _part(progress, _SHARE_OF_SEARCH, 1.0))


def _quick(gram: Any, kept: int, budget: int, progress: Progress) -> _Pairs | None:
    """The pairs of a float32 array, searched in float32 and corrected; None if that did not find them.

    They are not found where the Gram is far from what `own_rounding` supposes, such as near a multiple of the identity.
    """
    try:
        found = _leading(gram, kept + 1, budget, _part(progress, 0.0, 0.6), quick=True)
    except NotConverged:
        return None
    values, vectors, errors = corrected(gram, *found, _part(progress, 0.6, 1.0))
    good = np.all(errors[:kept] <= _SLACK * required(values[:kept], own_rounding(gram)))
    return (values, fix_signs(vectors[:kept]), errors[:kept]) if good else None


def _precise(gram: Any, kept: int, budget: int, progress: Progress) -> _Pairs:
    values, vectors = _leading(gram, kept + 1, budget, _part(progress, 0.0, _SHARE_OF_SEARCH))
    eigenvectors = fix_signs(vectors[:kept])
    del vectors
    errors = _residuals(gram, values[:kept], eigenvectors, _part(progress, _SHARE_OF_SEARCH, 1.0))
    _accept(errors, values[:kept], rounding(gram))
    return values, eigenvectors, errors


def _first(gram: Any, kept: int, budget: int, progress: Progress) -> _Pairs:
    """The first pairs by Krylov subspaces: one eigenvalue more than asked for, for the gap of the last."""
    single = isinstance(gram, np.ndarray) and gram.dtype == np.float32
    found = _quick(gram, kept, budget, progress) if single else None
    return found or _precise(gram, kept, budget, progress)


def _residuals(
    gram: Any, values: Float[np.ndarray, " top"], vectors: Float[np.ndarray, "top samples"], progress: Progress
) -> Float[np.ndarray, " top"]:
    """‖Θv − λv‖₂, from products of their own."""
    errors = np.empty(len(values))
    for pairs in tile_slices(len(values), _RESIDUAL_COLUMNS):
        columns = vectors[pairs].T
        errors[pairs] = np.linalg.norm(product(gram, columns) - columns * values[pairs], axis=0)
        progress(pairs.stop / len(values))
    return errors


def _accept(errors: np.ndarray, values: np.ndarray, rounding: float) -> None:
    excess = errors / required(values, rounding)
    if not np.all(excess <= _SLACK):
        worst = int(np.argmax(excess))
        raise NotConverged(
            f"‖Θv − λv‖ of eigenpair {worst + 1} is {errors[worst]:.3g}, at λ = {values[worst]:.6g} and "
            f"λ₁ = {values[0]:.6g}: {excess[worst]:.3g} times what was aimed at. The products with this Gram are less "
            f"precise than its dtype promises, {rounding:.3g} λ₁: compute it in float64."
        )


def _kept(samples: int, top: int | None, full_limit: int) -> int:
    if top is None and samples > full_limit:
        raise ValueError(
            f"All eigenpairs of a Gram of {samples} samples were asked for, but above {full_limit} only the first ones "
            "are computed: give `top`, for example top=1000."
        )
    if top is not None and not 1 <= top <= samples:
        raise ValueError(f"top={top} eigenvectors of a Gram of {samples} samples: allowed are 1 to {samples}.")
    return samples if top is None else top


def is_full(samples: int, kept: int, full_limit: int = FULL_LIMIT) -> bool:
    """Whether all eigenpairs are computed where the first ones are asked for."""
    cheap = samples <= FULL_ALWAYS or kept >= FULL_SHARE * samples
    return kept + 1 >= samples or (samples <= full_limit and cheap)


def all_eigenvalues(gram: Gram, *, overwrite: bool = False) -> Float[np.ndarray, " samples"]:
    """Every eigenvalue of a Gram, decreasing, in float64, by a full decomposition without eigenvectors.

    Args:
        overwrite: Decompose a Gram that is an array in float64 where it is, which destroys it; else a copy is made.

    Raises:
        ValueError: If `gram` is not square, symmetric and finite.
    """
    check_symmetric(on_host(gram))
    entries = entries_of(gram)
    if not (overwrite and entries.dtype == np.float64 and entries.flags.writeable):
        entries = np.array(entries, np.float64, order="C")
    return decomposition.eigenvalues(entries.T)


def effective_rank(eigenvalues: Float[np.ndarray, " samples"]) -> float:
    """(Σλ)² / Σλ², the participation ratio: m for m equal eigenvalues, 1 for a single one, 0 if all are 0."""
    squares = float(np.sum(np.square(eigenvalues)))
    return float(np.sum(eigenvalues)) ** 2 / squares if squares > 0 else 0.0


def _turn(moved: np.ndarray | float, distances: np.ndarray) -> np.ndarray:
    """The angles to first order; infinite where an eigenvector is not defined."""
    return np.divide(moved, distances, out=np.full(len(distances), np.inf), where=distances > 0)


def rotations(
    eigenvalues: Float[np.ndarray, " top"],
    gaps: Float[np.ndarray, " top"],
    residuals: Float[np.ndarray, " top"],
    *,
    samples: int,
    rounding: float,
) -> Float[np.ndarray, " top"]:
    """The angles, in radians, by which rounding turned each eigenvector of a `Spectrum`: an estimate, at most π/2.

    Rounding adds some E to the Gram, whose entries are independent, of the size ε Θ̄ with Θ̄ = λ₁ / m the mean entry of m
    samples. To first order it turns φ_j towards its neighbour φ_k by |φ_kᵀ E φ_j| / |λ_j − λ_k|, so ε λ₁ / m over the
    gap. A residual r λ₁ is orthogonal to all eigenvectors kept, and turns φ_j by r λ₁ over its distance from the others
    at most (Davis and Kahan). For float32 Grams of MLPs and LeNet,
    m = 100 and 400, eight of ten angles were between 0.3 and 1.7 times this; those of the first few eigenvectors, which
    all others turn, are larger but below 1e-6.

    Args:
        rounding: ε, of the arithmetic in which the Gram was computed: 2⁻²³ for float32.
    """
    distances = gaps * np.abs(eigenvalues)
    beyond = np.maximum(distances, eigenvalues - eigenvalues[-1])
    angles = _turn(eigenvalues[0] * rounding / samples, distances) + _turn(eigenvalues[0] * residuals, beyond)
    return np.minimum(angles, np.pi / 2)


def _part(progress: Progress, start: float, end: float) -> Progress:
    return lambda fraction: progress(start + (end - start) * fraction)


def spectrum(
    gram: Gram,
    top: int | None = None,
    *,
    full_limit: int = FULL_LIMIT,
    memory_budget: int = BASIS_BUDGET,
    progress: Progress | None = None,
) -> Spectrum:
    """The first `top` eigenpairs of a Gram, all of them by default.

    By a full decomposition, which also gives all eigenvalues, of few samples or for many of the pairs; else by block
    Krylov subspaces from a fixed start, for which the Gram is only multiplied, in blocks, where it is: in memory, in a
    memory-mapped file, on an accelerator, or as an operator that computes its products. Every pair is
    found to 3e-8 of its own eigenvalue, or to rounding: 2e-14 λ₁ for an array in float64, 2e-6 λ₁ for an operator in
    float32, and for an array in float32 what the rounding of its own entries leaves of a residual, 1e-7 λ₁ / √m. Such
    an array is multiplied in float32, and the vectors found are corrected; its residuals are estimates, each to 9 %,
    from products in float64 with 64 random vectors.

        spectrum(gram).eigenvalues
        spectrum(np.memmap("gram", np.float32, "r", shape=(60_000, 60_000)), 1000)

    Args:
        gram: Symmetric. An array, or anything with a `shape`, a `dtype` and a product `@` with "samples columns".
        full_limit: Samples above which no full decomposition is made, unless all pairs are asked for, or all but one.
        memory_budget: Bytes of the basis. If it is short the search restarts from what it has; twice the size of the
            eigenvectors is plenty. They take their own size once more.
        progress: Called with a guess of the fraction done. What it raises ends the work.

    Raises:
        ValueError: If `gram` is not square, symmetric and finite, or `top` or the budget is out of range.
        NotConverged: If pairs were not found, or their true residuals are five times as large as said above.
    """
    gram = on_host(gram)
    check_symmetric(gram)
    samples = gram.shape[0]
    kept = _kept(samples, top, full_limit)
    full = is_full(samples, kept, full_limit)
    report = progress or (lambda fraction: None)
    pairs = _full(gram, kept, report) if full else _first(gram, kept, memory_budget, report)
    known, eigenvectors, errors = pairs
    scale = float(np.max(np.abs(known))) or 1.0
    return Spectrum(
        known[:kept].copy(), eigenvectors, errors / scale, _gaps(known, kept), known.copy() if full else None
    )
