"""Convolutions that are fast on CPUs, as one bilinear primitive with all of JAX's transformations.

XLA hands a float32 convolution on CPUs to a matrix product whose columns are the output channels. With few of them the
product is starved: six channels reach a twentieth of the matmul rate. Here a kernel is enlarged to give a tile of p×q
neighbouring outputs at once, at stride (p, q): more operations, but p·q times the columns.
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Primitive, jaxpr_as_fun
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float

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


_PLAIN: dict[str, Any] = {
    "window_strides": (1, 1),
    "lhs_dilation": (1, 1),
    "rhs_dilation": (1, 1),
    "feature_group_count": 1,
    "batch_group_count": 1,
}
"""The options of a convolution that `convolve` computes."""


def _is_starved(equation: JaxprEqn) -> bool:
    """Whether `convolve` computes what an equation does, and faster on a CPU. In float64 XLA's own way is faster."""
    if equation.primitive is not jax.lax.conv_general_dilated_p:
        return False
    images, kernel = (cast(Any, variable.aval) for variable in equation.invars)
    if any(array.dtype != jnp.float32 for array in (images, kernel)) or kernel.ndim != 4:
        return False
    options = equation.params
    standard = all(order == (0, 1, 2, 3) for order in options["dimension_numbers"])
    fits = all(
        0 <= side < size for sides, size in zip(options["padding"], kernel.shape[2:], strict=True) for side in sides
    )
    plain = all(options[name] == value for name, value in _PLAIN.items())
    return standard and fits and plain and min(kernel.shape[:2]) < ENOUGH_CHANNELS


def _faster(part: Any) -> Any:
    """A program, an equation of one or one of its options, starved convolutions by `convolve`; itself without any."""
    match part:
        case JaxprEqn() if _is_starved(part):
            return part.replace(primitive=_convolution, params={"padding": tuple(map(tuple, part.params["padding"]))})
        case JaxprEqn():
            options = {name: _faster(value) for name, value in part.params.items()}
            same = all(options[name] is value for name, value in part.params.items())
            return part if same else part.replace(params=options)
        case Jaxpr():
            equations = _all_faster(part.eqns)
            return part if equations is part.eqns else part.replace(eqns=equations)
        case ClosedJaxpr():
            inner = _faster(part.jaxpr)
            return part if inner is part.jaxpr else part.replace(jaxpr=inner)
        case tuple() | list():
            return _all_faster(part)
        case _:
            return part


def _all_faster(parts: Any) -> Any:
    found = [_faster(part) for part in parts]
    same = all(one is other for one, other in zip(found, parts, strict=True))
    return parts if same else type(parts)(found)


def with_fast_convolutions(model: Callable[..., Any]) -> Callable[..., Any]:
    """`model`, to be called where it is traced, with its starved convolutions by `convolve` on CPUs.

    The model's own code runs, with its own layers; what is changed is the program that it gives. Results differ by
    rounding.
    """
    if jax.default_backend() != "cpu":
        return model

    def call(*arguments: Any, **options: Any) -> Any:
        program, shapes, rest = eqx.filter_make_jaxpr(model)(*arguments, **options)
        inputs = jax.tree.leaves(eqx.filter((arguments, options), eqx.is_array))
        expected, structure = jax.tree.flatten(shapes)
        # a constant output comes as a Python number
        outputs = map(jnp.asarray, jaxpr_as_fun(_faster(program))(*inputs), [one.dtype for one in expected])
        return eqx.combine(jax.tree.unflatten(structure, outputs), rest)

    return call
