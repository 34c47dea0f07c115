"""neural-tangents' ways to a Gram and to a linearization, and training steps in plain JAX."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from measure import LeftOutError

from linstudy.models.layers import BATCH_AXIS
from linstudy.tangent import load_neural_tangents, merge, split
from linstudy.tangent.neural_tangents_adapter import lenient_promotion
from linstudy.train.loss import mean_loss

AUTHORS_BATCH = {"mlp": 500, "lenet": 500, "resnet18": 20}
"""What arXiv:2106.06770's code gives `nt.batch`."""

IMPLEMENTATIONS = {1: "Jacobian contraction", 3: "structured derivatives"}

LEARNING_RATE, MOMENTUM = 1e-3, 0.9


def batch_for(name: str, samples: int) -> int:
    """The largest divisor of the samples up to the authors' batch: `nt.batch` takes no others."""
    return next(size for size in range(min(AUTHORS_BATCH[name], samples), 0, -1) if samples % size == 0)


def _batched(static: Any) -> Callable[[Any, Any], jax.Array]:
    """The model as neural-tangents wants it: of parameters and a batch, giving "samples 1"."""
    return lambda parameters, batch: jax.vmap(merge(parameters, static))(batch)[:, None]


def _kernel(static: Any, implementation: int) -> Callable[..., Any]:
    nt = load_neural_tangents()
    return nt.empirical_ntk_fn(_batched(static), vmap_axes=0, implementation=implementation, trace_axes=())


def batched_gram(model: Any, implementation: int, batch: int) -> Callable[[np.ndarray], Any]:
    """The Gram of some inputs by neural-tangents, in batches, as arXiv:2106.06770's code calls it."""
    parameters, static = split(model)
    kernel = load_neural_tangents().batch(
        _kernel(static, implementation), batch_size=batch, device_count=-1, store_on_device=False
    )

    def call(inputs: np.ndarray) -> Any:
        with lenient_promotion():
            return kernel(jnp.asarray(inputs), None, parameters)

    return call


def whole_gram(model: Any, implementation: int, inputs: np.ndarray, memory: int) -> Callable[[], Any]:
    """The Gram by neural-tangents as one program; its first call compiles it.

    Raises:
        LeftOutError: By the first call, if the program holds more than `memory` bytes.
    """
    parameters, static = split(model)
    held = jnp.asarray(inputs)

    @functools.cache
    def program() -> Any:
        with lenient_promotion():
            compiled = jax.jit(_kernel(static, implementation)).lower(held, None, parameters).compile()
        analysis = compiled.memory_analysis()
        needed = analysis.temp_size_in_bytes + analysis.output_size_in_bytes if analysis is not None else 0
        if needed > memory:
            raise LeftOutError(f"would hold {needed / 2**30:.1f} GiB")
        return compiled

    return lambda: program()(held, None, parameters)


def _updates(loss: Callable[..., Any], parameters: Any, *data: Any) -> Callable[[], Any]:
    """Calls that each make one step of SGD with momentum on `loss(parameters, *data)`.

    All of `data` are arguments of the compiled step: what it closed over would be computed once, while it is compiled.
    """
    optimizer = optax.sgd(LEARNING_RATE, momentum=MOMENTUM)

    @jax.jit
    def step(parameters: Any, state: Any, data: Any) -> Any:
        gradient = jax.grad(loss)(parameters, *data)
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(parameters, updates), state

    held = [(parameters, optimizer.init(parameters))]

    def call() -> Any:
        held[0] = step(*held[0], data)
        return held[0]

    return call


def network_step(model: Any, statistics: Any, inputs: Any, labels: Any) -> Callable[[], Any]:
    """A step of a network, with XLA's own convolutions; batch norm takes the batch's statistics."""
    parameters, static = split(model)

    def loss(parameters: Any, statistics: Any, inputs: Any, labels: Any) -> Any:
        one = merge(parameters, static)
        logits, _ = jax.vmap(one, in_axes=(0, None), out_axes=(0, None), axis_name=BATCH_AXIS)(inputs, statistics)
        return mean_loss(logits, labels)

    return _updates(loss, parameters, statistics, inputs, labels)


def linear_step(model: Any, inputs: Any, labels: Any) -> Callable[[], Any]:
    """A step of a linearization by `nt.linearize`, around a model of one sample."""
    parameters, static = split(model)
    nt = load_neural_tangents()

    def loss(point: Any, anchor: Any, inputs: Any, labels: Any) -> Any:
        return mean_loss(nt.linearize(_batched(static), anchor)(point, inputs)[:, 0], labels)

    return _updates(loss, parameters, parameters, inputs, labels)
