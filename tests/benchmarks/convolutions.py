"""The profile of a ResNet18's training step: its convolutions one by one, in XLA's two ways and as one product."""

import collections
import dataclasses
import functools
import math
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
from linstudy.tangent.compilation import CONVOLUTION_OPTIONS
from linstudy.tangent.convolution import offset_slices

Padding = tuple[tuple[int, int], ...]

SMOKE_BATCH = 4

LEGEND = f"""Every convolution of ResNet18 at batch {BATCH}, each call compiled by itself: forward, the gradient by \
its inputs and the gradient by its kernel. XLA's default is YNNPACK, where that takes a convolution; linstudy's \
programs are compiled without it, for Eigen. "Patches" gathers what every position sees and makes one matrix product \
of it, which JAX transposes for the gradients. The last lines add up the calls of one training step. Floor: the \
products alone, those with the zeros of the padding among them."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """A convolution of a batch of images."""

    batch: int
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
        return 2.0 * self.batch * self.positions * np.prod(self.kernel)


def xla(shape: Shape, images: jax.Array, kernel: jax.Array) -> jax.Array:
    """The convolution as XLA has it."""
    return jax.lax.conv_general_dilated(images, kernel, shape.stride, shape.padding)


def patches(shape: Shape, images: jax.Array, kernel: jax.Array) -> jax.Array:
    """The convolution as one matrix product."""
    slices = offset_slices(images, shape.kernel[2:], shape.padding, shape.stride, (1, 1))
    stacked = jnp.stack(slices, -1).transpose(0, 2, 3, 1, 4)
    found = stacked.reshape(-1, int(np.prod(shape.kernel[1:]))) @ kernel.reshape(shape.kernel[0], -1).T
    return found.reshape(*stacked.shape[:3], -1).transpose(0, 3, 1, 2)


WAYS: dict[str, tuple[Callable[..., jax.Array], dict[str, str]]] = {
    "XLA's default": (xla, {}),
    "as linstudy compiles": (xla, CONVOLUTION_OPTIONS),
    "patches": (patches, CONVOLUTION_OPTIONS),
}


def section(settings: Settings) -> Section:
    """All convolutions, and their sum."""
    batch = SMOKE_BATCH if settings.smoke else BATCH
    counts = _shapes(freeze(*settings.network("lenet" if settings.smoke else "resnet18")), batch)
    if settings.smoke:
        counts = dict(list(counts.items())[:1])
    lines: list[Line] = []
    sums: dict[str, float] = collections.defaultdict(float)
    operations = rate = 0.0
    for number, (shape, count) in enumerate(counts.items()):
        (*timings, _), rate = settings.with_rate(list(_candidates(shape, first=number == 0)))
        floor = Floor(shape.operations, rate)
        lines += [Line(f"{count} times {shape}", timing.name, timing.seconds, floor=floor) for timing in timings]
        operations += count * shape.operations * len(timings) / len(WAYS)
        for way, seconds in _by_way(timings).items():
            sums[way] += count * seconds
    setting = f"{NAMES['resnet18']}, all {sum(counts.values())}"
    lines += [Line(setting, way, seconds, floor=Floor(operations, rate)) for way, seconds in sums.items()]
    return Section("Convolutions of a ResNet18", LEGEND, lines)


def _shapes(model: Any, batch: int) -> dict[Shape, int]:
    """How often each convolution is called, in the order of the model; the first one sees the inputs."""
    found, seen = layers(model), call_shapes(model, jnp.zeros(SHAPE))
    shapes: collections.Counter[Shape] = collections.Counter()
    for index, (inputs, output) in seen.items():
        layer: Any = found[index]
        if layer.weight.ndim == 4:
            positions = int(np.prod(output.shape[1:]))
            shapes[Shape(batch, inputs.shape, layer.weight.shape, layer.stride, layer.padding, positions)] += 1
    return dict(shapes)


def _candidates(shape: Shape, first: bool) -> Iterator[Candidate]:
    generator = np.random.default_rng(0)
    images, kernel = (
        jnp.asarray(generator.standard_normal(sizes, np.float32))
        for sizes in ((shape.batch, *shape.images), shape.kernel)
    )
    for name, (way, options) in WAYS.items():
        jit = functools.partial(jax.jit, compiler_options=options)
        forward = jit(lambda images, kernel, way=way: way(shape, images, kernel))
        output = forward(images, kernel)

        def by_images(output: Any, kernel: Any, way: Callable[..., Any] = way) -> Any:
            return jax.linear_transpose(lambda images: way(shape, images, kernel), images)(output)

        def by_kernel(output: Any, images: Any, way: Callable[..., Any] = way) -> Any:
            return jax.linear_transpose(lambda kernel: way(shape, images, kernel), kernel)(output)

        yield _timed(f"forward, {name}", forward, images, kernel)
        if not first:
            yield _timed(f"by inputs, {name}", jit(by_images), output, kernel)
        yield _timed(f"by kernel, {name}", jit(by_kernel), output, images)


def _timed(name: str, function: Callable[..., Any], *arguments: Any) -> Candidate:
    return Candidate(name, calls(lambda: function(*arguments)))


def _by_way(timings: list[Timing]) -> dict[str, float]:
    """The sum of the three products of each way, and of the fastest of each."""
    products: dict[str, dict[str, float]] = {}
    for timing in timings:
        product, way = timing.name.split(", ")
        products.setdefault(product, {})[way] = timing.seconds or math.inf
    sums = {way: sum(times[way] for times in products.values()) for way in WAYS}
    return {**sums, "the fastest way of each": sum(min(times.values()) for times in products.values())}
