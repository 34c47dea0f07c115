"""neural-tangents 0.6.5 on today's JAX, without TensorFlow.

The package was last released for JAX 0.4. Its import needs names that JAX has moved since, and TensorFlow for one
subpackage that nothing else uses; its structured derivatives need two functions that JAX has changed. What the import
needs is lent to JAX's modules and taken back; what the functions need is put into neural-tangents' own module.
"""

import contextlib
import functools
import importlib
import importlib.util
import math
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.core
import jax.extend.core
import jax.numpy as jnp
from jax.interpreters import ad

INSTALL_COMMAND = "pip install --no-deps neural-tangents==0.6.5"

_MOVED = ("Jaxpr", "JaxprEqn", "Literal", "Primitive", "Var")


class NeuralTangentsMissing(ImportError):
    """neural-tangents, an optional package, is not installed."""


def _moved_names() -> dict[str, Any]:
    """What neural-tangents looks for in `jax.core` and JAX now keeps in `jax.extend.core`."""
    return {name: getattr(jax.extend.core, name) for name in _MOVED}


def _safe_map(function: Callable[..., Any], *sequences: Any) -> list[Any]:
    return [function(*items) for items in zip(*sequences, strict=True)]


def _safe_zip(*sequences: Any) -> list[tuple[Any, ...]]:
    return list(zip(*sequences, strict=True))


def _module(name: str, **names: Any) -> types.ModuleType:
    module = types.ModuleType(name)
    vars(module).update(names)
    return module


@contextlib.contextmanager
def _lent_names(module: types.ModuleType, names: Mapping[str, Any]) -> Iterator[None]:
    """Give `module` those of `names` that it lacks, for a while."""
    lent = [name for name in names if not hasattr(module, name)]
    for name in lent:
        setattr(module, name, names[name])
    try:
        yield
    finally:
        for name in lent:
            delattr(module, name)


@contextlib.contextmanager
def _lent_module(module: types.ModuleType) -> Iterator[None]:
    """Let `import` find `module` under its name, for a while."""
    found = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module
    try:
        yield
    finally:
        del sys.modules[module.__name__]
        if found is not None:
            sys.modules[module.__name__] = found


def _import() -> types.ModuleType:
    # Only a key of a table of rules; no computation produces this primitive.
    zeros_like = jax.extend.core.Primitive("zeros_like")
    with (
        _lent_names(jax.core, _moved_names()),
        _lent_names(ad, {"zeros_like_p": zeros_like}),
        _lent_module(_module("jax.util", safe_map=_safe_map, safe_zip=_safe_zip)),
        _lent_module(_module("neural_tangents.experimental")),
    ):
        return importlib.import_module("neural_tangents")


def _linearize(function: Any, *primals: Any, has_aux: bool = False) -> tuple[Any, list[Any], Any, Any]:
    """`ad.linearize` as it was: outputs, which of them depend on the inputs (all), and the linear jaxpr."""
    del has_aux
    outputs, linear = jax.linearize(function.call_wrapped, *primals)
    jaxpr = jax.make_jaxpr(linear)(*primals)
    unknown = types.SimpleNamespace(is_known=lambda: False)
    return outputs, [unknown] * len(outputs), jaxpr.jaxpr, jaxpr.consts


def _transposed_equation(equation: Any, cotangents: Any, *operands: Any) -> Any:
    if equation is None:
        return (cotangents,)
    return ad.get_primitive_transpose(equation.primitive)(cotangents, *operands, **equation.params)


def _flops(function: Callable[..., Any], optimize: bool, *args: Any, **kwargs: Any) -> float:
    """What a function costs; `cost_analysis` returned a list of dicts before JAX 0.5 and returns one since."""
    lowered = jax.jit(function).lower(*args, **kwargs)
    analysis: Any = (lowered.compile() if optimize else lowered).cost_analysis()
    return (analysis[0] if isinstance(analysis, list | tuple) else analysis)["flops"]


def _standard_basis(empirical: Any, tree: Any) -> Any:
    """One-hot vectors in the structure of `tree`, whose leaves may be shapes, which `jnp.size` no longer measures."""
    leaves = jax.tree.leaves(tree)
    basis = jnp.eye(
        sum(math.prod(leaf.shape) for leaf in leaves), dtype=jnp.result_type(*(leaf.dtype for leaf in leaves))
    )
    return empirical._unravel_array_into_pytree(tree, 1, basis)


def _bridge(empirical: Any) -> None:
    """Mend every implementation of the empirical kernel but JACOBIAN_CONTRACTION, inside neural-tangents only."""
    scopes = types.SimpleNamespace(transform_name_stack=lambda _: contextlib.nullcontext())
    checks = types.SimpleNamespace(jax_enable_checks=False)
    overlay = {"linearize": _linearize, "source_info_util": scopes, "config": checks}
    empirical.ad = _module(ad.__name__, **{**vars(ad), **overlay})
    # JAX no longer has arrays of dynamic shape; no value is of the stand-in's type.
    absent = {"DShapedArray": type(None), **_moved_names()}
    empirical.core = _module(jax.core.__name__, **{**vars(jax.core), **absent})
    empirical._eqn_vjp_fn = _transposed_equation
    empirical._get_flops = _flops
    empirical._std_basis = functools.partial(_standard_basis, empirical)


@functools.cache
def load_neural_tangents() -> Any:
    """The module `neural_tangents`, ready to use, all implementations of its empirical kernel included.

    JAX's own modules are afterwards as they were.

    Raises:
        NeuralTangentsMissing: With the command that installs it.
    """
    if importlib.util.find_spec("neural_tangents") is None:
        raise NeuralTangentsMissing(
            f"neural-tangents is not installed. Install it with `{INSTALL_COMMAND}`; without --no-deps it brings "
            "TensorFlow, which nothing here uses. It also needs `pip install frozendict`."
        )
    neural_tangents = _import()
    _bridge(importlib.import_module("neural_tangents._src.empirical"))
    return neural_tangents


@contextlib.contextmanager
def lenient_promotion() -> Iterator[None]:
    """JAX's default promotion of dtypes and ranks, which neural-tangents counts on."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
