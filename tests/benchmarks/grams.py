"""Grams against neural-tangents, torch.func, nngeometry, asdfghjkl and explicit gradients."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import peers
from measure import Candidate, calls, left_out
from operations import Network
from settings import NAMES, SHAPE, Settings, images
from table import Floor, Line, Section, compared
from torch_client import MISSING, ON_CPUS

from linstudy.runs.precision import precision
from linstudy.tangent import freeze, ntk_gram, parameter_count
from linstudy.tangent.placement import memory_budget_or_default

TORCH_PEERS = ("torch.func", "nngeometry", "nngeometry jacobian", "asdfghjkl direct", "asdfghjkl hadamard")
INEXACT = "asdfghjkl hadamard"
BY_GRADIENTS = ("torch.func", "nngeometry jacobian", "asdfghjkl direct")
STRUCTURED = 3
"""neural-tangents' implementation that its structured derivatives are."""

LONG = "takes minutes (--quick)"

COPIES = 2
"""Of the Jacobian, that a torch peer is taken to hold."""

BATCHED_PAIRS = 2e6
"""Above, and for a ResNet18, `nt.batch` takes minutes: it is warmed up on two batches."""

LEGEND = """Floor: a forward pass, a backward pass to the layers' output gradients, kernel gradients where they are \
the cheaper form, and the products of all m² pairs in every layer's cheaper form, without symmetry, at the rate of the \
matrix product measured among the calls of the same setting. Of the matmul rate: the same with the m (m + 1) / 2 pairs \
that are needed. Batches of `nt.batch` are the largest divisors of m up to those of arXiv:2106.06770's code: 500 (MLP, \
LeNet) and 20 (ResNet18); its way is implementation 1."""


def section(settings: Settings) -> Section:
    """Every setting of the device."""
    lines: list[Line] = []
    for name, samples in cases(settings):
        lines += setting(settings, name, samples)
    return Section("Gram of the tangent kernel, float32", LEGEND, lines)


def cases(settings: Settings) -> list[tuple[str, int]]:
    """Networks and numbers of samples."""
    if settings.smoke:
        return [(name, samples) for name, samples in zip(settings.networks, (24, 8, 4), strict=False)]
    if settings.accelerated:
        large = [("mlp", 10_000), ("lenet", 10_000), ("resnet18", 1_000)]
        return large if settings.quick else [*large, ("mlp", 20_000), ("lenet", 20_000)]
    return [("mlp", 1024), ("mlp", 4096), ("lenet", 1024), ("lenet", 4096), ("resnet18", 128)]


def setting(settings: Settings, name: str, samples: int) -> list[Line]:
    """The lines of one network and number of samples."""
    model, inputs = freeze(*settings.network(name)), images(samples)
    budget = memory_budget_or_default(settings.budget)
    ours = functools.partial(ntk_gram, model, inputs, memory_budget=budget)
    explicit = Candidate("linstudy, explicit gradients", calls(functools.partial(ours, structured=False)))
    candidates = [
        Candidate(f"linstudy, {budget / 2**30:.3g} GiB of features", calls(ours)),
        explicit if _has_time(settings, name, samples) else left_out(explicit.name, LONG),
        *(_tf32(ours) if settings.accelerated else []),
        *_neural_tangents(settings, name, model, inputs),
        *_torch(settings, name, samples, parameter_count(model)),
    ]
    timings, rate = settings.with_rate(candidates)
    network = Network.of(model, SHAPE)
    floor = Floor(network.gram(samples, samples**2), rate, useful=network.gram(samples, samples * (samples + 1) / 2))
    *grams, product = compared(f"{NAMES[name]}, m = {samples:,}", timings, floor)
    return [*grams, Line(product.setting, product.what, product.seconds, remark=product.remark)]


def _has_time(settings: Settings, name: str, samples: int) -> bool:
    """Whether Grams by the gradients of all samples are measured: with --quick not those of an MLP or many samples."""
    return settings.smoke or not settings.quick or (name != "mlp" and samples <= 1024)


def _tf32(ours: Callable[[], Any]) -> Iterator[Candidate]:
    def call() -> Any:
        with precision("tf32"):
            return ours()

    yield Candidate("linstudy, tf32", calls(call), remark="its share is of the float32 rate")


def _neural_tangents(settings: Settings, name: str, model: Any, inputs: np.ndarray) -> Iterator[Candidate]:
    samples, batch = len(inputs), peers.batch_for(name, len(inputs))
    slow = name == "resnet18" or samples**2 > BATCHED_PAIRS
    for number, words in peers.IMPLEMENTATIONS.items():
        whole = f"neural-tangents {number} ({words})"
        if number == STRUCTURED or _has_time(settings, name, samples):
            yield Candidate(whole, calls(peers.whole_gram(model, number, inputs, settings.memory)))
        else:
            yield left_out(whole, LONG)
        batched = f"{whole}, nt.batch {batch}"
        if settings.quick and not settings.smoke:
            yield left_out(batched, LONG)
            continue
        call = peers.batched_gram(model, number, batch)
        two = functools.partial(call, inputs[: 2 * batch])
        run = calls(functools.partial(call, inputs))
        yield Candidate(batched, run, warm_up=two if slow else None)


def _torch(settings: Settings, name: str, samples: int, parameters: int) -> Iterator[Candidate]:
    if settings.torch is None or settings.accelerated:
        yield left_out("torch peers", MISSING if settings.torch is None else ON_CPUS)
        return
    held = COPIES * 4 * samples * parameters
    for peer in TORCH_PEERS:
        if peer == INEXACT and name != "mlp":
            yield left_out(peer, "its Gram is wrong on convolutions (see accuracy)")
        elif peer != INEXACT and held > settings.memory:
            yield left_out(peer, f"would hold {held / 2**30:.1f} GiB")
        elif peer in BY_GRADIENTS and not _has_time(settings, name, samples):
            yield left_out(peer, LONG)
        else:
            yield settings.torch.candidate(peer, task="gram", peer=peer, model=name, samples=samples)
