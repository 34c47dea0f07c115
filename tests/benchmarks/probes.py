"""The probes at the paper's sizes, against the operations that they cannot do without."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
from measure import Candidate, calls
from operations import Network
from settings import NAMES, SHAPE, Settings, images, labels
from table import Floor, Line, Section

from linstudy.tangent import energy_concentration, freeze, matrix_free_alignment, ntk_gram, parameter_count, spectrum

COLUMNS = 3.3
"""Products of the Gram with one column, for each eigenpair of a few that are sought among many."""

LEGEND = """`alignment` of the first eigenfunctions and the labels, at one epoch, by the way that linstudy chooses; \
`energy_concentration` with the Gram and the eigenpairs that it needs. Floor, at the float32 rate: the Gram, without \
symmetry, and the product with every target, or with 3.3 columns for each eigenpair; for an alignment, if that is \
less, the gradients of all samples and their sum for every target."""


def section(settings: Settings) -> Section:
    """Both probes on networks of the paper."""
    lines: list[Line] = []
    for name in settings.networks[:2]:
        lines += [*_energy(settings, name), *_alignment(settings, name)]
    return Section("Probes", LEGEND, lines)


def _energy(settings: Settings, name: str) -> list[Line]:
    samples, top = (24, 3) if settings.smoke else (4_096, 50) if settings.quick else (12_000, 50)
    model, inputs, target = freeze(*settings.network(name)), images(samples), labels(samples)
    network = Network.of(model, SHAPE)

    def measured() -> float:
        found = spectrum(ntk_gram(model, inputs), top)
        return energy_concentration(found.eigenvectors, target)

    def operations(pairs: float) -> float:
        return network.gram(samples, pairs) + 2 * samples**2 * COLUMNS * top

    setting = f"{NAMES[name]}, m = {samples:,}, energy on {top}"
    return _lines(settings, setting, Candidate("linstudy", calls(measured)), samples, operations)


def _alignment(settings: Settings, name: str) -> list[Line]:
    samples, targets = (24, 4) if settings.smoke else (4_096, 1_001) if settings.quick else (60_000, 1_001)
    model, inputs = freeze(*settings.network(name)), images(samples)
    drawn = np.random.default_rng(0).standard_normal((targets, samples), np.float32)
    network, told = Network.of(model, SHAPE), []
    measured = functools.partial(matrix_free_alignment, model, inputs, drawn, chose=told.append)

    def operations(pairs: float) -> float:
        by_gram = network.gram(samples, pairs) + 2 * samples**2 * targets
        return min(by_gram, network.step(samples) + 2 * samples * targets * parameter_count(model))

    setting = f"{NAMES[name]}, m = {samples:,}, alignment of {targets:,}"
    ours, *rest = _lines(settings, setting, Candidate("linstudy", calls(measured)), samples, operations)
    return [dataclasses.replace(ours, what=", ".join([ours.what, *told[-1:]])), *rest]


def _lines(
    settings: Settings, setting: str, candidate: Candidate, samples: int, operations: Callable[[float], float]
) -> list[Line]:
    """What was measured beside its floor, and the product that gave the rate."""
    (ours, product), rate = settings.with_rate([candidate])
    floor = Floor(operations(samples**2), rate, useful=operations(samples * (samples + 1) / 2))
    return [
        Line(setting, ours.name, ours.seconds, floor=floor, remark=ours.remark),
        Line(setting, product.name, product.seconds, remark=product.remark),
    ]
