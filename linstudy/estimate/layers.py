"""The layers of the networks that a study can name, by their shapes alone: parameters and multiply-adds."""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from linstudy.spec.model import LenetModel, MlpModel, Model, ResnetModel

Shape = tuple[int, ...]

CONVOLUTION_CALL, DENSE_CALL = 5e-4, 2e-5
"""Seconds that a layer takes beside its multiply-adds, each time it is passed, forward or backward: what trainings on
8×8 digits take a step. 2,200 steps of LeNet 12 s, of a ResNet18 of width 4 75 s, of an MLP 1.3 s, on two cores."""


@dataclass(frozen=True)
class Layer:
    """z = W a + b of one sample, at some positions; the bias counts as an input."""

    positions: int
    inputs: int
    outputs: int

    @property
    def parameters(self) -> int:
        return self.inputs * self.outputs

    @property
    def forward(self) -> int:
        """Multiply-adds of one sample."""
        return self.positions * self.parameters

    def pair(self, samples: int) -> tuple[int, int]:
        """Multiply-adds of a pair in a Gram of some samples, and numbers held of a sample, in the cheaper form.

        Either two products of factors for each pair of positions, or the product of two kernel gradients; see
        `linstudy.tangent.factors`.
        """
        by_positions = self.positions**2 * (self.inputs + self.outputs)
        pairs = (samples + 1) / 2
        if pairs * by_positions < (pairs + self.positions) * self.parameters:
            return by_positions, self.positions * (self.inputs + self.outputs)
        return self.parameters, self.parameters


@dataclass(frozen=True)
class Network:
    """The layers of a network, and the parameters that are in none of them."""

    layers: tuple[Layer, ...]
    others: int = 0

    @property
    def parameters(self) -> int:
        return self.others + sum(layer.parameters for layer in self.layers)

    @property
    def forward(self) -> int:
        """Multiply-adds of one sample."""
        return sum(layer.forward for layer in self.layers)

    @property
    def activations(self) -> int:
        """Numbers that all layers give for one sample."""
        return sum(layer.positions * layer.outputs for layer in self.layers)

    @property
    def call(self) -> float:
        """Seconds of passing through all layers, beside their multiply-adds."""
        return sum(DENSE_CALL if layer.positions == 1 else CONVOLUTION_CALL for layer in self.layers)

    def pair(self, samples: int) -> tuple[int, int]:
        """As `Layer.pair`, of all layers; other parameters are held as gradients."""
        each = [layer.pair(samples) for layer in self.layers]
        return self.others + sum(pair for pair, _ in each), self.others + sum(numbers for _, numbers in each)


def network(model: Model, shape: Shape) -> Network | None:
    """The network of a model for inputs of a shape; None if it is not known, or takes no such inputs."""
    return NETWORKS[model.kind](model, shape)


def _mlp(model: MlpModel, shape: Shape) -> Network:
    widths = (math.prod(shape), *model.hidden, 1)
    return Network(tuple(Layer(1, inputs + 1, outputs) for inputs, outputs in itertools.pairwise(widths)))


def _lenet(model: LenetModel, shape: Shape) -> Network | None:
    if len(shape) != 3:
        return None
    channels, height, width = shape
    first, second, third, fourth = model.hidden
    convolutions = (
        Layer(height * width, 25 * channels + 1, first),
        Layer((height // 2) * (width // 2), 25 * first + 1, second),
    )
    flat = second * (height // 4) * (width // 4)
    dense = Layer(1, flat + 1, third), Layer(1, third + 1, fourth), Layer(1, fourth + 1, 1)
    return Network((*convolutions, *dense))


def _resnet(model: ResnetModel, shape: Shape) -> Network | None:
    if len(shape) != 3:
        return None
    layers = tuple(_resnet_convolutions(model, shape))
    norms = 2 * sum(layer.outputs for layer in layers)
    return Network((*layers, Layer(1, layers[-1].outputs + 1, 1)), others=norms)


def _resnet_convolutions(model: ResnetModel, shape: Shape) -> Iterator[Layer]:
    """None has a bias; each is followed by a norm with a scale and a shift for every channel."""
    inputs, outputs, (height, width) = shape[0], model.width, shape[1:]
    yield Layer(height * width, 9 * inputs, outputs)
    inputs = outputs
    for stage, count in enumerate(RESNET_BLOCKS[model.depth]):
        outputs = model.width * 2**stage
        for block in range(count):
            shrinks = stage > 0 and block == 0
            if shrinks:
                height, width = -(-height // 2), -(-width // 2)
            yield Layer(height * width, 9 * inputs, outputs)
            yield Layer(height * width, 9 * outputs, outputs)
            if shrinks:
                yield Layer(height * width, inputs, outputs)
            inputs = outputs


RESNET_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}

NETWORKS: dict[str, Callable[[Any, Shape], Network | None]] = {
    "mlp": _mlp,
    "lenet": _lenet,
    "resnet": _resnet,
    "import": lambda model, shape: None,
}
