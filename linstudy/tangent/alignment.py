"""How well a target agrees with a kernel: alignment, energy concentration, RKHS norm."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from linstudy.tangent.capture import call_shapes, layers
from linstudy.tangent.factors import Extent
from linstudy.tangent.features import (
    batch_features,
    check_scalar_output,
    feature_bytes,
    feature_dtype,
    full_precision,
)
from linstudy.tangent.gram import FEATURE_BATCH, GramOperator
from linstudy.tangent.kernel_features import STRUCTURED, KernelFeatures
from linstudy.tangent.parameters import parameter_count, split
from linstudy.tangent.placement import memory_budget_or_default
from linstudy.tangent.spectrum import Spectrum
from linstudy.tangent.symmetric import apply_gram
from linstudy.tangent.tiling import Progress, padded_rows, report, tile_slices

DEFAULT_CUTOFF = 1e-6
"""Relative to λ₁. Rounding of a float32 Gram of LeNet moves eigenvalues by 2e-10 λ₁: those above are good to 2e-4."""

GRADIENT_BATCH = 1024
"""Samples. Every batch reads and writes all Jᵀy: for LeNet and 1,000 targets batches of 256 take 1.17 times as long."""


def _as_target(target: Float[Array | np.ndarray, "*shape"]) -> np.ndarray:
    values = np.asarray(target, dtype=np.float64)
    if not np.all(np.any(values != 0, axis=-1)):
        raise ValueError("The target is zero, so its direction is undefined: check the labels, ±1 for a binary task.")
    return values


def alignment(
    gram: Float[Array | np.ndarray, "samples samples"], target: Float[Array | np.ndarray, " samples"]
) -> float:
    """Rayleigh quotient of `target` under `gram`: yᵀΘy / yᵀy, accumulated in float64.

    Does not depend on the scale of `target`. Equals λⱼ when `target` is the j-th eigenvector.

    Args:
        gram: Symmetric, positive semidefinite.
        target: Not zero.

    Raises:
        ValueError: If `target` is zero.

    Source: arXiv:2106.06770, Lemma 1.
    """
    values = _as_target(target)
    return float(values @ apply_gram(gram, values) / (values @ values))


@eqx.filter_jit(donate="all-except-first")
def _add_products(
    batch: tuple[Callable[..., Any], Float[Array, "batch *shape"], Float[Array, "targets batch"]],
    products: PyTree[Float[Array, "targets ..."]],
) -> PyTree[Float[Array, "targets ..."]]:
    model, inputs, targets = batch
    features = batch_features(model, inputs)
    with full_precision():
        return jax.tree.map(lambda sums, rows: sums + jnp.tensordot(targets, rows, 1), products, features)


@eqx.filter_jit
def _squared_norms(products: PyTree[Float[Array, "targets ..."]]) -> Float[Array, " targets"]:
    squares = [jnp.sum(jnp.square(leaf), axis=range(1, leaf.ndim)) for leaf in jax.tree.leaves(products)]
    return functools.reduce(jnp.add, squares)


def _transposed_norms(
    model: Callable[..., Any], inputs: np.ndarray, targets: np.ndarray, blocks: list[slice], batch: int, step: Any
) -> np.ndarray:
    """‖Jᵀy‖² of each row y of `targets`."""
    parameters, _ = split(model)
    products = jax.tree.map(lambda leaf: jnp.zeros((len(targets), *leaf.shape), leaf.dtype), parameters)
    for rows in blocks:
        padding = [(0, 0), (0, batch - (rows.stop - rows.start))]
        weights = jnp.asarray(np.pad(targets[:, rows], padding))
        products = _add_products((model, padded_rows(inputs, rows, batch), weights), products)
        next(step)
    return np.asarray(_squared_norms(products))


def _by_features(
    model: Callable[..., Any],
    inputs: np.ndarray,
    unit: np.ndarray,
    batch: int,
    memory_budget: int,
    progress: Progress | None,
) -> np.ndarray:
    affordable = _affordable(model, memory_budget)
    batch = min(batch, len(inputs), affordable)
    blocks, chunks = tile_slices(len(inputs), batch), tile_slices(len(unit), affordable)
    step, rows = report(progress, len(blocks) * len(chunks)), unit.astype(feature_dtype(model))
    return np.concatenate([_transposed_norms(model, inputs, rows[chunk], blocks, batch, step) for chunk in chunks])


def _by_tiles(
    model: Callable[..., Any], inputs: np.ndarray, unit: np.ndarray, memory_budget: int, progress: Progress | None
) -> np.ndarray:
    # Products in float64 add nothing to the rounding of the entries.
    operator = GramOperator(model, inputs, memory_budget=memory_budget, progress=progress)
    return np.einsum("ts,st->t", unit, operator @ unit.T)


def _affordable(model: Callable[..., Any], memory_budget: int) -> int:
    """Explicit gradients that half of a budget holds."""
    return max(1, memory_budget // (2 * feature_bytes(model)))


def _operations_by_features(model: Callable[..., Any], gradient: int, targets: int, memory_budget: int) -> int:
    """Multiply-adds a sample: its gradient for every chunk of targets, and its part of every Jᵀy."""
    chunks = -(-targets // _affordable(model, memory_budget))
    return chunks * gradient + targets * parameter_count(model)


def _operations_by_tiles(features: KernelFeatures, gradient: int, targets: int, samples: int) -> int:
    """Multiply-adds a sample: its factors, half a row of the Gram, at most, and the product with the row."""
    return gradient + (samples + 1) * features.numbers * features.positions // 2 + samples * targets


def _gradient_operations(model: Callable[..., Any], sample: Array) -> int:
    """Multiply-adds of one sample's gradient in captured layers: forward, and backward by inputs and weights."""
    found = layers(model)
    extents = [Extent.of(found[index], seen.output.shape) for index, seen in call_shapes(model, sample).items()]
    return 3 * sum(math.prod((extent.positions, extent.inputs, extent.outputs)) for extent in extents)


def tiles_are_cheaper(
    model: Callable[..., Any],
    inputs: Float[Array | np.ndarray, "samples *shape"],
    targets: int,
    memory_budget: int | None = None,
) -> bool:
    """Whether the alignment of some targets takes fewer multiply-adds by a Gram's tiles than by explicit gradients.

    By gradients a sample costs its gradient, for every chunk of targets, and `targets` times the parameters; by tiles
    its gradient, half the samples times the numbers of its factors, and samples times targets. Never for products
    below float32, whose rounding of a Gram's entries hides alignments that ‖Jᵀy‖² still has.
    """
    budget = memory_budget_or_default(memory_budget)
    precision = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    features = KernelFeatures(model, inputs[0], len(inputs))
    if precision not in (None, "highest", "float32") or not features.how.startswith(STRUCTURED):
        return False
    gradient = _gradient_operations(features.model, jnp.asarray(inputs[0]))
    by_features = _operations_by_features(model, gradient, targets, budget)
    if _operations_by_tiles(features, gradient, targets, len(inputs)) >= by_features:
        return False
    # which may find that factors are wrong, and hold gradients instead
    features.compute_until_accepted(lambda: features(jnp.asarray(inputs[:FEATURE_BATCH])))
    return _operations_by_tiles(features, gradient, targets, len(inputs)) < by_features


def matrix_free_alignment(
    model: Callable[..., Any],
    inputs: Float[Array | np.ndarray, "samples *shape"],
    targets: Float[Array | np.ndarray, "targets samples"],
    *,
    tiles: bool | None = None,
    batch: int = GRADIENT_BATCH,
    memory_budget: int | None = None,
    progress: Progress | None = None,
    chose: Callable[[str], object] | None = None,
) -> Float[np.ndarray, " targets"]:
    """Alignment of each row of `targets` with the tangent kernel of `model`, without holding its Gram.

    Either ‖Jᵀy‖² / ‖y‖², by explicit gradients batch by batch, once for every chunk of targets whose Jᵀy fit the memory
    budget; or yᵀΘy / ‖y‖² by the tiles of the structured Gram, each thrown away after its product. In float32 gradients
    are good to 1e-6 of the alignment, tiles to that and the rounding of a Gram: 2e-10 λ₁ for LeNet. LeNet of 107,021
    parameters, m = 4,096, with 10 and 1,000 targets: by gradients 2.9 and 8.9 s, by tiles 1.3 and 1.7 s.

    Args:
        tiles: Whether by tiles; if None, where `tiles_are_cheaper`.
        batch: Samples whose gradients are computed at once. Fewer if they exceed half the budget.
        memory_budget: Bytes, by default as for `ntk_gram`; without tiles half for gradients, half for a chunk's Jᵀy.
        chose: Called with the way taken: `tiles of the Gram` or `explicit gradients`.

    Raises:
        ValueError: If a target is zero, or the output of `model` is not a scalar.

    Source: arXiv:2106.06770, Lemma 1; the authors compute it from gradients.
    """
    inputs, values = np.asarray(inputs), _as_target(targets)
    check_scalar_output(model, jnp.asarray(inputs[0]))
    unit, budget = values / np.linalg.norm(values, axis=1)[:, None], memory_budget_or_default(memory_budget)
    if tiles is None:
        tiles = tiles_are_cheaper(model, inputs, len(values), budget)
    if chose is not None:
        chose("tiles of the Gram" if tiles else "explicit gradients")
    if tiles:
        return _by_tiles(model, inputs, unit, budget, progress)
    return _by_features(model, inputs, unit, batch, budget, progress)


def energy_concentration(
    eigenvectors: Float[np.ndarray, "top samples"], target: Float[Array | np.ndarray, " samples"]
) -> float:
    """‖Φ_K y‖₂ / ‖y‖₂: the share of the target's norm, not of its square, on the first K eigenvectors.

    Args:
        eigenvectors: Φ_K, orthonormal rows: `spectrum(gram, top=K).eigenvectors`.
        target: Not zero.

    Raises:
        ValueError: If `target` is zero.

    Source: arXiv:2106.06770, section 4.1 and Table 1.
    """
    values = _as_target(target)
    return float(np.linalg.norm(np.asarray(eigenvectors, np.float64) @ values) / np.linalg.norm(values))


class RkhsNorm(NamedTuple):
    """Σ_j (φ_jᵀy)² / λ_j over the eigenvalues above a cut-off.

    Attributes:
        value: The squared norm yᵀΘ⁻¹y of what lies on those eigenvectors.
        remainder: Share of ‖y‖² on the other eigenvectors. Unless it is 0, `value` is a lower bound.
    """

    value: float
    remainder: float


def _complete_eigenvectors(spectrum: Spectrum) -> np.ndarray:
    top, samples = spectrum.eigenvectors.shape
    if top < samples:
        raise ValueError(
            f"The spectrum has {top} of {samples} eigenvectors, and a sum over those is only a lower bound of the "
            "RKHS norm: decompose fully, `spectrum(gram)` without `top`, or take `rkhs_norm_bound(gram, target)`."
        )
    return spectrum.eigenvectors


def rkhs_norm(
    spectrum: Spectrum, target: Float[Array | np.ndarray, " samples"], cutoff: float = DEFAULT_CUTOFF
) -> RkhsNorm:
    """The squared norm of `target` in the kernel's function space, ‖y‖²_Θ = yᵀΘ⁻¹y, in float64.

    Of a target without a part above the cut-off, such as opposite labels of equal samples, the value is 0 and the
    remainder 1.

    Args:
        spectrum: With all its eigenvectors.
        target: Not zero.
        cutoff: Relative to λ₁. Eigenvalues below it count as zero, and what `target` has there as `remainder`.

    Raises:
        ValueError: If eigenvectors are missing, or `target` is zero.

    Source: arXiv:2106.06770, equation 2.
    """
    values, eigenvectors = _as_target(target), _complete_eigenvectors(spectrum)
    energies = np.square(eigenvectors @ values)
    above = spectrum.eigenvalues > cutoff * spectrum.eigenvalues[0]
    value = float(np.sum(energies[above] / spectrum.eigenvalues[above]))
    return RkhsNorm(value, float(np.sum(energies[~above]) / (values @ values)))


def rkhs_norm_bound(
    kernel: Float[Array | np.ndarray, "samples samples"] | Spectrum, target: Float[Array | np.ndarray, " samples"]
) -> float:
    """‖y‖² / α(y) ≤ yᵀΘ⁻¹y, the lower bound of Lemma 1, with α(y) = yᵀΘy / yᵀy.

    Infinite where α(y) is 0, or no more than what the rounding of the entries makes of 0.

    Args:
        kernel: A Gram, or a spectrum with all its eigenvectors.
        target: Not zero.

    Source: arXiv:2106.06770, Lemma 1. Its own α is yᵀΘy, with which the bound reads ‖y‖⁴ / α.
    """
    values = _as_target(target)
    if isinstance(kernel, Spectrum):
        energies, scale = np.square(_complete_eigenvectors(kernel) @ values), kernel.eigenvalues[0]
        found, rounding = energies @ kernel.eigenvalues / (values @ values), np.finfo(np.float64).eps * scale
    else:
        matrix = np.asarray(kernel)
        found, rounding = alignment(matrix, values), np.finfo(matrix.dtype).eps * np.max(np.diagonal(matrix))
    return float(values @ values / found) if found > rounding else math.inf


def generalization_bound(gram: Float[Array | np.ndarray, "samples samples"], squared_norm: float) -> float:
    """sqrt(‖y‖²_Θ · mean Θ(x,x) / m): ranks tasks of one kernel, up to an unknown constant; it guarantees nothing.

    Only of targets whose `RkhsNorm.remainder` is 0 or small: what the norm leaves out, this does too.

    Args:
        gram: Of the m samples of the target.
        squared_norm: ‖y‖²_Θ of the target, from `rkhs_norm`.

    Source: arXiv:2106.06770, equation 2.
    """
    diagonal = np.diagonal(np.asarray(gram)).astype(np.float64)
    return float(np.sqrt(squared_norm * np.mean(diagonal) / len(diagonal)))
