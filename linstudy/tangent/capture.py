"""What the layers of a model see: inputs and output gradients of its dense and convolutional layers.

Each such layer is wrapped, and its output passes a tap: the identity, whose backward rule hands what went in and the
gradient that came back to a slot, an argument of the function that is differentiated. So one `grad` gives them for all
layers of any model, without the gradients of their weights, and inner transformations cannot leak anything.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from linstudy.tangent.convolution import with_fast_convolutions
from linstudy.tangent.parameters import is_sealed, split

Layer = eqx.nn.Linear | eqx.nn.Conv


class Seen(NamedTuple):
    """The shapes and dtypes of a layer's input and output, for one sample."""

    inputs: jax.ShapeDtypeStruct
    output: jax.ShapeDtypeStruct


class Captured(eqx.Module):
    """Of one layer and one sample: its input a, the gradient δ of the output by its output, how often it was called.

    With one call the layer's tangent feature is δ ⊗ (a, 1), summed over the positions of a convolution.
    """

    inputs: Float[Array, "..."]
    deltas: Float[Array, "..."]
    calls: Float[Array, ""]


@jax.custom_vjp
def _tap(output: Array, inputs: Array, slot: Captured) -> Array:
    return output


def _tap_forward(output: Array, inputs: Array, slot: Captured) -> tuple[Array, Array]:
    return output, inputs


def _tap_backward(inputs: Array, cotangent: Array) -> tuple[Array, None, Captured]:
    # one, but in a way that depends on the cotangent: so a `vmap` of the layer inside the model adds up its calls too
    calls = jnp.where(jnp.ravel(cotangent)[0] >= 0, 1.0, jnp.ones((), cotangent.dtype))
    return cotangent, None, Captured(inputs, cotangent, calls)


_tap.defvjp(_tap_forward, _tap_backward)


class ReadDirectlyError(RuntimeError):
    """A model used the weight of a layer without calling it."""

    def __init__(self, index: int):
        super().__init__(index)
        self.index = index


@final
class Tapped(eqx.Module):
    """A layer in place of the original, and of its class to `isinstance`; `tap` is called with its output and input."""

    layer: Layer
    index: int = eqx.field(static=True)
    tap: Callable[[Array, Array], Array]

    def __call__(self, x: Array, **_: Any) -> Array:
        return self.tap(self.layer(x), x)

    @property
    def __class__(self) -> type:
        return type(self.layer)

    def __getattr__(self, name: str) -> Any:
        if name in ("weight", "bias"):
            raise ReadDirectlyError(self.index)
        return getattr(object.__getattribute__(self, "layer"), name)


@final
class _IntoSlot(eqx.Module):
    slot: Captured

    def __call__(self, output: Array, inputs: Array) -> Array:
        return _tap(output, inputs, self.slot)


class _Shapes:
    """Notes the shapes that pass; equal to itself alone, as a static part of a traced model must be."""

    def __init__(self) -> None:
        self.found: dict[int, Seen] = {}

    def into(self, index: int) -> Callable[[Array, Array], Array]:
        def note(output: Array, inputs: Array) -> Array:
            self.found[index] = Seen(*(jax.ShapeDtypeStruct(array.shape, array.dtype) for array in (inputs, output)))
            return output

        return note


def _is_plain(kind: type[Layer]) -> bool:
    """Whether a class, perhaps of a user's own, computes what its base does, without further parameters."""
    base = eqx.nn.Linear if issubclass(kind, eqx.nn.Linear) else eqx.nn.Conv
    return kind.__call__ is base.__call__ and len(dataclasses.fields(kind)) == len(dataclasses.fields(base))


def is_capturable(node: Any) -> bool:
    """Whether the tangent feature of a layer is known from its inputs and output gradients."""
    if not isinstance(node, Layer) or not _is_plain(type(node)) or not eqx.is_inexact_array(node.weight):
        return False
    if node.bias is not None and not eqx.is_inexact_array(node.bias):
        return False
    if isinstance(node, eqx.nn.Linear):
        return True
    return node.groups == 1 and node.padding_mode == "ZEROS" and not isinstance(node.padding, str)


def _is_leaf(node: Any) -> bool:
    return is_sealed(node) or is_capturable(node)


def layers(model: PyTree) -> list[Layer]:
    """The layers of a model that can be captured, in the order of its tree."""
    nodes = jax.tree.leaves(model, is_leaf=_is_leaf)
    return [node for node in nodes if is_capturable(node)]


def _with_taps(model: PyTree, taps: dict[int, Callable[[Array, Array], Array]]) -> PyTree:
    nodes, structure = jax.tree.flatten(model, is_leaf=_is_leaf)
    index, tapped = 0, []
    for node in nodes:
        if is_capturable(node):
            tapped.append(Tapped(node, index, taps[index]) if index in taps else node)
            index += 1
        else:
            tapped.append(node)
    return jax.tree.unflatten(structure, tapped)


def call_shapes(model: Callable[..., Any], sample: Float[Array, "..."]) -> dict[int, Seen]:
    """The layers that `model(sample)` calls and whose weights it does not use otherwise, with the shapes they see."""
    candidates = set(range(len(layers(model))))
    while True:
        shapes = _Shapes()
        try:
            eqx.filter_eval_shape(_with_taps(model, {index: shapes.into(index) for index in candidates}), sample)
        except ReadDirectlyError as error:
            candidates.remove(error.index)
        else:
            return dict(sorted(shapes.found.items()))


@dataclasses.dataclass(frozen=True)
class Split:
    """A model apart: the parameters outside of its captured layers, and everything else."""

    others: PyTree
    fixed: PyTree


def split_captured(model: PyTree, captured: frozenset[int]) -> Split:
    """Separate the parameters that no captured layer holds."""
    parameters, static = split(model)
    position = iter(range(len(layers(model))))

    def hide(node: Any) -> Any:
        return jax.tree.map(lambda _: None, node) if is_capturable(node) and next(position) in captured else node

    others = jax.tree.map(hide, parameters, is_leaf=_is_leaf)
    held = jax.tree.map(lambda own, other: own if other is None else None, parameters, others, is_leaf=_is_none)
    return Split(others, eqx.combine(held, static))


def _is_none(node: Any) -> bool:
    return node is None


def _slot(seen: Seen) -> Captured:
    inputs, deltas = (jnp.zeros(shape.shape, shape.dtype) for shape in seen)
    return Captured(inputs, deltas, jnp.zeros((), seen.output.dtype))


def capture(
    model: Callable[..., Any], shapes: Mapping[int, Seen], sample: Float[Array, "..."]
) -> tuple[dict[int, Captured], PyTree[Float[Array, "..."]]]:
    """Inputs and output gradients of the layers in `shapes`, and the gradients of all other parameters.

    Args:
        shapes: From `call_shapes`.
    """
    parts = split_captured(model, frozenset(shapes))

    def output(slots: dict[int, Captured], others: PyTree) -> Array:
        taps = {index: _IntoSlot(slot) for index, slot in slots.items()}
        return with_fast_convolutions(_with_taps(eqx.combine(others, parts.fixed), taps))(sample)

    slots = {index: _slot(seen) for index, seen in shapes.items()}
    return jax.grad(output, argnums=(0, 1))(slots, parts.others)
