"""The whole Gram of ResNet18 on an accelerator, in float32 and tf32, projected by pairs from a part of it."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from measure import Candidate, Timing, calls
from operations import Network
from settings import NAMES, SHAPE, Settings, images
from table import Floor, Line, Section

from linstudy.runs.precision import precision
from linstudy.spec.train import Precision
from linstudy.tangent import freeze, ntk_gram
from linstudy.tangent.placement import memory_budget_or_default

WHOLE = 60_000
SAMPLES = 10_000
PRECISIONS: tuple[Precision, ...] = ("float32", "tf32")

LEGEND = f"""ResNet18. Projected: the measured time, (60,000 / m)² times, so that work that grows with the samples \
alone is counted too often; goal under 10 minutes in tf32 for {WHOLE:,}². Floor and share: as in the first table, at \
the rate of a 4096³ product of the same precision measured in turn."""


def section(settings: Settings) -> Section:
    """Both precisions, their products, and the difference."""
    samples = 4 if settings.smoke else SAMPLES
    model, inputs = freeze(*settings.network("resnet18")), images(samples)
    budget = memory_budget_or_default(settings.budget)
    call = functools.partial(ntk_gram, model, inputs, memory_budget=budget)
    grams: dict[str, np.ndarray] = {}
    candidates = [Candidate(f"linstudy, {name}", _kept(grams, name, call)) for name in PRECISIONS]
    side = 256 if settings.smoke else 4096
    products = [Candidate(f"{side}³ product, {name}", _product(name, side)) for name in PRECISIONS]
    timings = settings.measure([*candidates, *products])
    setting, network = f"{NAMES['resnet18']}, m = {samples:,}", Network.of(model, SHAPE)
    remarks = {"float32": f"{budget / 2**30:.3g} GiB of features", "tf32": _difference(grams)}
    lines: list[Line] = []
    for name, timing, product in zip(PRECISIONS, timings, timings[len(PRECISIONS) :], strict=False):
        lines += _lines(setting, samples, network, timing, product, 2 * side**3, remarks[name])
    return Section(f"Projection to {WHOLE:,}²", LEGEND, lines)


def _lines(
    setting: str, samples: int, network: Network, timing: Timing, product: Timing, operations: int, remark: str
) -> list[Line]:
    measured = Line(setting, product.name, product.seconds, remark=product.remark)
    if timing.seconds is None or product.seconds is None:
        return [measured, Line(setting, timing.name, remark=timing.remark)]
    rate = operations / product.seconds
    pairs = samples * (samples + 1) / 2
    floor = Floor(network.gram(samples, samples**2), rate, useful=network.gram(samples, pairs))
    projected = timing.seconds * (WHOLE / samples) ** 2
    return [
        Line(setting, timing.name, timing.seconds, floor=floor, remark=remark),
        Line(setting, f"{timing.name}, projected to {WHOLE:,}", projected, remark=f"{projected / 60:.3g} minutes"),
        Line(setting, product.name, product.seconds, remark=f"{rate / 1e12:.3g} TFLOP/s"),
    ]


def _kept(grams: dict[str, np.ndarray], name: Precision, call: Callable[[], np.ndarray]) -> Callable[[int], float]:
    def run() -> None:
        with precision(name):
            grams[name] = call()

    return calls(run)


def _product(name: Precision, side: int) -> Callable[[int], float]:
    matrix = jnp.asarray(np.random.default_rng(0).standard_normal((side, side)), jnp.float32)
    product = jax.jit(jnp.matmul)

    def call() -> Any:
        with precision(name):
            return product(matrix, matrix)

    return calls(call)


def _difference(grams: dict[str, np.ndarray]) -> str:
    if len(grams) < len(PRECISIONS):
        return ""
    exact, found = (grams[name] for name in PRECISIONS)
    return f"differs from float32 by {np.linalg.norm(found - exact) / np.linalg.norm(exact):.1e}"
