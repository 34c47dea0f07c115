"""The first eigenpairs of a Gram against scipy's solvers, and NADs against scipy's `svds`."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from accuracy import in_float64
from alone import measured_alone
from jax.flatten_util import ravel_pytree
from measure import Candidate, calls
from operations import Network
from scipy.sparse.linalg import LinearOperator, eigsh, svds
from settings import MODELS, NAMES, Settings, images, initialized
from table import Floor, Line, Section, compared

from linstudy.tangent import freeze, nads, ntk_gram, parameter_count, spectrum
from linstudy.tangent.features import output_gradient

SPECTRUM_LEGEND = """The float32 Gram of LeNet on images whose spectrum falls like 1/frequency. scipy's solvers get it \
in float64. Errors of the eigenvalues are against all of scipy's float64 `eigh`: over λ₁, and over each λ_j."""

NADS_LEGEND = """LeNet with GELU on 32×32×1 inputs, at the origin, in float64. `nads` gives all directions; `svds` \
(ARPACK, on compiled products with M and Mᵀ) gives fewer than all, and is asked for the leading ones. Floor: the \
multiply-adds of 8 forward passes for each direction, at the float64 rate. The error is that of σ_j over σ₁. ResNet18 \
is measured once, in a process of its own, compilation included, and its peak memory is that process's; its residuals \
are of the first, the middle and the last direction, by products with M and Mᵀ."""


def spectrum_section(settings: Settings) -> Section:
    """The leading eigenpairs."""
    samples, top = (60, 5) if settings.smoke else (3000, 200)
    gram = ntk_gram(freeze(*settings.network(settings.lenet)), images(samples))
    double = gram.astype(np.float64)
    ends = (samples - top, samples - 1)
    found: dict[str, Any] = {}

    def kept(name: str, values: Callable[[], Any]) -> Candidate:
        def call() -> None:
            found[name] = np.sort(values())[::-1]

        return Candidate(name, calls(call))

    timings = settings.measure(
        [
            kept("linstudy spectrum", lambda: spectrum(gram, top).eigenvalues),
            kept("scipy eigsh, float64", lambda: eigsh(double, top, which="LA")[0]),
            kept("scipy eigh subset, float64", lambda: scipy.linalg.eigh(double, subset_by_index=ends)[0]),
            kept("scipy eigh, all, float64", lambda: scipy.linalg.eigh(double)[0]),
        ]
    )
    exact = found["scipy eigh, all, float64"][:top]
    lines = compared(f"m = {samples:,}, top {top}", timings)
    marked = [_with_error(line, found.get(line.what), exact) for line in lines]
    return Section("Spectrum", SPECTRUM_LEGEND, marked)


def _with_error(line: Line, values: np.ndarray | None, exact: np.ndarray) -> Line:
    if values is None:
        return line
    errors = np.abs(values[: len(exact)] - exact)
    said = f"{np.max(errors) / exact[0]:.0e} of λ₁, {np.max(errors / exact):.0e} of λ_j"
    return Line(line.setting, line.what, line.seconds, line.ratio, line.floor, said)


def nads_section(settings: Settings) -> Section:
    """All directions of a LeNet, against the leading ones."""
    shape, leading = ((1, 8, 8), 5) if settings.smoke else ((1, 32, 32), 100)
    dimensions = int(np.prod(shape))
    spec = MODELS[settings.lenet].model_copy(update={"activation": "gelu"})
    model = freeze(*initialized(spec, shape, 0))
    found: dict[str, np.ndarray] = {}

    def ours() -> None:
        found["linstudy"] = nads(model, np.zeros((1, *shape))).singular_values

    with jax.enable_x64(True):
        operator = MixedDerivative(in_float64(model), shape)

    def theirs() -> None:
        with jax.enable_x64(True):
            found["svds"] = np.sort(svds(operator, leading)[1])[::-1]

    with jax.enable_x64(True):
        (*timings, product), rate = settings.with_rate(
            [
                Candidate(f"linstudy nads, all {dimensions}", calls(ours)),
                Candidate(f"scipy svds, first {leading}", calls(theirs)),
            ],
            np.float64,
        )
    setting = f"LeNet, d = {dimensions:,}, {parameter_count(model):,} parameters"
    floor = Floor(nads_operations(Network.of(model, shape), shape), rate)
    ours_line, theirs_line = compared(setting, timings)
    lines = [
        Line(setting, ours_line.what, ours_line.seconds, ours_line.ratio, floor, ours_line.remark),
        _agreement(theirs_line, found),
        Line(setting, product.name, product.seconds, remark=product.remark),
    ]
    if settings.smoke or not settings.quick:
        lines.append(_resnet_line(settings, rate))
    return Section("Neural anisotropy directions", NADS_LEGEND, lines)


def nads_operations(network: Network, shape: tuple[int, ...]) -> float:
    """Operations of MᵀM, direction by direction: four forward passes for M v, four for Mᵀ u."""
    return 2.0 * 8 * int(np.prod(shape)) * network.forward


def _resnet_line(settings: Settings, rate: float) -> Line:
    found = measured_alone("resnet_nads.py", *(["--smoke"] if settings.smoke else []))
    said = f"peak {found['peak'] / 1e9:.3g} GB; residuals up to {found['residual']:.0e} of σ₁²"
    setting = f"{NAMES['resnet18']}, d = {found['dimensions']:,}, {found['parameters']:,} parameters"
    what = f"linstudy nads, all {found['dimensions']:,}"
    return Line(setting, what, found["seconds"], floor=Floor(found["operations"], rate), remark=said)


def _agreement(line: Line, found: dict[str, np.ndarray]) -> Line:
    if len(found) < 2:
        return line
    error = np.max(np.abs(found["svds"] - found["linstudy"][: len(found["svds"])])) / found["svds"][0]
    return Line(line.setting, line.what, line.seconds, line.ratio, line.floor, f"differs by {error:.0e} from ours")


class MixedDerivative(LinearOperator):
    """M at the origin as an operator; made and used under `jax.enable_x64`."""

    def __init__(self, model: Callable[..., Any], shape: tuple[int, ...]):
        origin = jnp.zeros(shape)

        def gradient(x: jax.Array) -> jax.Array:
            return ravel_pytree(output_gradient(model, x))[0]

        self._forward = jax.jit(lambda v: jax.jvp(gradient, (origin,), (v.reshape(shape),))[1])
        self._backward = jax.jit(lambda u: jax.vjp(gradient, origin)[1](u)[0].ravel())
        super().__init__(np.float64, (parameter_count(model), origin.size))

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self._forward(jnp.asarray(x).ravel()))

    def _rmatvec(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self._backward(jnp.asarray(x).ravel()))
