"""What the training loop needs of the thing that it trains."""

import abc
from collections.abc import Mapping
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt32

from linstudy.models.layers import named_key
from linstudy.spec.train import Train
from linstudy.tasks.labelled import Labelled
from linstudy.train.optimizer import make_optimizer


class TrainingState(eqx.Module):
    """All that changes in a training. `fitted_at` is the step that first fitted, −1 before."""

    parameters: Any
    statistics: Any
    optimizer: Any
    step: Int[Array, ""]
    fitted_at: Int[Array, ""]


def first_state(parameters: Any, statistics: Any, optimizer: optax.GradientTransformation) -> TrainingState:
    """The state before the first update."""
    return TrainingState(parameters, statistics, optimizer.init(parameters), jnp.array(0), jnp.array(-1))


def steps_per_epoch(train: Train, samples: int) -> int:
    """Updates an epoch: the incomplete last batch is dropped, and a batch is never larger than the data."""
    return samples // min(train.batch_size, samples)


def optimizer_of(train: Train, samples: int) -> optax.GradientTransformation:
    """The optimizer over all epochs of a training on some samples."""
    return make_optimizer(train, train.epochs * steps_per_epoch(train, samples))


@final
class Course(eqx.Module):
    """What a learner of any kind follows: labels, batch order, and how far each update goes.

    Attributes:
        labels: Of the training samples, then the test samples; of these there are `train` and `test`.
        key: Of the order of the samples.
        noise: Of what the layers of a model draw, such as dropout.
    """

    labels: Float[Array, " samples"]
    key: PRNGKeyArray
    noise: PRNGKeyArray
    rate: Float[Array, ""]
    optimizer: optax.GradientTransformation = eqx.field(static=True)
    train: int = eqx.field(static=True)
    test: int = eqx.field(static=True)
    batch: int = eqx.field(static=True)
    steps: int = eqx.field(static=True)

    def __init__(self, data: Labelled, train: Train, seed: int):
        """`seed` is that of the batch order and of the layers' draws, which depend on nothing else."""
        self.labels = jnp.asarray(np.concatenate([data.train_labels, data.test_labels]))
        self.key, self.noise = named_key(seed, "batches"), named_key(seed, "noise")
        self.rate = jnp.asarray(train.optimizer.learning_rate, self.labels.dtype)
        self.train, self.test = len(data.train_labels), len(data.test_labels)
        self.optimizer = optimizer_of(train, self.train)
        self.batch = min(train.batch_size, self.train)
        self.steps = steps_per_epoch(train, self.train)

    def sample_keys(self, step: Int[Array, ""], chosen: Int[Array, " batch"]) -> UInt32[Array, "batch _"]:
        """The keys of some samples at a step: of seed, step and sample alone, so that a training can go on anywhere."""
        return jax.vmap(jax.random.fold_in, (None, 0))(jax.random.fold_in(self.noise, step), chosen)


class Learner(eqx.Module):
    """One run as the training loop sees it; it holds what no step changes. Several alike train under one `vmap`.

    The loop asks for gradients, logits and distances inside compiled code, of one run. The other methods are called
    outside of it.

    Attributes:
        block: How many samples are evaluated at once; None for all.
        convolves: Whether a step may hold convolutions, which XLA's loops slow down on CPUs.
    """

    course: eqx.AbstractVar[Course]
    block: eqx.AbstractVar[int | None]
    convolves: eqx.AbstractClassVar[bool]

    @abc.abstractmethod
    def begin(self) -> TrainingState:
        """The state before the first update."""

    @abc.abstractmethod
    def restore(self, arrays: Mapping[str, np.ndarray]) -> TrainingState:
        """The state that a checkpoint holds."""

    @abc.abstractmethod
    def checkpoints(self, states: TrainingState) -> dict[str, np.ndarray]:
        """Named arrays from which other runs read the parameters, and this one goes on; all have an axis of runs."""

    @abc.abstractmethod
    def gradient(self, state: TrainingState, chosen: Int[Array, " batch"]) -> tuple[Float[Array, ""], Any, Any]:
        """The loss on the chosen samples, the running statistics after them, and what the optimizer descends."""

    @abc.abstractmethod
    def logits(self, state: TrainingState, start: Int[Array, ""], size: int) -> Float[Array, " size"]:
        """The logits of `size` samples from `start` on; moved back where that is beyond the end."""

    @abc.abstractmethod
    def distances(self, state: TrainingState) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """‖θ − θ0‖₂ and 1 − cos(θ, θ0)."""
