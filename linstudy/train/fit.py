"""The one training loop, for networks and linearizations."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from linstudy.models.layers import named_key
from linstudy.spec.train import Train
from linstudy.tangent.parameters import merge, split
from linstudy.tasks.labelled import Labelled
from linstudy.train.loss import binary_cross_entropy, evaluate, logits_of
from linstudy.train.optimizer import make_optimizer

FITTED_LOSS = 0.01
"""A training has fitted at the first step whose mini-batch loss is at most this."""

EVALUATION_BATCH = 256


class TrainingState(eqx.Module):
    """All that changes in a training. `fitted_at` is the step that first fitted, −1 before."""

    parameters: Any
    statistics: Any
    optimizer: Any
    step: Int[Array, ""]
    fitted_at: Int[Array, ""]


@dataclass(frozen=True)
class EpochResult:
    """The state after an epoch and what it measures; `running_loss` is None at epoch 0, `fitted_at` before fitting."""

    epoch: int
    step: int
    state: TrainingState
    losses: dict[str, float]
    accuracies: dict[str, float]
    running_loss: float | None
    distance_l2: float
    distance_cosine: float
    fitted_at: int | None

    @property
    def finite(self) -> bool:
        """Whether every loss is a number."""
        losses = [*self.losses.values(), *([] if self.running_loss is None else [self.running_loss])]
        return bool(np.isfinite(losses).all())


def steps_per_epoch(train: Train, samples: int) -> int:
    """Updates an epoch: the incomplete last batch is dropped, and a batch is never larger than the data."""
    return samples // min(train.batch_size, samples)


def initial_state(model: Any, statistics: Any, train: Train, samples: int) -> TrainingState:
    """The state before the first update of `model(x, state) -> (logit, state)`."""
    parameters, _ = split(model)
    optimizer = make_optimizer(train, train.epochs * steps_per_epoch(train, samples))  # type: ignore[arg-type]
    # copies, since an epoch donates its state's buffers and the model is still needed
    parameters, statistics = jax.tree.map(jnp.copy, (parameters, statistics))
    return TrainingState(parameters, statistics, optimizer.init(parameters), jnp.array(0), jnp.array(-1))


def fit(
    model: Any,
    statistics: Any,
    data: Labelled,
    train: Train,
    seed: int,
    *,
    resume: tuple[int, TrainingState] | None = None,
) -> Iterator[EpochResult]:
    """Train, and yield the result of every epoch, epoch 0 (the initialization) first.

    The loop ends after the last epoch, or after the first one with a loss that is not finite. The arrays of a result's
    state are gone once the next result is asked for.

    Args:
        model: `model(x, state) -> (logit, state)` at initialization; distances are measured from its parameters.
        statistics: Its running statistics, or None.
        seed: Of the batch order, which depends on nothing else.
        resume: An epoch and the state after it; the results start at the epoch after.
    """
    inputs, labels = jnp.asarray(data.train_inputs), jnp.asarray(data.train_labels)
    test = jnp.asarray(data.test_inputs), jnp.asarray(data.test_labels)
    steps = steps_per_epoch(train, len(inputs))
    start, static = split(model)
    optimizer = make_optimizer(train, train.epochs * steps)  # type: ignore[arg-type]
    key = named_key(seed, "batches")
    batch = min(train.batch_size, len(inputs))

    first, state = (0, initial_state(model, statistics, train, len(inputs))) if resume is None else resume
    for epoch in range(first if resume is None else first + 1, train.epochs + 1):
        running = None
        if epoch > 0:
            order = batch_order(key, epoch, len(inputs), steps, batch)
            state, losses = _train_epoch((static, inputs, labels, optimizer), state, order)
            running = float(jnp.mean(losses))
        result = _measure(epoch, state, static, start, (inputs, labels), test, running)
        yield result
        if not result.finite:
            return


def batch_order(key: PRNGKeyArray, epoch: int, samples: int, steps: int, batch: int) -> Int[Array, "steps batch"]:
    """The samples of every batch of an epoch."""
    order = jax.random.permutation(jax.random.fold_in(key, epoch), samples)
    return order[: steps * batch].reshape(steps, batch)


Fixed = tuple[Any, Float[Array, "samples ..."], Float[Array, " samples"], optax.GradientTransformation]
"""What no step changes: the model without its parameters, inputs, labels, the optimizer."""


def _step(fixed: Fixed, state: TrainingState, chosen: Int[Array, " batch"]) -> tuple[TrainingState, Float[Array, ""]]:
    """One update on the chosen samples, and their loss before it."""
    static, inputs, labels, optimizer = fixed

    def loss(parameters: Any) -> tuple[Array, Any]:
        logits, statistics = logits_of(merge(parameters, static), state.statistics, inputs[chosen])
        return jnp.mean(binary_cross_entropy(logits, labels[chosen])), statistics

    (value, statistics), gradient = jax.value_and_grad(loss, has_aux=True)(state.parameters)
    updates, optimizer_state = optimizer.update(gradient, state.optimizer, state.parameters)
    count = state.step + 1
    fitted = jnp.where((state.fitted_at < 0) & (value <= FITTED_LOSS), count, state.fitted_at)
    parameters = optax.apply_updates(state.parameters, updates)
    return TrainingState(parameters, statistics, optimizer_state, count, fitted), value


@eqx.filter_jit(donate="all-except-first")
def _call_step(arguments: tuple[Fixed, Int[Array, " batch"]], state: TrainingState) -> tuple[TrainingState, Array]:
    fixed, chosen = arguments
    return _step(fixed, state, chosen)


@eqx.filter_jit(donate="all-except-first")
def _scan_steps(
    arguments: tuple[Fixed, Int[Array, "steps batch"]], state: TrainingState
) -> tuple[TrainingState, Float[Array, " steps"]]:
    fixed, order = arguments
    return jax.lax.scan(functools.partial(_step, fixed), state, order)


def _train_epoch(
    fixed: Fixed, state: TrainingState, order: Int[Array, "steps batch"]
) -> tuple[TrainingState, Float[Array, " steps"]]:
    if jax.default_backend() != "cpu":
        return _scan_steps((fixed, order), state)
    # XLA's convolutions are ten times slower inside its loops on CPUs: https://github.com/jax-ml/jax/issues/12868
    losses = []
    for chosen in np.asarray(order):
        state, value = _call_step((fixed, jnp.asarray(chosen)), state)
        losses.append(value)
    return state, jnp.stack(losses)


@jax.jit
def distances(parameters: Any, start: Any) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """‖θ − θ0‖₂ and 1 − cos(θ, θ0).

    The latter as ½‖θ/‖θ‖ − θ0/‖θ0‖‖²: near θ0, float32 would lose 1 − cos to rounding.
    """
    directions = (optax.tree.scale(1 / optax.tree.norm(tree), tree) for tree in (parameters, start))
    cosine = 0.5 * optax.tree.norm(optax.tree.sub(*directions), squared=True)
    return optax.tree.norm(optax.tree.sub(parameters, start)), cosine


def _measure(
    epoch: int,
    state: TrainingState,
    static: Any,
    start: Any,
    train: tuple[Array, Array],
    test: tuple[Array, Array],
    running: float | None,
) -> EpochResult:
    model = merge(state.parameters, static)
    train_loss, train_accuracy = evaluate(model, state.statistics, *train, EVALUATION_BATCH)
    test_loss, test_accuracy = evaluate(model, state.statistics, *test, EVALUATION_BATCH)
    l2, cosine = distances(state.parameters, start)
    fitted = int(state.fitted_at)
    return EpochResult(
        epoch=epoch,
        step=int(state.step),
        state=state,
        losses={"train": float(train_loss), "test": float(test_loss)},
        accuracies={"train": float(train_accuracy), "test": float(test_accuracy)},
        running_loss=running,
        distance_l2=float(l2),
        distance_cosine=float(cosine),
        fitted_at=fitted if fitted >= 0 else None,
    )
