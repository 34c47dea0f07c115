"""The loss of every training, and the logits that it is of."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt32

from linstudy.models.contract import batch_axis, map_batch
from linstudy.tangent.convolution import with_fast_convolutions
from linstudy.tangent.freeze import in_inference, inference_key


def binary_cross_entropy(
    logits: Float[Array, " samples"], labels: Float[Array, " samples"]
) -> Float[Array, " samples"]:
    """log(1 + exp(−y f)) for labels y of ±1."""
    return jax.nn.softplus(-labels * logits)


def mean_loss(logits: Float[Array, " samples"], labels: Float[Array, " samples"]) -> Float[Array, ""]:
    """The mean of the loss over samples."""
    return jnp.mean(binary_cross_entropy(logits, labels))


def right_samples(logits: Float[Array, " samples"], labels: Float[Array, " samples"]) -> Int[Array, ""]:
    """How many logits have their label's sign; a logit of 0 counts as +1, and one that is no number has none.

    A whole number: a mean in float32 makes 355 of 355 less than 1, and a sum there loses counts beyond 2²⁴.
    """
    right = jnp.where(labels > 0, logits >= 0, logits < 0)
    return jnp.sum(right, dtype=jnp.int32)


def logits_of(
    model: Any, state: Any, inputs: Float[Array, "samples ..."], keys: UInt32[Array, "samples _"] | None = None
) -> tuple[Float[Array, " samples"], Any]:
    """Logits of a batch in training, and the running statistics after it.

    Args:
        keys: One a sample, for a model that takes them.
    """
    return map_batch(with_fast_convolutions(model), batch_axis(model), inputs, state, keys)


def inference_logits(model: Any, state: Any, inputs: Float[Array, "samples ..."]) -> Float[Array, " samples"]:
    """Logits under the running statistics."""
    key, model = inference_key(model), with_fast_convolutions(in_inference(model))
    return jax.vmap(lambda x: model(x, state, **key)[0])(inputs)
