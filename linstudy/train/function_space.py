"""Training of linearizations in the span of their tangent features.

SGD with momentum on f̂(x; θ) = f_θ0(x) + (θ − θ0)ᵀ∇f_θ0(x) never leaves θ0 + span(Jᵀ), J the tangent features of the
training samples: with θ − θ0 = Jᵀa and the momentum Jᵀb, a step on the batch B with output gradients g is

    b ← μ b + E_B g,   a ← a − η b,   and the logits are f_θ0 + u,   u = Θ a

for the Gram Θ = JJᵀ of all samples with the training samples, E_B the columns of the identity that B names. The update
is linear, so u moves as a does, with Θ E_B g in place of E_B g. This is the trajectory of the parameters, and a step
reads the |B| rows of the Gram that it names, once, in place of a forward and a backward pass through the network; the
logits of all samples are there after every step.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from linstudy.models.network import Stateless
from linstudy.tangent import linearize, merge, ntk_gram, split
from linstudy.tangent.compilation import convolution_jit
from linstudy.tangent.features import batch_features, feature_dtype
from linstudy.tangent.placement import on_device
from linstudy.train.checkpoint import from_arrays, in_span, to_arrays, with_span
from linstudy.train.learner import Course, Learner, TrainingState, first_state
from linstudy.train.loss import mean_loss

SAMPLES_AT_ONCE = 256
FEATURE_BYTES = 2**28
"""Held at a time while parameters are made from the coefficients of their features."""


@final
class Span(eqx.Module):
    """The span of an anchor's tangent features over training samples; shared by all linearizations there.

    Attributes:
        anchor: f_θ0, called `anchor(x)`.
        inputs: The training samples.
        gram: Θ of the training samples (rows) with the training samples, then the test samples. On CPUs it stays where
            it was computed, such as in a mapped file, of which a step reads the rows of its batch.
        values: f_θ0 of the training samples, then the test samples.
        along: Jθ0.
        norm: ‖θ0‖₂.
    """

    anchor: Callable[..., Any]
    inputs: Float[Array, "train ..."]
    gram: Float[Array, "train samples"]
    values: Float[Array, " samples"]
    along: Float[Array, " train"]
    norm: Float[Array, ""]

    def combined(self, coefficients: Float[np.ndarray, "vectors train"]) -> Any:
        """Jᵀa for each row a, in the structure of the parameters, with a leading axis of vectors."""
        parameters, _ = split(self.anchor)
        size = sum(leaf.nbytes for leaf in jax.tree.leaves(parameters))
        block = min(max(FEATURE_BYTES // size, 1), SAMPLES_AT_ONCE, len(self.inputs))
        total = jax.tree.map(lambda leaf: jnp.zeros((len(coefficients), *leaf.shape), leaf.dtype), parameters)
        for start in range(0, len(self.inputs), block):
            rows = np.arange(start, start + block)
            # the last block is filled up with samples of weight 0, so that all share one compiled shape
            weights = np.where(rows < len(self.inputs), coefficients[:, rows.clip(max=len(self.inputs) - 1)], 0)
            features = batch_features(self.anchor, self.inputs[rows.clip(max=len(self.inputs) - 1)])
            total = _add(features, total, jnp.asarray(weights, self.along.dtype))
        return total


@eqx.filter_jit
def _add(features: Any, total: Any, weights: Float[Array, "vectors samples"]) -> Any:
    return jax.tree.map(lambda feature, sum_: sum_ + jnp.tensordot(weights, feature, 1), features, total)


def make_span(
    anchor: Callable[..., Any],
    inputs: Float[Array, "samples ..."],
    train: int,
    *,
    memory_budget: int | None = None,
    room: Callable[[tuple[int, ...], np.dtype], np.ndarray] = np.empty,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Span:
    """The span of the tangent features of `anchor`, a function of one sample.

    Args:
        train: How many of the inputs are training samples; these are the first.
        memory_budget: As of `ntk_gram`.
        room: Gives room for the Gram by its shape and dtype, such as a mapped file.
        progress: Called with the fraction done of the Gram, which is the work.
    """
    values, scaling = _values_and_scaling(anchor, inputs)
    learned, tested = inputs[:train], inputs[train:]
    gram = room((train, len(inputs)), feature_dtype(anchor))
    square = train**2 / 2
    share = square / (square + train * len(tested))
    compute = partial(ntk_gram, anchor, learned, memory_budget=memory_budget)
    compute(out=gram[:, :train], progress=lambda fraction: progress(share * fraction))
    compute(tested, out=gram[:, train:], progress=lambda fraction: progress(share + (1 - share) * fraction))
    parameters, _ = split(anchor)
    norm = jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(parameters)))
    return Span(anchor, learned, on_device(gram), values, scaling[:train], norm)


def _values_and_scaling(
    anchor: Callable[..., Any], inputs: Float[Array, "samples ..."]
) -> tuple[Float[Array, " samples"], Float[Array, " samples"]]:
    """f_θ0 and its derivative along θ0 for each sample."""
    starts = range(0, len(inputs), SAMPLES_AT_ONCE)
    blocks = [_block_values(anchor, inputs[start : start + SAMPLES_AT_ONCE]) for start in starts]
    values, scaling = zip(*blocks, strict=True)
    return jnp.concatenate(values), jnp.concatenate(scaling)


@convolution_jit()
def _block_values(
    anchor: Callable[..., Any], inputs: Float[Array, "samples ..."]
) -> tuple[Float[Array, " samples"], Float[Array, " samples"]]:
    parameters, static = split(anchor)
    return jax.jvp(lambda point: jax.vmap(merge(point, static))(inputs), (parameters,), (parameters,))


@final
class Position(eqx.Module):
    """Where a linearization is in the span; a direction there, such as a gradient or a momentum, has the same two.

    Attributes:
        coefficients: a, with θ − θ0 = Jᵀa.
        change: u = Θa, by which the outputs differ from f_θ0; of the training samples, then the test samples.
    """

    coefficients: Float[Array, "*runs train"]
    change: Float[Array, "*runs samples"]


def _is_position(node: Any) -> bool:
    return isinstance(node, Position)


@final
class SpanLearner(Learner):
    """A linearization trained by the coefficients of its features; `parameters` of its state are a `Position`."""

    course: Course
    span: Span
    centred: bool = eqx.field(static=True)
    block: ClassVar[int | None] = None
    convolves: ClassVar[bool] = False

    def begin(self) -> TrainingState:
        start = Position(jnp.zeros_like(self.span.along), jnp.zeros_like(self.span.values))
        return first_state(start, None, self.course.optimizer)

    def restore(self, arrays: Mapping[str, np.ndarray]) -> TrainingState:
        return from_arrays(jax.eval_shape(self.begin), in_span(arrays))

    def checkpoints(self, states: TrainingState) -> dict[str, np.ndarray]:
        """The state that training through the parameters would have, and the one in the span."""
        held, structure = jax.tree.flatten((states.parameters, states.optimizer), is_leaf=_is_position)
        vectors = [np.asarray(leaf.coefficients) for leaf in held if _is_position(leaf)]
        start, _ = split(Stateless(linearize(self.span.anchor, centred=self.centred)))
        runs = len(vectors[0])
        sums = jax.tree.leaves(self.span.combined(np.concatenate(vectors)))
        trees = iter(
            jax.tree.unflatten(jax.tree.structure(start), [leaf[first : first + runs] for leaf in sums])
            for first in range(0, runs * len(vectors), runs)
        )
        change, optimizer = structure.unflatten([next(trees) if _is_position(leaf) else leaf for leaf in held])
        parameters = jax.tree.map(jnp.add, jax.tree.map(lambda leaf: leaf[None], start), change)
        parameter_state = TrainingState(parameters, None, optimizer, states.step, states.fitted_at)
        return with_span(to_arrays(parameter_state), to_arrays(states))

    def gradient(self, state: TrainingState, chosen: Int[Array, " batch"]) -> tuple[Float[Array, ""], Any, Any]:
        logits = self._values()[chosen] + state.parameters.change[chosen]
        value, gradient = jax.value_and_grad(mean_loss)(logits, self.course.labels[chosen])
        coefficients = jnp.zeros_like(state.parameters.coefficients).at[chosen].set(gradient)
        return value, None, Position(coefficients, gradient @ self.span.gram[chosen])

    def logits(self, state: TrainingState, start: Int[Array, ""], size: int) -> Float[Array, " size"]:
        return self._values() + state.parameters.change

    def distances(self, state: TrainingState) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """From ‖Jᵀa‖² = aᵀΘa and ⟨θ0, Jᵀa⟩ = (Jθ0)ᵀa.

        1 − cos = ‖p‖² / (‖θ‖ (‖θ‖ + c)) for the parts c along θ0 and p across it of θ: near θ0, 1 − c / ‖θ‖ would be
        lost to rounding.
        """
        coefficients = state.parameters.coefficients
        squared = jnp.maximum(coefficients @ state.parameters.change[: self.course.train], 0.0)
        change = self.span.along @ coefficients / self.span.norm
        along, across = self.span.norm + change, jnp.maximum(squared - change**2, 0.0)
        norm = jnp.sqrt(along**2 + across)
        cosine = jnp.where(along > 0, across / (norm * (norm + along)), 1 - along / norm)
        return jnp.sqrt(squared), cosine

    def _values(self) -> Float[Array, " samples"]:
        return jnp.zeros_like(self.span.values) if self.centred else self.span.values
