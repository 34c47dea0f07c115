"""The loss of every training, and the evaluation of a model on all samples."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from linstudy.models.layers import BATCH_AXIS


def binary_cross_entropy(
    logits: Float[Array, " samples"], labels: Float[Array, " samples"]
) -> Float[Array, " samples"]:
    """log(1 + exp(−y f)) for labels y of ±1."""
    return jax.nn.softplus(-labels * logits)


def logits_of(model: Any, state: Any, inputs: Float[Array, "samples ..."]) -> tuple[Float[Array, " samples"], Any]:
    """Logits of a batch, and the running statistics after it."""
    return jax.vmap(model, in_axes=(0, None), out_axes=(0, None), axis_name=BATCH_AXIS)(inputs, state)


def evaluate(
    model: Any, state: Any, inputs: Float[Array, "samples ..."], labels: Float[Array, " samples"], batch: int
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Mean loss and accuracy over all samples, with running statistics, `batch` samples at a time."""
    logits = _inference_logits(_in_inference(model), state, inputs, min(batch, len(inputs)))
    right = jnp.where(logits >= 0, 1.0, -1.0).astype(labels.dtype) == labels
    return jnp.mean(binary_cross_entropy(logits, labels)), jnp.mean(right.astype(labels.dtype))


def _in_inference(model: Any) -> Any:
    """As `equinox.nn.inference_mode`, which fails on a linearization: its parameters have None for a flag."""

    def has_flag(node: Any) -> bool:
        return getattr(node, "inference", None) is not None

    def flags(tree: Any) -> list[Any]:
        return [node.inference for node in jax.tree.leaves(tree, is_leaf=has_flag) if has_flag(node)]

    return eqx.tree_at(flags, model, replace_fn=lambda flag: True)


def _inference_logits(
    model: Any, state: Any, inputs: Float[Array, "samples ..."], batch: int
) -> Float[Array, " samples"]:
    # a Python loop, since XLA's convolutions are ten times slower inside its own loops on CPUs:
    # https://github.com/jax-ml/jax/issues/12868
    starts = range(0, len(inputs), batch)
    # the slice at the last start is moved back to be a whole block, so that all blocks share one compiled shape
    blocks = [_block_logits(model, state, jax.lax.dynamic_slice_in_dim(inputs, start, batch)) for start in starts]
    return jnp.concatenate([*blocks[:-1], blocks[-1][starts[-1] - len(inputs) :]])


@eqx.filter_jit
def _block_logits(model: Any, state: Any, inputs: Float[Array, "samples ..."]) -> Float[Array, " samples"]:
    return jax.vmap(lambda x: model(x, state)[0])(inputs)
