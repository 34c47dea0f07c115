"""Training through the parameters: networks, and linearizations that do not train in function space."""

from collections.abc import Mapping
from typing import Any, ClassVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from linstudy.spec.train import Train
from linstudy.tangent.freeze import takes_key
from linstudy.tangent.parameters import merge, split
from linstudy.train.checkpoint import from_arrays, ordinary, to_arrays
from linstudy.train.learner import Course, Learner, TrainingState, first_state, optimizer_of
from linstudy.train.loss import inference_logits, logits_of, mean_loss

CPU_BLOCK = 256
ACCELERATOR_BLOCK = 1024
"""Samples evaluated at once; 128 to 2,560 take the same time a sample on two cores."""


@final
class NetworkLearner(Learner):
    """A model trained through its parameters."""

    course: Course
    start: Any
    static: Any
    statistics: Any
    inputs: Float[Array, "samples ..."]
    block: int = eqx.field(static=True)
    convolves: ClassVar[bool] = True

    def __init__(
        self,
        model: Any,
        statistics: Any,
        inputs: Float[Array, "samples ..."],
        course: Course,
        *,
        block: int | None = None,
    ):
        """The training of `model(x, state) -> (logit, state)` from where it is; distances are measured from there.

        Args:
            statistics: Its running statistics, or None.
            inputs: The training samples, then the test samples.
            block: How many of them are evaluated at once; by the device unless given.
        """
        self.start, self.static = split(model)
        self.statistics, self.inputs, self.course = statistics, inputs, course
        self.block = block or (CPU_BLOCK if jax.default_backend() == "cpu" else ACCELERATOR_BLOCK)

    def begin(self) -> TrainingState:
        # copies, since an epoch donates its state's buffers and the model is still needed
        parameters, statistics = jax.tree.map(jnp.copy, (self.start, self.statistics))
        return first_state(parameters, statistics, self.course.optimizer)

    def restore(self, arrays: Mapping[str, np.ndarray]) -> TrainingState:
        return from_arrays(jax.eval_shape(self.begin), ordinary(arrays))

    def checkpoints(self, states: TrainingState) -> dict[str, np.ndarray]:
        return to_arrays(states)

    def gradient(self, state: TrainingState, chosen: Int[Array, " batch"]) -> tuple[Float[Array, ""], Any, Any]:
        labels = self.course.labels[chosen]

        def loss(parameters: Any) -> tuple[Array, Any]:
            model = merge(parameters, self.static)
            keys = self.course.sample_keys(state.step, chosen) if takes_key(model) else None
            logits, statistics = logits_of(model, state.statistics, self.inputs[chosen], keys)
            return mean_loss(logits, labels), statistics

        (value, statistics), gradient = jax.value_and_grad(loss, has_aux=True)(state.parameters)
        return value, statistics, gradient

    def logits(self, state: TrainingState, start: Int[Array, ""], size: int) -> Float[Array, " size"]:
        inputs = jax.lax.dynamic_slice_in_dim(self.inputs, start, size)
        return inference_logits(merge(state.parameters, self.static), state.statistics, inputs)

    def distances(self, state: TrainingState) -> tuple[Float[Array, ""], Float[Array, ""]]:
        return distances(state.parameters, self.start)


def initial_state(model: Any, statistics: Any, train: Train, samples: int) -> TrainingState:
    """The state before the first update of a model trained on some samples."""
    return first_state(split(model)[0], statistics, optimizer_of(train, samples))


def distances(parameters: Any, start: Any) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """‖θ − θ0‖₂ and 1 − cos(θ, θ0).

    The latter as ½‖θ/‖θ‖ − θ0/‖θ0‖‖²: near θ0, float32 would lose 1 − cos to rounding.
    """
    directions = (optax.tree.scale(1 / optax.tree.norm(tree), tree) for tree in (parameters, start))
    cosine = 0.5 * optax.tree.norm(optax.tree.sub(*directions), squared=True)
    return optax.tree.norm(optax.tree.sub(parameters, start)), cosine
