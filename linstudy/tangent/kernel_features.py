"""The tangent features of one model, in the cheapest form that was seen to be right."""

import contextlib
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from linstudy.tangent.capture import Seen, call_shapes, capture
from linstudy.tangent.factors import Factors, Structure, batch_factors, contract, numbers_held, structure_of
from linstudy.tangent.features import check_scalar_output, feature_dtype
from linstudy.tangent.freeze import FrozenState, Stateless, inference_key
from linstudy.tangent.linearize import Linearized
from linstudy.tangent.parameters import parameter_count, signature

T = TypeVar("T")

STRUCTURED = "structured"
EXPLICIT = "explicit gradients"

_EXPLICIT = Structure((), ())

_KNOWN: dict[Hashable, tuple[dict[int, Seen], str]] = {}
"""What `_capturable` found, by signature: a Gram of 1,000 LeNet samples takes as long as six times its tracing."""

_MOST_KNOWN = 64


def tangent_model(model: Callable[..., Any]) -> Callable[..., Any]:
    """A model with the same tangent kernel, without what surrounds it: of a linearization, its anchor."""
    match model:
        case FrozenState(model=Stateless(model=inner)) if not inference_key(inner):
            return tangent_model(inner)
        case Linearized(anchor=anchor):
            return tangent_model(anchor.value)
        case _:
            return model


class RestructuredError(Exception):
    """The first batch showed that features must be held in another way than was planned for."""


@final
class KernelFeatures:
    """Computes factors of tangent features, batch by batch.

    Layers that are shared, scanned or mapped inside the model have no factors and go by explicit gradients. The first
    batch is compared with explicit gradients, on two of its samples, and how often each layer was called is looked at
    there, and in all later batches by `confirm`, which does not let the device wait for the host batch by batch.

    Attributes:
        how: `structured`, or `explicit gradients` with the reason.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        sample: Float[Array | np.ndarray, "..."],
        samples: int,
        *,
        structured: bool = True,
    ):
        sample = jnp.asarray(sample)
        self.model = tangent_model(model)
        self._samples = samples
        if structured:
            self._shapes, self.how = _examined(model, sample)
        else:
            check_scalar_output(model, sample)
            self._shapes, self.how = {}, f"{EXPLICIT}: by request"
        self._checked = False
        self._unconfirmed: list[Array] = []
        self._restructure()

    @property
    def numbers(self) -> int:
        """How many numbers one sample's factors hold."""
        return numbers_held(self.model, self._structure, self._others)

    @property
    def dtype(self) -> np.dtype:
        """The precision of the Gram: that of the features, but float32 at least."""
        return np.promote_types(feature_dtype(self.model), np.float32)

    @property
    def bytes(self) -> int:
        """The memory of one sample's factors."""
        return self.numbers * self.dtype.itemsize

    @property
    def positions(self) -> int:
        """The most positions of any layer that is held by positions, at least 1."""
        return self._structure.positions

    def __call__(self, inputs: Float[Array, "samples ..."]) -> Factors:
        """The factors of some samples; `confirm` must be called before anything computed from them is believed.

        Raises:
            RestructuredError: By the first call, if what the features hold has changed: see `compute_until_accepted`.
        """
        factors, calls = batch_factors(self.model, self._structure, inputs)
        if self._checked:
            self._unconfirmed.append(calls)
            return factors
        if self._accepts(np.asarray(calls), factors, inputs):
            return factors
        raise RestructuredError

    def compute_until_accepted(self, compute: Callable[[], T]) -> T:
        """What `compute` gives: planned and begun anew when its first batch changes what the features hold."""
        while True:
            with contextlib.suppress(RestructuredError):
                return compute()

    def confirm(self) -> None:
        """See that no layer was called more than once in any batch since the first.

        Raises:
            RuntimeError: If one was: what a layer does depends on the inputs.
        """
        most = np.max([np.asarray(calls) for calls in self._unconfirmed], axis=0, initial=0.0)
        self._unconfirmed = []
        if np.any(most > 1):
            raise RuntimeError(
                "A layer is called more than once, but not in the first samples: the model's layers depend on its "
                "input. Pass `structured=False`."
            )

    def _restructure(self) -> None:
        self._structure = structure_of(self.model, self._shapes, self._samples)
        self._others = parameter_count(self.model) - self._structure.captured_parameters(self.model)

    def _accepts(self, calls: np.ndarray, factors: Factors, inputs: Array) -> bool:
        """Whether the first factors are right; if not, the structure is changed so that the next ones are."""
        repeated = [index for index, count in zip(self._shapes, calls, strict=True) if count > 1]
        if repeated:
            self._without(repeated, f"{len(repeated)} layers are called more than once")
        elif self._shapes and not _agree(self.model, factors, inputs):
            self._without(list(self._shapes), "the factors of two samples do not give their explicit Gram")
        else:
            self._checked = True
        return self._checked

    def _without(self, indices: list[int], reason: str) -> None:
        self._shapes = {index: shape for index, shape in self._shapes.items() if index not in indices}
        self.how = f"{STRUCTURED if self._shapes else EXPLICIT}: {reason}"
        self._restructure()


def _examined(model: Callable[..., Any], sample: Array) -> tuple[dict[int, Seen], str]:
    """Which layers of a model can be captured, and the reason if none; a model that has no tangent kernel raises."""
    known_as = signature((model, sample))
    found = _KNOWN.get(known_as) if known_as is not None else None
    if found is None:
        check_scalar_output(model, sample)
        found = _capturable(tangent_model(model), sample)
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        if known_as is not None:
            _KNOWN[known_as] = found
    return found


def _capturable(model: Callable[..., Any], sample: Array) -> tuple[dict[int, Seen], str]:
    try:
        shapes = call_shapes(model, sample)
        jax.eval_shape(jax.vmap(lambda one: capture(model, shapes, one)), sample[None])
    # The model itself was traced before; whatever it does not bear in the wrapped layers is a reason to leave them.
    except Exception as error:
        return {}, f"{EXPLICIT}: {type(error).__name__} with wrapped layers"
    return shapes, STRUCTURED if shapes else f"{EXPLICIT}: no dense or convolutional layer was called"


def _tolerance(dtype: np.dtype) -> float:
    chosen = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    return float(np.sqrt(jnp.finfo(dtype).eps)) if chosen in (None, "highest", "float32") else 1e-2


@eqx.filter_jit
def _ends(samples: Any) -> Any:
    """The first and the last one."""
    return jax.tree.map(lambda leaf: jnp.stack([leaf[0], leaf[-1]]), samples)


def _agree(model: Callable[..., Any], factors: Factors, inputs: Array) -> bool:
    """Whether the factors of the first and the last sample give the Gram of their gradients."""
    factors, inputs = _ends((factors, inputs))
    with jax.default_matmul_precision("highest"):
        explicit, _ = batch_factors(model, _EXPLICIT, inputs)
        right = np.asarray(contract(explicit, explicit), np.float64)
        found = np.asarray(contract(factors, factors), np.float64)
    scale = np.sqrt(np.outer(np.diagonal(right), np.diagonal(right)))
    return bool(np.all(np.abs(found - right) <= _tolerance(feature_dtype(model)) * scale))
