"""Errors of every Gram against explicit gradients in float64."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import peers
from grams import TORCH_PEERS
from settings import NAMES, Settings, images
from table import COLUMNS, Line, Section
from torch_client import MISSING, TorchServer

from linstudy.runs.precision import precision
from linstudy.tangent import freeze, ntk_gram

GOAL = 1e-5

LEGEND = f"""‖difference‖ / ‖Gram‖ (Frobenius) from explicit gradients in float64 of the same float32 parameters and \
inputs; goal {GOAL:g} in float32. "Corner" is the first rows and columns of a larger Gram, whose layers may take other \
forms. The torch peers have networks of their own, and their own reference, the Jacobians of torch.func."""


def section(settings: Settings) -> Section:
    """Errors of all networks."""
    lines = [line for case in _cases(settings) for line in _setting(settings, *case)]
    return Section("Accuracy", LEGEND, lines, (*COLUMNS[:-1], "error"))


def _cases(settings: Settings) -> list[tuple[str, int, int]]:
    """Networks, their samples, and the samples of the larger Gram."""
    if settings.smoke:
        return [(name, 4, 8) for name in settings.networks[:2]]
    large = 2 if settings.quick else 8
    return [("mlp", 64, 64 * 2 * large), ("lenet", 64, 64 * 2 * large), ("resnet18", 16, 16 * large)]


def in_float64(model: Any) -> Any:
    """A model with its real arrays in float64; called under `jax.enable_x64`."""

    def cast(leaf: Any) -> Any:
        real = eqx.is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.floating)
        return leaf.astype(jnp.float64) if real else leaf

    return jax.tree.map(cast, model)


def exact_gram(model: Any, inputs: np.ndarray) -> np.ndarray:
    """By explicit gradients in float64."""
    with precision("float64"):
        return ntk_gram(in_float64(model), inputs.astype(np.float64), structured=False)


def relative_error(found: Any, exact: np.ndarray) -> float:
    """‖found − exact‖ / ‖exact‖."""
    return float(np.linalg.norm(np.asarray(found, np.float64).reshape(exact.shape) - exact) / np.linalg.norm(exact))


def _setting(settings: Settings, name: str, samples: int, large: int) -> Iterator[Line]:
    model, inputs = freeze(*settings.network(name)), images(large)
    first, place = inputs[:samples], f"{NAMES[name]}, m = {samples}"
    exact = exact_gram(model, first)
    for what, gram in _grams(settings, name, model, first):
        yield _line(place, what, functools.partial(_error, gram, exact))
    corner = functools.partial(_error, lambda: ntk_gram(model, inputs)[:samples, :samples], exact)
    yield _line(place, f"linstudy, corner of m = {large:,}", corner)
    if settings.torch is None:
        yield Line(place, "torch peers", remark=f"left out: {MISSING}")
        return
    for peer in TORCH_PEERS:
        yield _line(place, peer, functools.partial(_torch_error, settings.torch, peer, name, samples))


def _grams(settings: Settings, name: str, model: Any, inputs: np.ndarray) -> Iterator[tuple[str, Callable[[], Any]]]:
    yield "linstudy", functools.partial(ntk_gram, model, inputs)
    yield "linstudy, explicit gradients", functools.partial(ntk_gram, model, inputs, structured=False)
    if settings.accelerated:
        yield "linstudy, tf32", functools.partial(_in_tf32, functools.partial(ntk_gram, model, inputs))
    for number, words in peers.IMPLEMENTATIONS.items():
        yield f"neural-tangents {number} ({words})", peers.whole_gram(model, number, inputs, settings.memory)


def _in_tf32(call: Callable[[], Any]) -> Any:
    with precision("tf32"):
        return call()


def _error(gram: Callable[[], Any], exact: np.ndarray) -> float:
    return relative_error(gram(), exact)


def _torch_error(torch: TorchServer, peer: str, name: str, samples: int) -> float:
    return torch.ask(task="accuracy", peer=peer, model=name, samples=samples)["relative"]


def _line(place: str, what: str, error: Callable[[], float]) -> Line:
    try:
        found = error()
    except Exception as failure:
        return Line(place, what, remark=f"{type(failure).__name__}: {str(failure).splitlines()[0][:160]}")
    return Line(place, what, remark=f"{found:.1e}{'' if found <= GOAL else ' (above the goal)'}")
