"""The one training loop: for networks and linearizations, one of them or several at once."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from linstudy.tangent.compilation import convolution_jit
from linstudy.train.group import Group
from linstudy.train.learner import Learner, TrainingState
from linstudy.train.loss import mean_loss, right_samples

FITTED_LOSS = 0.01
"""A training has fitted at the first step whose mini-batch loss is at most this."""

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class EpochResult:
    """The state after an epoch and what it measures; `running_loss` is None at epoch 0, `fitted_at` before fitting.

    `checkpoint` gives the state as named arrays, until the next results are asked for.
    """

    epoch: int
    step: int
    losses: dict[str, float]
    accuracies: dict[str, float]
    running_loss: float | None
    distance_l2: float
    distance_cosine: float
    fitted_at: int | None
    checkpoint: Callable[[], Arrays] = field(compare=False, repr=False)

    @property
    def finite(self) -> bool:
        """Whether every loss is a number."""
        losses = [*self.losses.values(), *([] if self.running_loss is None else [self.running_loss])]
        return bool(np.isfinite(losses).all())


def fit(
    learners: Sequence[Learner], epochs: int, *, resume: tuple[int, Sequence[Arrays]] | None = None
) -> Iterator[tuple[EpochResult | None, ...]]:
    """Train some alike learners at once, and yield their results of every epoch, epoch 0 (the initialization) first.

    A learner has no result after its first with a loss that is not finite. The loop ends after the last epoch, or
    when none is left.

    Args:
        resume: An epoch and the checkpoint of each learner after it; the results start at the epoch after.
    """
    group = Group(learners)
    orders_of = batch_orders(group, learners)
    if resume is None:
        first, state = 0, group.joined([learner.begin() for learner in learners])
    else:
        first = resume[0] + 1
        state = group.joined([one.restore(arrays) for one, arrays in zip(learners, resume[1], strict=True)])
    left = [True] * len(learners)
    for epoch in range(first, epochs + 1):
        running = None
        if epoch > 0:
            state, losses = _train_epoch(group, state, orders_of(epoch), learners[0])
            running = jnp.mean(losses, axis=0)
        results = _results(epoch, group, state, learners[0], running)
        yield tuple(result if goes_on else None for result, goes_on in zip(results, left, strict=True))
        left = [goes_on and result.finite for result, goes_on in zip(results, left, strict=True)]
        if not any(left):
            return


@functools.partial(jax.jit, static_argnums=(2, 3, 4))
def batch_order(key: PRNGKeyArray, epoch: int, samples: int, steps: int, batch: int) -> Int[Array, "steps batch"]:
    """The samples of every batch of an epoch."""
    order = jax.random.permutation(jax.random.fold_in(key, epoch), samples)
    return order[: steps * batch].reshape(steps, batch)


def batch_orders(
    group: Group, learners: Sequence[Learner]
) -> Callable[[int], Int[Array, "steps batch"] | Int[Array, "steps runs batch"]]:
    """The batches of an epoch, with an axis of runs where their orders differ."""
    keys, course = [learner.course.key for learner in learners], learners[0].course
    sizes = (course.train, course.steps, course.batch)
    if all(np.array_equal(key, keys[0]) for key in keys):
        return lambda epoch: group.shares.everywhere(batch_order(keys[0], epoch, *sizes))
    own = group.joined(keys)
    of_all = jax.vmap(lambda key, epoch: batch_order(key, epoch, *sizes), (0, None), out_axes=1)
    return lambda epoch: group.shares.apart(of_all(own, epoch), axis=1)


def _step(
    learner: Learner, state: TrainingState, chosen: Int[Array, " batch"]
) -> tuple[TrainingState, Float[Array, ""]]:
    """One update on the chosen samples, and their loss before it."""
    value, statistics, gradient = learner.gradient(state, chosen)
    updates, optimizer = learner.course.optimizer.update(gradient, state.optimizer, state.parameters)
    updates = jax.tree.map(lambda update: learner.course.rate * update, updates)
    count = state.step + 1
    fitted = jnp.where((state.fitted_at < 0) & (value <= FITTED_LOSS), count, state.fitted_at)
    parameters = optax.apply_updates(state.parameters, updates)
    return TrainingState(parameters, statistics, optimizer, count, fitted), value


def _group_step(
    group: Group, state: TrainingState, chosen: Int[Array, "*runs batch"]
) -> tuple[TrainingState, Float[Array, "*runs"]]:
    return group.each(_step, state, chosen, axes=(0, 0 if chosen.ndim == 2 else None))


@convolution_jit("all-except-first")
def call_step(
    arguments: tuple[Group, Int[Array, "steps *runs batch"], np.ndarray], state: TrainingState
) -> tuple[TrainingState, Float[Array, "*runs"]]:
    """One update of a group, on the batches of a step of their epoch; takes its state's buffers."""
    group, orders, step = arguments
    return _group_step(group, state, orders[step])


@eqx.filter_jit(donate="all-except-first")
def _scan_steps(
    arguments: tuple[Group, Int[Array, "steps *runs batch"]], state: TrainingState
) -> tuple[TrainingState, Float[Array, "steps *runs"]]:
    group, orders = arguments
    return jax.lax.scan(functools.partial(_group_step, group), state, orders)


def _loops_in_python(learner: Learner) -> bool:
    # XLA's convolutions are ten times slower inside its loops on CPUs: https://github.com/jax-ml/jax/issues/12868
    return jax.default_backend() == "cpu" and learner.convolves


def _train_epoch(
    group: Group, state: TrainingState, orders: Int[Array, "steps *runs batch"], learner: Learner
) -> tuple[TrainingState, Float[Array, "steps *runs"]]:
    if not _loops_in_python(learner):
        return _scan_steps((group, orders), state)
    losses = []
    for step in np.arange(len(orders)):
        state, value = call_step((group, orders, np.asarray(step)), state)
        losses.append(value)
    return state, jnp.stack(losses)


def _block(group: Group, state: TrainingState, start: np.ndarray, size: int) -> Float[Array, "*runs size"]:
    return group.each(lambda learner, one, first: learner.logits(one, first, size), state, start, axes=(0, None))


@convolution_jit()
def block_logits(group: Group, state: TrainingState, start: np.ndarray, size: int) -> Float[Array, "*runs size"]:
    """The logits of a block of samples of each learner."""
    return _block(group, state, start, size)


@eqx.filter_jit
def _scan_blocks(
    group: Group, state: TrainingState, starts: np.ndarray, size: int
) -> Float[Array, "blocks *runs size"]:
    return jax.lax.map(lambda start: _block(group, state, start, size), starts)


@eqx.filter_jit
def _joined(blocks: Sequence[Array] | Array, samples: int) -> Float[Array, "*runs samples"]:
    # the block at the last start was moved back to be a whole one, so that all share one compiled shape
    *whole, last = blocks
    rest = samples - sum(block.shape[-1] for block in whole)
    return jnp.concatenate([*whole, last[..., -rest:]], axis=-1)


def all_logits(group: Group, state: TrainingState, learner: Learner) -> Float[Array, "*runs samples"]:
    """The logits of the training samples, then the test samples, of each learner."""
    samples = learner.course.train + learner.course.test
    size = min(learner.block or samples, samples)
    starts = np.arange(0, samples, size)
    if _loops_in_python(learner) or len(starts) == 1:
        return _joined([block_logits(group, state, start, size) for start in map(np.asarray, starts)], samples)
    return _joined(_scan_blocks(group, state, starts, size), samples)


@eqx.filter_jit
def _measures(group: Group, state: TrainingState, logits: Float[Array, "*runs samples"]) -> dict[str, Any]:
    def of_one(learner: Learner, one: TrainingState, its: Float[Array, " samples"]) -> dict[str, Any]:
        labels, train = learner.course.labels, learner.course.train
        splits = {"train": (its[:train], labels[:train]), "test": (its[train:], labels[train:])}
        l2, cosine = learner.distances(one)
        return {
            "step": one.step,
            "fitted_at": one.fitted_at,
            "losses": {name: mean_loss(*both) for name, both in splits.items()},
            "right": {name: right_samples(*both) for name, both in splits.items()},
            "distance_l2": l2,
            "distance_cosine": cosine,
        }

    return group.with_axis(group.each(of_one, state, logits))


def _results(
    epoch: int, group: Group, state: TrainingState, learner: Learner, running: Float[Array, "*runs"] | None
) -> list[EpochResult]:
    logits = all_logits(group, state, learner)
    measured, means = jax.device_get((_measures(group, state, logits), running))

    @functools.cache
    def checkpoints() -> dict[str, np.ndarray]:
        return learner.checkpoints(group.with_axis(state))

    sizes = {"train": learner.course.train, "test": learner.course.test}

    def result(run: int) -> EpochResult:
        its = jax.tree.map(lambda array: array[run].item(), measured)
        right = its.pop("right")
        return EpochResult(
            **{**its, "fitted_at": its["fitted_at"] if its["fitted_at"] >= 0 else None},
            epoch=epoch,
            accuracies={split: right[split] / size for split, size in sizes.items()},
            running_loss=None if means is None else float(np.atleast_1d(means)[run]),
            checkpoint=lambda: {name: np.asarray(array[run]) for name, array in checkpoints().items()},
        )

    return [result(run) for run in range(group.count)]
