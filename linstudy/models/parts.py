"""What a user's model is made of, and where in it a fault may hide."""

from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax

from linstudy.tangent.freeze import innermost
from linstudy.tangent.parameters import is_frozen, split


def parts(model: Any) -> Iterator[tuple[str, Any]]:
    """Every node and leaf of a model with its path, each before its own parts.

    What stands in two places comes with both paths, but its parts only with the first; frozen ones without any.
    """
    return _walk("", innermost(model), set())


def _walk(path: str, node: Any, seen: set[int]) -> Iterator[tuple[str, Any]]:
    yield path, node
    if id(node) in seen or is_frozen(node):
        return
    seen.add(id(node))
    for keys, part in jax.tree_util.tree_leaves_with_path(node, is_leaf=lambda part: part is not node):
        if part is not node:
            yield from _walk(path + jax.tree_util.keystr(keys), part, seen)


def model_warnings(model: Any) -> list[str]:
    """What a model may not be meant to do, one sentence each.

    Args:
        model: As `make_network` or a user's factory gives it, without its state.
    """
    return [*_torn_apart(model), *_without_statistics(model)]


def _torn_apart(model: Any) -> Iterator[str]:
    """Parameters that stand in two places, which Equinox takes for two."""
    paths: dict[int, list[str]] = {}
    for path, node in parts(model):
        if jax.tree.leaves(split(node)[0]):
            paths.setdefault(id(node), []).append(path)
    for first, *others in paths.values():
        for other in others:
            yield (
                f"the model holds the same parameters in {first} and {other}: they start alike and are trained apart, "
                "each as parameters of its own. If they are meant to be one, tie them with equinox.nn.Shared"
            )


def _without_statistics(model: Any) -> Iterator[str]:
    for path, node in parts(model):
        if isinstance(node, eqx.nn.BatchNorm) and node.mode == "ema":
            yield (
                f'{path} is an equinox.nn.BatchNorm of mode "ema", which has no running statistics before the first '
                'update: what is measured at initialization means nothing. Mode "batch" begins with mean 0, variance 1'
            )
