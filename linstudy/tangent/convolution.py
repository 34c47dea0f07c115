"""Convolutions that are fast on CPUs, as one bilinear primitive with all of JAX's transformations.

XLA hands a float32 convolution on CPUs to a matrix product whose columns are the output channels. With few of them the
product is starved: six channels reach a twentieth of the matmul rate. Here a kernel is enlarged to give a tile of p×q
neighbouring outputs at once, at stride (p, q): more operations, but p·q times the columns.
"""

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float

from linstudy.tangent.parameters import is_sealed

Padding = tuple[tuple[int, int], tuple[int, int]]
"""Zeros before and after, along height and width."""

ENOUGH_CHANNELS = 32
"""Columns from which the product runs well: of tiles 1×1 to 4×4, these were the fastest for LeNet's two layers and
their transposes (22 against 133, 15 against 25, 25 against 62 µs a sample on two cores)."""

ENOUGH_FOR_GRADIENTS = 16
"""The same for the gradient of a kernel, summed over a batch: 4.0 against 6.8 ms for LeNet's first layer and 128
samples, while the second, of 16 channels, is as fast without tiles."""

TILES = ((1, 1), (1, 2), (2, 2), (2, 4), (4, 4))

_IMAGES = ("NHWC", "HWIO", "NHWC")


def convolve(
    images: Float[Array, "batch channels height width"],
    kernel: Float[Array, "outputs channels kernel_height kernel_width"],
    padding: Padding,
) -> Float[Array, "batch outputs new_height new_width"]:
    """The convolution of `images` with `kernel` at stride 1, as `jax.lax.conv_general_dilated` gives it.

    Args:
        padding: Each number at least 0 and less than the kernel's size along its axis.
    """
    return _convolution.bind(images, kernel, padding=padding)


def offset_slices(
    images: Float[Array, "batch channels ..."],
    kernel: Sequence[int],
    padding: Sequence[tuple[int, int]],
    strides: Sequence[int],
    dilation: Sequence[int],
) -> list[Float[Array, "batch channels ..."]]:
    """What each offset of a kernel sees of the padded images, in row-major order, in any number of dimensions."""
    padded = jnp.pad(images, ((0, 0), (0, 0), *padding))

    def along(axis: int, offset: int) -> slice:
        seen = padded.shape[2 + axis] - dilation[axis] * (kernel[axis] - 1)
        first = offset * dilation[axis]
        return slice(first, first + seen, strides[axis])

    offsets = itertools.product(*map(range, kernel))
    return [padded[:, :, *(along(axis, offset) for axis, offset in enumerate(place))] for place in offsets]


def _tile(outputs: int, enough: int) -> tuple[int, int]:
    return next((tile for tile in TILES if math.prod(tile) * outputs >= enough), TILES[-1])


def _enlarged(kernel: Float[Array, "outputs channels kh kw"], tile: tuple[int, int]) -> Float[Array, "..."]:
    """The kernel of every output of a tile, placed where that output sees its inputs: one kernel of more channels."""
    p, q = tile
    shifts = itertools.product(range(p), range(q))
    placed = [jnp.pad(kernel, ((0, 0), (0, 0), (i, p - 1 - i), (j, q - 1 - j))) for i, j in shifts]
    return jnp.concatenate(placed)


def _tiled(images: Array, kernel: Array, padding: Padding, enough: int = ENOUGH_CHANNELS) -> Array:
    outputs, _, *window = kernel.shape
    p, q = tile = _tile(outputs, enough)
    sizes = [images.shape[2 + axis] + sum(padding[axis]) - window[axis] + 1 for axis in (0, 1)]
    counts = [-(-size // side) for size, side in zip(sizes, tile, strict=True)]
    extended = [
        (low, high + count * side - size)
        for (low, high), count, side, size in zip(padding, counts, tile, sizes, strict=True)
    ]
    found = jax.lax.conv_general_dilated(
        images.transpose(0, 2, 3, 1),
        _enlarged(kernel, tile).transpose(2, 3, 1, 0),
        tile,
        extended,
        dimension_numbers=_IMAGES,
    )
    rows, columns = counts
    split = found.reshape(len(images), rows, columns, p, q, outputs)
    whole = split.transpose(0, 5, 1, 3, 2, 4).reshape(len(images), outputs, rows * p, columns * q)
    return whole[:, :, : sizes[0], : sizes[1]]


def _plain(images: Array, kernel: Array, padding: Padding) -> Array:
    return jax.lax.conv_general_dilated(images, kernel, (1, 1), padding)


def _evaluate(images: Array, kernel: Array, *, padding: Padding) -> Array:
    return _tiled(images, kernel, padding)


_convolution = Primitive("tiled_convolution")
_convolution.def_impl(jax.jit(_evaluate, static_argnames="padding"))


@_convolution.def_abstract_eval
def _(images: Any, kernel: Any, *, padding: Padding) -> Any:
    shape = jax.eval_shape(functools.partial(_plain, padding=padding), images, kernel)
    return images.update(shape=shape.shape)


def _in_images(cotangent: Array, images: Any, kernel: Array, *, padding: Padding) -> Array:
    window = kernel.shape[2:]
    flipped = jnp.flip(kernel, (2, 3)).swapaxes(0, 1)
    full = [(size - 1 - low, size - 1 - high) for (low, high), size in zip(padding, window, strict=True)]
    return convolve(cotangent, flipped, tuple(full))  # type: ignore[arg-type]


def _in_kernel(cotangent: Array, images: Array, kernel: Any, *, padding: Padding) -> Array:
    like = jax.ShapeDtypeStruct(kernel.aval.shape, kernel.aval.dtype)
    forward = functools.partial(_tiled, images, padding=padding, enough=ENOUGH_FOR_GRADIENTS)
    [found] = jax.linear_transpose(forward, like)(cotangent)
    return found


def _batched(arguments: Any, axes: Any, *, padding: Padding) -> tuple[Array, int]:
    images, kernel = arguments
    if axes[1] is None:
        stacked = jnp.moveaxis(images, axes[0], 0)
        flat = convolve(stacked.reshape(-1, *stacked.shape[2:]), kernel, padding)
        return flat.reshape(*stacked.shape[:2], *flat.shape[1:]), 0
    # a kernel for each: no product has enough columns, and XLA's own batching is as good
    return jax.vmap(functools.partial(_plain, padding=padding), axes)(images, kernel), 0


ad.defbilinear(_convolution, _in_images, _in_kernel)
batching.primitive_batchers[_convolution] = _batched
mlir.register_lowering(_convolution, mlir.lower_fun(_evaluate, multiple_results=False))


@final
class FastConvolution(eqx.Module):
    """An Equinox convolution, evaluated by `convolve`."""

    layer: eqx.nn.Conv

    def __call__(
        self, x: Float[Array, "channels height width"], **_: Any
    ) -> Float[Array, "outputs new_height new_width"]:
        found = convolve(x[None], self.layer.weight, self.layer.padding)[0]  # type: ignore[arg-type]
        return found if self.layer.bias is None else found + self.layer.bias

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "layer"), name)


def is_starved(layer: Any) -> bool:
    """Whether `convolve` computes what a layer does, and faster on a CPU. In float64 XLA's own way is faster."""
    if not isinstance(layer, eqx.nn.Conv) or type(layer).__call__ is not eqx.nn.Conv.__call__:
        return False
    if layer.num_spatial_dims != 2 or layer.weight is None:
        return False
    if layer.weight.dtype != jnp.float32:
        return False
    padding = layer.padding
    plain = (layer.stride, layer.dilation, layer.groups, layer.padding_mode) == ((1, 1), (1, 1), 1, "ZEROS")
    fits = not isinstance(padding, str) and all(
        max(sides) < size for sides, size in zip(padding, layer.kernel_size, strict=True)
    )
    channels = min(layer.in_channels, layer.out_channels)
    return plain and fits and channels < ENOUGH_CHANNELS


def fast(layer: Any) -> Any:
    """A layer by `convolve` where that pays: on CPUs, in float32. Anything else is returned as it is."""
    return FastConvolution(layer) if jax.default_backend() == "cpu" and is_starved(layer) else layer


def with_fast_convolutions(model: Any) -> Any:
    """`model`, to be called where it is traced, with every convolution `fast`. Results differ by rounding."""
    return jax.tree.map(fast, model, is_leaf=lambda node: is_sealed(node) or is_starved(node))
