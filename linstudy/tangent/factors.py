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
from linstudy.tangent.compilation import convolution_jit
from linstudy.tangent.convolution import offset_slices
from linstudy.tangent.features import full_precision
from linstudy.tangent.parameters import parameter_count

Form = Literal["kernel", "positions"]

KERNEL_BLOCK = 8
"""Samples whose kernel gradients are computed at once on a CPU: their shifted inputs then stay in its cache."""

ROWS_AT_ONCE = (2, 4)
"""Neighbouring rows of outputs whose kernel gradients a product may give together."""

ENOUGH_OUTPUTS = 24
"""Columns that these products need no more than: LeNet's first layer, of 6 channels, takes 38 in place of 51 µs a
sample with 4 rows, its second, of 16, gains nothing."""

CHUNK = 8192
"""Numbers of the gradients multiplied at once on a CPU: of 32 by 32 samples with 3 million it takes 0.12 in place of
0.28 s. In one product, beside those of the layers held by positions, 64 by 64 samples took 9 s in place of 0.6."""

ALONE = 2**16
"""Numbers of a gradient from which it is not copied to join others: 2.8 of the 2.9 million of a ResNet18's."""


class Factors(eqx.Module):
    """Tangent features of some samples.

    Attributes:
        explicit: The part that is held as gradients: those of fewer numbers than `ALONE` joined, each other by itself.
        inputs: a of every other layer, by position.
        deltas: δ of the same layers, in the same order.
        biases: How many numbers equal to 1 each a goes on with: one where the layer has a bias.
    """

    explicit: list[Float[Array, "samples _"]]
    inputs: list[Float[Array, "samples _ _"]]
    deltas: list[Float[Array, "samples _ _"]]
    biases: tuple[int, ...] = eqx.field(static=True)


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
    """The inputs a_p of a layer at every position."""
    if isinstance(layer, eqx.nn.Linear):
        return inputs.reshape(len(inputs), 1, -1)
    window = (layer.kernel_size, layer.padding, layer.stride, layer.dilation)
    slices = jnp.stack(offset_slices(inputs, *window), 2)  # type: ignore[arg-type]
    return slices.reshape(len(inputs), -1, math.prod(slices.shape[3:])).swapaxes(1, 2)


def _deltas(layer: Layer, deltas: Float[Array, "samples ..."]) -> Float[Array, "samples positions outputs"]:
    if isinstance(layer, eqx.nn.Linear):
        return deltas.reshape(len(deltas), 1, -1)
    return deltas.reshape(*deltas.shape[:2], -1).swapaxes(1, 2)


def _kernel_gradient(layer: Layer, seen: Captured) -> Float[Array, "samples numbers"]:
    """The gradient of weight and bias for each sample."""
    inputs, deltas = seen.inputs, _deltas(layer, seen.deltas)
    if isinstance(layer, eqx.nn.Linear):
        weight = jnp.einsum("no,ni->noi", deltas[:, 0], _patches(layer, inputs)[:, 0])
    else:
        weight = _window_gradient(layer, inputs, seen.deltas)
    weight = weight.reshape(len(inputs), -1)
    return weight if layer.bias is None else jnp.concatenate([weight, jnp.sum(deltas, axis=1)], axis=1)


def _window_gradient(
    layer: eqx.nn.Conv, inputs: Float[Array, "samples ..."], deltas: Float[Array, "samples ..."]
) -> Float[Array, "samples channels height others outputs"]:
    """The gradient of a convolution's weight for each sample, as products over all positions.

    At stride 1 the outputs of some neighbouring rows are taken as channels of one position, as in `convolution`: their
    products have more columns, and fewer inputs are gathered, at the price of some that no row's kernel sees.
    """
    count, window = len(inputs), list(layer.kernel_size)
    rows = _rows_at_once(layer, deltas.shape[2])
    strides = [rows, *layer.stride[1:]] if rows > 1 else list(layer.stride)
    window[0] += rows - 1
    seen = offset_slices(inputs, window, layer.padding, strides, layer.dilation)  # type: ignore[arg-type]
    stacked = jnp.stack(seen, 2).reshape(count, inputs.shape[1] * math.prod(window), -1)
    split = deltas.reshape(count, deltas.shape[1], -1, rows, *deltas.shape[3:])
    flat = jnp.moveaxis(split, 3, 2).reshape(count, deltas.shape[1] * rows, -1)
    found = jnp.einsum("nkp,nop->nko", stacked, flat)
    found = found.reshape(count, inputs.shape[1], window[0], math.prod(window[1:]), -1, rows)
    height = layer.kernel_size[0]
    return sum(found[:, :, row : row + height, :, :, row] for row in range(rows))  # type: ignore[return-value]


def _rows_at_once(layer: eqx.nn.Conv, height: int) -> int:
    plain = all(step == 1 for step in (layer.stride[0], layer.dilation[0])) and jax.default_backend() == "cpu"
    possible = [rows for rows in ROWS_AT_ONCE if height % rows == 0 and rows * layer.out_channels <= ENOUGH_OUTPUTS]
    return max(possible, default=1) if plain else 1


def _in_blocks(function: Callable[[Captured], Array], seen: Captured) -> Array:
    """`function` of blocks of samples, which stay in a CPU's cache."""
    count = len(seen.inputs)
    if jax.default_backend() != "cpu" or count % KERNEL_BLOCK or count == KERNEL_BLOCK:
        return function(seen)
    blocks = jax.tree.map(lambda leaf: leaf.reshape(-1, KERNEL_BLOCK, *leaf.shape[1:]), seen)
    return jax.lax.map(function, blocks).reshape(count, -1)


@convolution_jit()
def batch_factors(
    model: Callable[..., Any], structure: Structure, inputs: Float[Array, "samples ..."]
) -> tuple[Factors, Float[Array, " layers"]]:
    """The factors of some samples, and the most often that each layer was called: if more than once they are wrong."""
    with full_precision():
        seen, others = jax.vmap(lambda sample: capture(model, dict(structure.shapes), sample))(inputs)
        found = layers(model)
        explicit = [leaf.reshape(len(inputs), -1) for leaf in jax.tree.leaves(others)]
        held: list[tuple[Array, Array]] = []
        biases: list[int] = []
        for (index, _), form in zip(structure.shapes, structure.forms, strict=True):
            layer = found[index]
            if form == "kernel":
                explicit.append(_in_blocks(functools.partial(_kernel_gradient, layer), seen[index]))
            else:
                held.append((_patches(layer, seen[index].inputs), _deltas(layer, seen[index].deltas)))
                biases.append(int(layer.bias is not None))
        most = [jnp.max(captured.calls).astype(inputs.dtype) for captured in seen.values()]
    calls = jnp.stack(most) if most else jnp.zeros(0, inputs.dtype)
    return Factors(_joined(explicit), [pair[0] for pair in held], [pair[1] for pair in held], tuple(biases)), calls


def _joined(gradients: list[Array]) -> list[Array]:
    small = [gradient for gradient in gradients if gradient.shape[1] < ALONE]
    large = [gradient for gradient in gradients if gradient.shape[1] >= ALONE]
    return [jnp.concatenate(small, axis=1), *large] if small else large


def _pairs(left: Float[Array, "rows positions width"], right: Float[Array, "columns others width"]) -> Array:
    """Products of all positions of all rows with all those of all columns."""
    return jnp.einsum("ipk,jqk->ipjq", left, right)


def _products(left: Float[Array, "rows numbers"], right: Float[Array, "columns numbers"]) -> Array:
    """left @ right.T, on a CPU by chunks that stay in its cache."""
    chunks = left.shape[1] // CHUNK if jax.default_backend() == "cpu" else 0

    def add(index: Array, total: Array) -> Array:
        one, other = (jax.lax.dynamic_slice_in_dim(rows, index * CHUNK, CHUNK, 1) for rows in (left, right))
        return total + one @ other.T

    rest = left[:, chunks * CHUNK :] @ right[:, chunks * CHUNK :].T
    return jax.lax.fori_loop(0, chunks, add, rest) if chunks else rest


@eqx.filter_jit
def contract(left: Factors, right: Factors) -> Float[Array, "rows columns"]:
    """The inner products of two sets of tangent features."""
    with full_precision():
        parts = [_products(*both) for both in zip(left.explicit, right.explicit, strict=True)]
        layers_of_both = zip(left.inputs, right.inputs, left.deltas, right.deltas, left.biases, strict=True)
        for a, b, d, e, bias in layers_of_both:
            parts.append(jnp.sum((_pairs(a, b) + bias) * _pairs(d, e), axis=(1, 3)))
        return functools.reduce(jnp.add, parts)


@eqx.filter_jit
def squared_norms(factors: Factors) -> Float[Array, " samples"]:
    """The inner product of each tangent feature with itself."""
    with full_precision():
        parts = [jnp.sum(gradients**2, axis=1) for gradients in factors.explicit]
        for a, d, bias in zip(factors.inputs, factors.deltas, factors.biases, strict=True):
            inner = (jnp.einsum("npk,nqk->npq", a, a) + bias) * jnp.einsum("npo,nqo->npq", d, d)
            parts.append(jnp.sum(inner, axis=(1, 2)))
        return functools.reduce(jnp.add, parts)
