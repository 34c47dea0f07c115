"""The kernels of infinitely wide networks, of the models that say they have one."""

from collections.abc import Callable

from linstudy.spec.model import Model
from linstudy.tangent import infinite_width
from linstudy.tangent.infinite_width import KernelFunction

INFINITE_WIDTH: dict[str, Callable[..., KernelFunction]] = {
    "mlp": lambda model: infinite_width.mlp(model.hidden, model.activation),
    "lenet": lambda model: infinite_width.lenet(model.activation),
}


def infinite_width_kernel(model: Model) -> KernelFunction:
    """The NTK of a model whose every hidden layer is infinitely wide.

    Raises:
        NeuralTangentsMissing: With the command that installs it.
    """
    return INFINITE_WIDTH[model.kind](model)
