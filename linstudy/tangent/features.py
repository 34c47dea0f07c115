"""Tangent features: the gradients of a model's output with respect to its parameters."""

import contextlib
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from linstudy.tangent.convolution import with_fast_convolutions
from linstudy.tangent.parameters import merge, split


def full_precision() -> contextlib.AbstractContextManager[None]:
    """Products of float32 in float32, which is not the default of accelerators, unless the caller chose a precision."""
    chosen = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    return jax.default_matmul_precision(chosen or "highest")


def require_scalar(output: Any) -> None:
    """Raise unless `output`, an array or its shape and dtype, is one real number.

    Raises:
        ValueError: With the call that would have been right.
    """
    if isinstance(output, tuple):
        raise ValueError(
            f"The model returned a tuple of {len(output)}, not one number. "
            "A stateful model, (x, state) -> (output, state), becomes a function of x by `freeze(model, state)`."
        )
    shape, dtype = getattr(output, "shape", None), getattr(output, "dtype", None)
    if shape is None or dtype is None:
        raise ValueError(f"The model returned {type(output).__name__}, not an array of shape ().")
    if shape != ():
        fix = "jnp.squeeze(logits)" if math.prod(shape) == 1 else "logits[k]"
        raise ValueError(
            f"The model returned shape {shape} for one sample, but the tangent kernel here is that of one logit, "
            f"shape (). Let the model return `{fix}`; it is called with one sample, without a batch axis."
        )
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(
            f"The model returned dtype {dtype}, which has no gradient: return a real floating-point number."
        )


def check_scalar_output(model: Callable[..., Any], sample: Float[Array, "..."]) -> None:
    """Raise unless `model(sample)` is one real number that depends on real parameters. Nothing is computed.

    Raises:
        ValueError: If the output is not of shape (), or the model has no parameters, or complex ones.
    """
    require_scalar(eqx.filter_eval_shape(model, sample))
    require_real_parameters(model)


def require_real_parameters(model: Callable[..., Any]) -> None:
    """Raise unless a model has parameters, and all of them are real.

    Raises:
        ValueError: With what to do instead.
    """
    parameters, _ = split(model)
    if not jax.tree.leaves(parameters):
        raise ValueError(
            f"{type(model).__name__} has no parameters: it holds no floating-point JAX array outside of `Frozen`. "
            "A plain function or lambda hides the arrays it closes over: pass an eqx.Module that has them as fields."
        )
    for path, leaf in jax.tree_util.tree_leaves_with_path(parameters):
        if jnp.iscomplexobj(leaf):
            raise ValueError(
                f"The parameter {jax.tree_util.keystr(path)} is {leaf.dtype}, but the tangent kernel here is that of "
                "real parameters. Let the model hold its real and its imaginary part as two fields, or keep it from "
                "training inside of `Frozen`."
            )


def output_gradient(model: Callable[..., Any], sample: Float[Array, "..."]) -> PyTree[Float[Array, "..."]]:
    """∇_θ f_θ(x) of one sample, in the structure of the parameters."""
    parameters, static = split(model)
    return jax.grad(lambda point: with_fast_convolutions(merge(point, static))(sample))(parameters)


def feature_bytes(model: Callable[..., Any]) -> int:
    """Memory of the tangent features of one sample as gradients."""
    parameters, _ = split(model)
    return sum(leaf.nbytes for leaf in jax.tree.leaves(parameters))


def feature_dtype(model: Callable[..., Any]) -> np.dtype:
    """The precision of the tangent features: of a NumPy array of float64, the one that JAX is set to."""
    parameters, _ = split(model)
    return np.result_type(*(jax.dtypes.canonicalize_dtype(leaf.dtype) for leaf in jax.tree.leaves(parameters)))


@eqx.filter_jit
def batch_features(model: Callable[..., Any], inputs: Float[Array, "samples ..."]) -> PyTree:
    """`tangent_features` without its check: compiled once for a model's structure and a shape of inputs."""
    with full_precision():
        return jax.vmap(lambda sample: output_gradient(model, sample))(inputs)


def tangent_features(
    model: Callable[..., Any], inputs: Float[Array, "samples ..."]
) -> PyTree[Float[Array, "samples ..."]]:
    """The rows ∇_θ f_θ(xᵢ) of J, in the structure of the parameters, each leaf with a leading axis of samples.

    All of J at once, samples times parameters numbers; `ntk_gram` never needs more than its memory budget.

    Raises:
        ValueError: If the output of `model` is not a scalar.
    """
    check_scalar_output(model, inputs[0])
    return batch_features(model, inputs)
