"""From a model's spec to a network: parameters and running statistics, with one way to call every kind."""

from collections.abc import Callable
from typing import Any

import equinox as eqx

from linstudy.models import imported, lenet, mlp, resnet
from linstudy.models.layers import named_key
from linstudy.spec.model import Model
from linstudy.tangent.freeze import Stateless

KINDS: dict[str, Callable[..., Any]] = {
    "mlp": mlp.make,
    "lenet": lenet.make,
    "resnet": resnet.make,
    "import": imported.make,
}


def make_network(spec: Model, input_shape: tuple[int, ...], seed: int) -> tuple[eqx.Module, eqx.nn.State | None]:
    """The network of a seed at initialization, called `model(x, state) -> (logit, state)`, and its state.

    One that `takes_key` is called with `key=` too in training.

    The state holds running statistics; it is None for a model without any.
    """
    made = KINDS[spec.kind](spec, input_shape, named_key(seed, "initialization"))
    return made if isinstance(made, tuple) else (Stateless(made), None)
