"""Operations that a computation cannot do without; an operation is a multiplication or an addition."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from linstudy.tangent import parameter_count
from linstudy.tangent.capture import call_shapes, layers
from linstudy.tangent.factors import Extent
from linstudy.tangent.kernel_features import tangent_model


@dataclasses.dataclass(frozen=True)
class Network:
    """The dense and convolutional layers of a model that is called with inputs of one shape.

    Attributes:
        extents: In the order of the model's tree, whose first layer is the one that sees the inputs.
        others: Parameters outside of these layers.
    """

    extents: tuple[Extent, ...]
    others: int

    @classmethod
    def of(cls, model: Callable[..., Any], shape: tuple[int, ...]) -> "Network":
        """The layers of a model of one sample."""
        model = tangent_model(model)
        seen, found = call_shapes(model, jnp.zeros(shape)), layers(model)
        extents = tuple(Extent.of(found[index], shapes.output.shape) for index, shapes in seen.items())
        return cls(extents, parameter_count(model) - sum(parameter_count(found[index]) for index in seen))

    @property
    def forward(self) -> int:
        """Multiply-adds of one sample's output."""
        return sum(_full(extent) for extent in self.extents)

    @property
    def backward(self) -> int:
        """Of the gradients by the layers' outputs: the first layer's input needs none."""
        return self.forward - _full(self.extents[0])

    def gram(self, samples: int, pairs: float) -> float:
        """Operations of a Gram: both passes, and every layer's part in the cheaper of its two forms.

        That is the product of kernel gradients, which are computed first, or of inputs and output gradients at all
        pairs of positions.
        """

        def part(extent: Extent) -> float:
            kernel = extent.inputs * extent.outputs
            by_kernel = (pairs + samples * extent.positions) * kernel
            return min(by_kernel, pairs * extent.positions**2 * (extent.inputs + extent.outputs))

        passes = samples * (self.forward + self.backward)
        return 2 * (passes + sum(map(part, self.extents)) + pairs * self.others)

    def step(self, batch: int) -> float:
        """Operations of an update of the network: both passes and the gradients of all weights."""
        return 2 * batch * (2 * self.forward + self.backward)

    def linear_step(self, batch: int) -> float:
        """Operations of an update of the linearization: the output, its derivative, and what `step` has after them.

        The derivative takes two products a layer, one at the first, whose input does not change.
        """
        return 2 * batch * (2 * self.forward + 2 * self.backward + self.forward)


def _full(extent: Extent) -> int:
    return extent.positions * extent.inputs * extent.outputs
