"""The profile of a ResNet18's training step: its convolutions one by one, in XLA's way and as patches and products."""

import collections
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from measure import Candidate, Timing, calls
from settings import NAMES, SHAPE, Settings
from table import Floor, Line, Section
from training import BATCH

from linstudy.tangent import freeze
from linstudy.tangent.capture import call_shapes, layers
from linstudy.tangent.convolution import offset_slices

Padding = tuple[tuple[int, int], ...]

LEGEND = f"""Every convolution of ResNet18 at batch {BATCH}, each call compiled by itself: forward, the gradient by \
its inputs and the gradient by its kernel. "Patches" gathers what every position sees and makes one matrix product of \
it, which JAX transposes for the gradients. The last lines add up the calls of one training step, the faster way for \
each. Floor: the products alone."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """A convolution."""

    images: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding
    positions: int

    def __str__(self) -> str:
        outputs, inputs, height, width = self.kernel
        size = "×".join(map(str, self.images[1:]))
        return f"{inputs} to {outputs}, {height}×{width}, stride {self.stride[0]}, on {size}"

    @property
    def operations(self) -> float:
        """Of one of the three products."""
        return 2.0 * BATCH * self.positions * np.prod(self.kernel)


def xla(shape: Shape, images: jax.Array, kernel: jax.Array) -> jax.Array:
    """The convolution as XLA has it."""
    return jax.lax.conv_general_dilated(images, kernel, shape.stride, shape.padding)


def patches(shape: Shape, images: jax.Array, kernel: jax.Array) -> jax.Array:
    """The convolution as one matrix product."""
    slices = offset_slices(images, shape.kernel[2:], shape.padding, shape.stride, (1, 1))
    stacked = jnp.stack(slices, -1).transpose(0, 2, 3, 1, 4)
    found = stacked.reshape(-1, int(np.prod(shape.kernel[1:]))) @ kernel.reshape(shape.kernel[0], -1).T
    return found.reshape(*stacked.shape[:3], -1).transpose(0, 3, 1, 2)


WAYS = {"XLA": xla, "patches": patches}


def section(settings: Settings) -> Section:
    """All convolutions, and their sum."""
    counts = _shapes(freeze(*settings.network("resnet18")))
    if settings.smoke:
        counts = dict(list(counts.items())[:2])
    lines: list[Line] = []
    sums: dict[str, float] = {}
    operations = rate = 0.0
    for number, (shape, count) in enumerate(counts.items()):
        (*timings, _), rate = settings.with_rate(list(_candidates(shape, first=number == 0)))
        floor = Floor(shape.operations, rate)
        lines += [Line(f"{count} times {shape}", timing.name, timing.seconds, floor=floor) for timing in timings]
        for name, seconds in _fastest(timings).items():
            sums[name] = sums.get(name, 0.0) + count * seconds
            operations += count * shape.operations
    setting = f"{NAMES['resnet18']}, all {sum(counts.values())}"
    lines += [Line(setting, f"{name}, the faster way", seconds) for name, seconds in sums.items()]
    lines.append(Line(setting, "together", sum(sums.values()), floor=Floor(operations, rate)))
    return Section("Convolutions of a ResNet18", LEGEND, lines)


def _shapes(model: Any) -> dict[Shape, int]:
    """How often each convolution is called, in the order of the model; the first one sees the inputs."""
    found, seen = layers(model), call_shapes(model, jnp.zeros(SHAPE))
    shapes: collections.Counter[Shape] = collections.Counter()
    for index, (inputs, output) in seen.items():
        layer: Any = found[index]
        if layer.weight.ndim == 4:
            positions = int(np.prod(output.shape[1:]))
            shapes[Shape(inputs.shape, layer.weight.shape, layer.stride, layer.padding, positions)] += 1
    return dict(shapes)


def _candidates(shape: Shape, first: bool) -> Iterator[Candidate]:
    generator = np.random.default_rng(0)
    images, kernel = (
        jnp.asarray(generator.standard_normal(sizes, np.float32)) for sizes in ((BATCH, *shape.images), shape.kernel)
    )
    for name, way in WAYS.items():
        forward = jax.jit(lambda images, kernel, way=way: way(shape, images, kernel))
        output = forward(images, kernel)

        def by_images(output: Any, kernel: Any, way: Callable[..., Any] = way) -> Any:
            return jax.linear_transpose(lambda images: way(shape, images, kernel), images)(output)

        def by_kernel(output: Any, images: Any, way: Callable[..., Any] = way) -> Any:
            return jax.linear_transpose(lambda kernel: way(shape, images, kernel), kernel)(output)

        yield _timed(f"forward, {name}", forward, images, kernel)
        if not first:
            yield _timed(f"by inputs, {name}", jax.jit(by_images), output, kernel)
        yield _timed(f"by kernel, {name}", jax.jit(by_kernel), output, images)


def _timed(name: str, function: Callable[..., Any], *arguments: Any) -> Candidate:
    return Candidate(name, calls(lambda: function(*arguments)))


def _fastest(timings: list[Timing]) -> dict[str, float]:
    """The least time of each of the three products."""
    found: dict[str, float] = {}
    for timing in timings:
        name = timing.name.split(",")[0]
        if timing.seconds is not None:
            found[name] = min(timing.seconds, found.get(name, timing.seconds))
    return found
