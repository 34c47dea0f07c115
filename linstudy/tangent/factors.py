"""Tangent features in factors: what a Gram needs of them, at a fraction of their operations and memory.

A layer z = W a + b at P positions has the tangent feature Σ_p δ_p ⊗ (a_p, 1), of K·O numbers for K inputs (the bias
counted) and O outputs. Its part of Θ(x, x') is either the product of two such features, K·O multiply-adds, or
Σ_pq (δ_p·δ'_q)(a_p·a'_q), P²(K + O) of them, and no feature to compute. The cheaper one is taken for each layer.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from linstudy.tangent.capture import Captured, Layer, Seen, capture, layers
from linstudy.tangent.convolution import offset_slices
from linstudy.tangent.features import full_precision
from linstudy.tangent.parameters import parameter_count

Form = Literal["kernel", "positions"]

KERNEL_BLOCK = 8
"""Samples whose kernel gradients are computed at once on a CPU: their shifted inputs then stay in its cache."""


class Factors(eqx.Module):
    """Tangent features of some samples.

    Attributes:
        explicit: The part that is held as gradients.
        inputs: a of every other layer, by position, a 1 appended where it has a bias.
        deltas: δ of the same layers, in the same order.
    """

    explicit: Float[Array, "samples numbers"]
    inputs: list[Float[Array, "samples _ _"]]
    deltas: list[Float[Array, "samples _ _"]]


@dataclasses.dataclass(frozen=True)
class Structure:
    """How the features of a model are held: the form of each captured layer by its index, and what the rest counts.

    Hashable: a compiled function is kept for each.
    """

    shapes: tuple[tuple[int, Seen], ...]
    forms: tuple[Form, ...]

    @property
    def positions(self) -> int:
        """The most positions of any layer held by positions, at least 1."""
        held = [seen for (_, seen), form in zip(self.shapes, self.forms, strict=True) if form == "positions"]
        return max((math.prod(seen.output.shape[1:]) for seen in held), default=1)

    def captured_parameters(self, model: Callable[..., Any]) -> int:
        """Parameters of the captured layers."""
        found = layers(model)
        return sum(parameter_count(found[index]) for index, _ in self.shapes)


@dataclasses.dataclass(frozen=True)
class Extent:
    """The size of one layer's feature: positions P, inputs K with the bias, outputs O."""

    positions: int
    inputs: int
    outputs: int

    @classmethod
    def of(cls, layer: Layer, output_shape: tuple[int, ...]) -> "Extent":
        """The extent of a layer whose output for one sample has a shape."""
        bias = layer.bias is not None
        if isinstance(layer, eqx.nn.Linear):
            inputs, outputs = layer.weight.shape[-1], math.prod(output_shape)
            return cls(1, inputs + bias, outputs)
        outputs, *window = layer.weight.shape
        return cls(math.prod(output_shape[1:]), math.prod(window) + bias, outputs)

    def cheaper(self, samples: int) -> Form:
        """The form of fewer multiply-adds for the upper half of a Gram of some samples."""
        pairs = (samples + 1) / 2
        by_positions = pairs * self.positions**2 * (self.inputs + self.outputs)
        by_kernel = (pairs + self.positions) * self.inputs * self.outputs
        return "positions" if by_positions < by_kernel else "kernel"

    def numbers(self, form: Form) -> int:
        """What the feature of one sample takes to hold."""
        if form == "kernel":
            return self.inputs * self.outputs
        return self.positions * (self.inputs + self.outputs)


def structure_of(model: Callable[..., Any], shapes: Mapping[int, Seen], samples: int) -> Structure:
    """The cheapest structure for a Gram of some samples.

    Args:
        shapes: From `capture.call_shapes`, of the layers to hold in factors; none for explicit gradients alone.
    """
    found = layers(model)
    forms: list[Form] = [Extent.of(found[index], seen.output.shape).cheaper(samples) for index, seen in shapes.items()]
    return Structure(tuple(shapes.items()), tuple(forms))


def numbers_held(model: Callable[..., Any], structure: Structure, others: int) -> int:
    """Numbers that one sample's factors hold, beside `others` explicit gradients."""
    found = layers(model)
    extents = [Extent.of(found[index], seen.output.shape) for index, seen in structure.shapes]
    return others + sum(extent.numbers(form) for extent, form in zip(extents, structure.forms, strict=True))


def _patches(layer: Layer, inputs: Float[Array, "samples ..."]) -> Float[Array, "samples positions width"]:
    """The inputs a_p of a layer at every position, a 1 appended where it has a bias."""
    count = len(inputs)
    if isinstance(layer, eqx.nn.Linear):
        seen = inputs.reshape(count, 1, -1)
    else:
        slices = jnp.stack(_slices(layer, inputs), 2)
        seen = slices.reshape(count, -1, math.prod(slices.shape[3:])).swapaxes(1, 2)
    if layer.bias is None:
        return seen
    return jnp.concatenate([seen, jnp.ones((*seen.shape[:2], 1), seen.dtype)], axis=2)


def _slices(layer: eqx.nn.Conv, inputs: Float[Array, "samples ..."]) -> list[Array]:
    return offset_slices(inputs, layer.kernel_size, layer.padding, layer.stride, layer.dilation)  # type: ignore[arg-type]


def _deltas(layer: Layer, deltas: Float[Array, "samples ..."]) -> Float[Array, "samples positions outputs"]:
    if isinstance(layer, eqx.nn.Linear):
        return deltas.reshape(len(deltas), 1, -1)
    return deltas.reshape(*deltas.shape[:2], -1).swapaxes(1, 2)


def _kernel_gradient(layer: Layer, seen: Captured) -> Float[Array, "samples numbers"]:
    """The gradient of weight and bias for each sample."""
    inputs, deltas = seen.inputs, seen.deltas
    count = len(inputs)
    if isinstance(layer, eqx.nn.Linear):
        found = jnp.einsum("no,ni->noi", deltas.reshape(count, -1), _patches(layer, inputs)[:, 0])
        return found.reshape(count, -1)
    stacked = jnp.stack(_slices(layer, inputs), 2).reshape(count, layer.weight[0].size, -1)
    flat = deltas.reshape(*deltas.shape[:2], -1)
    weight = jnp.einsum("nkp,nop->nko", stacked, flat).reshape(count, -1)
    return weight if layer.bias is None else jnp.concatenate([weight, jnp.sum(flat, axis=2)], axis=1)


def _in_blocks(function: Callable[[Captured], Array], seen: Captured) -> Array:
    """`function` of blocks of samples, which stay in a CPU's cache."""
    count = len(seen.inputs)
    if jax.default_backend() != "cpu" or count % KERNEL_BLOCK or count == KERNEL_BLOCK:
        return function(seen)
    blocks = jax.tree.map(lambda leaf: leaf.reshape(-1, KERNEL_BLOCK, *leaf.shape[1:]), seen)
    return jax.lax.map(function, blocks).reshape(count, -1)


@eqx.filter_jit
def batch_factors(
    model: Callable[..., Any], structure: Structure, inputs: Float[Array, "samples ..."]
) -> tuple[Factors, Float[Array, " layers"]]:
    """The factors of some samples, and the most often that each layer was called: if more than once they are wrong."""
    with full_precision():
        seen, others = jax.vmap(lambda sample: capture(model, dict(structure.shapes), sample))(inputs)
        found = layers(model)
        explicit = [leaf.reshape(len(inputs), -1) for leaf in jax.tree.leaves(others)]
        held: list[tuple[Array, Array]] = []
        for (index, _), form in zip(structure.shapes, structure.forms, strict=True):
            layer = found[index]
            if form == "kernel":
                explicit.append(_in_blocks(functools.partial(_kernel_gradient, layer), seen[index]))
            else:
                held.append((_patches(layer, seen[index].inputs), _deltas(layer, seen[index].deltas)))
        most = [jnp.max(captured.calls).astype(inputs.dtype) for captured in seen.values()]
    calls = jnp.stack(most) if most else jnp.zeros(0, inputs.dtype)
    joined = jnp.concatenate(explicit, axis=1) if explicit else jnp.zeros((len(inputs), 0), inputs.dtype)
    return Factors(joined, [pair[0] for pair in held], [pair[1] for pair in held]), calls


def _pairs(left: Float[Array, "rows positions width"], right: Float[Array, "columns others width"]) -> Array:
    """Products of all positions of all rows with all those of all columns."""
    return jnp.einsum("ipk,jqk->ipjq", left, right)


@eqx.filter_jit
def contract(left: Factors, right: Factors) -> Float[Array, "rows columns"]:
    """The inner products of two sets of tangent features."""
    with full_precision():
        total = left.explicit @ right.explicit.T
        for a, b, d, e in zip(left.inputs, right.inputs, left.deltas, right.deltas, strict=True):
            total = total + jnp.sum(_pairs(a, b) * _pairs(d, e), axis=(1, 3))
    return total


@eqx.filter_jit
def squared_norms(factors: Factors) -> Float[Array, " samples"]:
    """The inner product of each tangent feature with itself."""
    with full_precision():
        total = jnp.sum(factors.explicit**2, axis=1)
        for a, d in zip(factors.inputs, factors.deltas, strict=True):
            inner = jnp.einsum("npk,nqk->npq", a, a) * jnp.einsum("npo,nqo->npq", d, d)
            total = total + jnp.sum(inner, axis=(1, 2))
    return total
