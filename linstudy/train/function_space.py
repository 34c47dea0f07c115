"""Training of linearizations in the span of their tangent features.

SGD with momentum on f̂(x; θ) = f_θ0(x) + (θ − θ0)ᵀ∇f_θ0(x) never leaves θ0 + span(Jᵀ), J the tangent features of the
training samples: with θ − θ0 = Jᵀa and the momentum Jᵀb, a step on the batch B with output gradients g is

    b ← μ b + E_B g,   a ← a − η b,   and the logits are f_θ0 + Θ a

for the Gram Θ = JJᵀ, E_B the columns of the identity that B names. This is the trajectory of the parameters, at a
product of |B| rows of the Gram with a in place of a forward and a backward pass through the network.
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
from linstudy.tangent.features import batch_features
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
        grams: Θ of the training samples, and of the test samples (rows) with them.
        values: f_θ0 of the training samples, then the test samples.
        along: Jθ0.
        norm: ‖θ0‖₂.
    """

    anchor: Callable[..., Any]
    inputs: Float[Array, "train ..."]
    grams: tuple[Float[Array, "train train"], Float[Array, "test train"]]
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
    progress: Callable[[float], None] = lambda fraction: None,
) -> Span:
    """The span of the tangent features of `anchor`, a function of one sample.

    Args:
        train: How many of the inputs are training samples; these are the first.
        memory_budget: As of `ntk_gram`.
        progress: Called with the fraction done of the Grams, which are the work.
    """
    share = train / len(inputs)
    learned, tested = inputs[:train], inputs[train:]
    gram = partial(ntk_gram, anchor, memory_budget=memory_budget)
    square = gram(learned, progress=lambda fraction: progress(share * fraction))
    cross = gram(tested, learned, progress=lambda fraction: progress(share + (1 - share) * fraction))
    values, scaling = _values_and_scaling(anchor, inputs)
    parameters, _ = split(anchor)
    norm = jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(parameters)))
    return Span(anchor, learned, (jnp.asarray(square), jnp.asarray(cross)), values, scaling[:train], norm)


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
class SpanLearner(Learner):
    """A linearization trained by the coefficients of its features; `parameters` of its state are a."""

    course: Course
    span: Span
    centred: bool = eqx.field(static=True)
    block: ClassVar[int | None] = None
    convolves: ClassVar[bool] = False

    def begin(self) -> TrainingState:
        return first_state(jnp.zeros_like(self.span.along), None, self.course.optimizer)

    def restore(self, arrays: Mapping[str, np.ndarray]) -> TrainingState:
        return from_arrays(jax.eval_shape(self.begin), in_span(arrays))

    def checkpoints(self, states: TrainingState) -> dict[str, np.ndarray]:
        """The state that training through the parameters would have, and the one in the span."""
        coefficients, structure = jax.tree.flatten((states.parameters, states.optimizer))
        vectors = [np.asarray(leaf) for leaf in coefficients if leaf.ndim == 2]
        start, _ = split(Stateless(linearize(self.span.anchor, centred=self.centred)))
        runs = len(vectors[0])
        sums = jax.tree.leaves(self.span.combined(np.concatenate(vectors)))
        trees = iter(
            jax.tree.unflatten(jax.tree.structure(start), [leaf[first : first + runs] for leaf in sums])
            for first in range(0, runs * len(vectors), runs)
        )
        change, optimizer = jax.tree.unflatten(
            structure, [next(trees) if leaf.ndim == 2 else leaf for leaf in coefficients]
        )
        parameters = jax.tree.map(jnp.add, jax.tree.map(lambda leaf: leaf[None], start), change)
        parameter_state = TrainingState(parameters, None, optimizer, states.step, states.fitted_at)
        return with_span(to_arrays(parameter_state), to_arrays(states))

    def gradient(self, state: TrainingState, chosen: Int[Array, " batch"]) -> tuple[Float[Array, ""], Any, Any]:
        logits = self._values()[chosen] + self.span.grams[0][chosen] @ state.parameters
        value, gradient = jax.value_and_grad(mean_loss)(logits, self.course.labels[chosen])
        return value, None, jnp.zeros_like(state.parameters).at[chosen].set(gradient)

    def logits(self, state: TrainingState, start: Int[Array, ""], size: int) -> Float[Array, " size"]:
        return self._values() + jnp.concatenate([gram @ state.parameters for gram in self.span.grams])

    def distances(
        self, state: TrainingState, train_logits: Float[Array, " samples"]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """From ‖Jᵀa‖² = aᵀΘa and ⟨θ0, Jᵀa⟩ = (Jθ0)ᵀa.

        1 − cos = ‖p‖² / (‖θ‖ (‖θ‖ + c)) for the parts c along θ0 and p across it of θ: near θ0, 1 − c / ‖θ‖ would be
        lost to rounding.
        """
        coefficients = state.parameters
        squared = jnp.maximum(coefficients @ (train_logits - self._values()[: self.course.train]), 0.0)
        change = self.span.along @ coefficients / self.span.norm
        along, across = self.span.norm + change, jnp.maximum(squared - change**2, 0.0)
        norm = jnp.sqrt(along**2 + across)
        cosine = jnp.where(along > 0, across / (norm * (norm + along)), 1 - along / norm)
        return jnp.sqrt(squared), cosine

    def _values(self) -> Float[Array, " samples"]:
        return jnp.zeros_like(self.span.values) if self.centred else self.span.values
