"""The tangent kernel of infinitely wide networks, from neural-tangents.

What the kernel means. A network of standard parameterization, weights of variance 1/fan-in and biases 0, has a tangent
kernel that grows with its widths: in

    Θ = fan_in · K + K̇ · Θ' + 1        (K, K̇ of a dense layer's inputs and slopes, Θ' of the layers below, 1 its bias)

fan_in is the width of the layer before, while K and K̇ tend to deterministic limits. The kernel here takes those limits
and keeps fan_in at the widths that the network has. So for a random network of these widths

    Θ_network(x, x') / Θ_here(x, x') → 1       as all hidden widths grow in proportion,

with an error of the order of width^(-1/2) for one network. In other words, both sides divided by the width have one
limit. The terms that do not grow, the first layer's and the biases', are kept too; they are of the same order as the
corrections to K that the limit leaves out. Order, names and units of the Gram are thus those of `ntk_gram`.

Source: arXiv:2001.07301 (with its s = 1), arXiv:1912.02803.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import jaxlib.version
import numpy as np
from jaxtyping import Array, Float

from linstudy.tangent.neural_tangents_adapter import lenient_promotion, load_neural_tangents
from linstudy.tangent.tiling import (
    Finished,
    Progress,
    Tile,
    assemble,
    keeper,
    padded_rows,
    report,
    tile_count,
    tile_slices,
    tiles_to_skip,
)

KernelFunction = Callable[[Float[Array, "tile *shape"], Float[Array, "tile *shape"]], Float[Array, "tile tile"]]
"""Θ of two blocks of channel-first inputs."""

ACTIVATIONS = ("relu", "gelu")


def _activation(name: str) -> Any:
    stax = load_neural_tangents().stax
    if name == "relu":
        return stax.Relu()
    if name == "gelu":
        # The kernel of the exact, erf form: neural-tangents has none of the tanh form, which differs by at most 5e-4.
        return stax.Gelu()
    raise ValueError(f"{name!r} has no infinite-width kernel here. Allowed: {', '.join(ACTIVATIONS)}.")


def _dense(width: int) -> Any:
    return load_neural_tangents().stax.Dense(width, W_std=1.0, b_std=0.0, parameterization="standard")


def _convolution(channels: int, size: int) -> Any:
    return load_neural_tangents().stax.Conv(
        channels, (size, size), padding="SAME", W_std=1.0, b_std=0.0, parameterization="standard"
    )


def _reject_fatal_float64() -> None:
    if jax.default_backend() == "cpu" and jaxlib.version.__version_info__ < (0, 12):
        raise RuntimeError(
            "LeNet's infinite-width kernel was asked for in float64 on a CPU, where "
            f"jaxlib {jaxlib.version.__version__} can end the process (seen with AVX-512). "
            "Pass float32 inputs, or use an accelerator, or jaxlib 0.12 or newer, which needs Python 3.12 or newer."
        )


def _kernel_function(*layers: Any, double: bool) -> KernelFunction:
    """The kernel of `layers`, in float64 if `double`, else in the precision of its inputs."""
    _, _, kernel = load_neural_tangents().stax.serial(*layers)
    evaluate = jax.jit(functools.partial(kernel, get="ntk"))

    def kernel_function(left: Array, right: Array) -> Array:
        wide = left.dtype == np.float64
        if wide and not double:
            _reject_fatal_float64()
        with jax.enable_x64(double or wide), lenient_promotion():
            dtype = jnp.float64 if double or wide else jnp.float32
            return evaluate(*(_channels_last(jnp.asarray(block, dtype)) for block in (left, right)))

    return kernel_function


def _channels_last(block: Float[Array, "tile *shape"]) -> Float[Array, "tile *permuted"]:
    """The layout of neural-tangents. A kernel does not see the order of what is flattened."""
    return jnp.moveaxis(block, 1, -1)


def mlp(hidden: tuple[int, ...], activation: str) -> KernelFunction:
    """Kernel of: flatten, then a dense layer and an activation for each of `hidden`, then a dense layer to one logit.

    Evaluated in float64: in float32 the angle between equal inputs, an arccos at 1, costs a ReLU's diagonal 1e-4.

    Raises:
        NeuralTangentsMissing: With the command that installs it.
        ValueError: If there is no kernel for `activation`.
    """
    body = [layer for width in hidden for layer in (_dense(width), _activation(activation))]
    return _kernel_function(load_neural_tangents().stax.Flatten(), *body, _dense(1), double=True)


def lenet(activation: str, *, widen: int = 1) -> KernelFunction:
    """Kernel of LeNet: two 5×5 convolutions with average pools (6, 16 channels), dense layers of 120, 84 and 1.

    Cost and memory of a pair of inputs grow with the square of the number of pixels: 4 thousand numbers for 8×8
    inputs, 1 million for 32×32. Evaluated in the precision of its inputs; in float32 a ReLU's diagonal is good to 1e-4.

    Args:
        widen: Multiplies the four hidden widths.

    Raises:
        NeuralTangentsMissing: With the command that installs it.
        ValueError: If there is no kernel for `activation`.
    """
    stax = load_neural_tangents().stax
    convolutions = [
        layer
        for channels in (6, 16)
        for layer in (
            _convolution(channels * widen, 5),
            _activation(activation),
            stax.AvgPool((2, 2), strides=(2, 2), padding="VALID"),
        )
    ]
    dense = [layer for width in (120, 84) for layer in (_dense(width * widen), _activation(activation))]
    return _kernel_function(*convolutions, stax.Flatten(), *dense, _dense(1), double=False)


def _tiles(
    kernel_function: KernelFunction, inputs: np.ndarray, others: np.ndarray | None, tile: int, skip: int
) -> Iterator[Tile]:
    """The tiles of the Gram but the first ones."""
    across = inputs if others is None else others
    for row, rows in enumerate(tile_slices(len(inputs), tile)):
        left = padded_rows(inputs, rows, tile)
        of_row = tile_slices(len(across), tile)[row if others is None else 0 :]
        for columns in of_row[skip:]:
            yield rows, columns, kernel_function(left, padded_rows(across, columns, tile))
        skip = max(0, skip - len(of_row))


def infinite_width_gram(
    kernel_function: KernelFunction,
    inputs: Float[Array | np.ndarray, "samples *shape"],
    others: Float[Array | np.ndarray, "others *shape"] | None = None,
    *,
    tile: int = 32,
    out: Float[np.ndarray, "samples others"] | None = None,
    finished: Finished | None = None,
    keep: Callable[[Finished], object] | None = None,
    progress: Progress | None = None,
) -> Float[np.ndarray, "samples others"]:
    """The Gram of an infinite-width kernel; the module's docstring says what it is the limit of.

        gram = infinite_width_gram(mlp((100, 100), "relu"), inputs)

    Args:
        kernel_function: From `mlp` or `lenet`. The Gram has the dtype of `inputs`.
        inputs: Channel first, or flat.
        tile: Samples on either side of a tile; memory grows with its square.
        out: Where the result goes, such as a memory-mapped file; new memory if None.
        finished: As of `ntk_gram`.
        keep: As of `ntk_gram`.
    """
    inputs = np.asarray(inputs)
    across = inputs if others is None else np.asarray(others)
    symmetric = others is None
    tile = min(tile, max(len(inputs), len(across)))
    order = f"tiles of {tile}"
    skip = tiles_to_skip(finished, order)
    row_tiles, column_tiles = len(tile_slices(len(inputs), tile)), len(tile_slices(len(across), tile))
    return assemble(
        np.empty((len(inputs), len(across)), jnp.asarray(inputs[:1]).dtype) if out is None else out,
        _tiles(kernel_function, inputs, None if symmetric else across, tile, skip),
        symmetric=symmetric,
        progress=report(progress, tile_count(row_tiles, column_tiles, symmetric), skip),
        written=keeper(keep, order, skip),
    )
