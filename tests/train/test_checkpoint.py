import jax
import jax.numpy as jnp
import numpy as np
import pytest

from linstudy.spec.errors import LinstudyError
from linstudy.spec.train import AdamOptimizer, Train
from linstudy.train.checkpoint import from_arrays, in_span, ordinary, to_arrays, with_span
from linstudy.train.network import initial_state


def test_a_state_survives_the_round_trip_with_its_types(normed):
    train = Train(epochs=2, optimizer=AdamOptimizer(kind="adam"))
    state = initial_state(*normed, train, 300)
    arrays = to_arrays(state)
    again = from_arrays(jax.eval_shape(lambda: state), arrays)
    assert jax.tree.structure(again) == jax.tree.structure(state)
    for one, other in zip(jax.tree.leaves(again), jax.tree.leaves(state), strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)


def test_names_are_the_paths_of_the_parameters(mlp):
    names = to_arrays(initial_state(mlp, None, Train(epochs=1), 10)).keys()
    assert ".parameters.model.layers[0].weight" in names
    assert {".step", ".fitted_at"} <= names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("['b']"), r"\['b'\] stand in only one of them"),
        (lambda arrays: arrays.update({"['c']": np.zeros(1)}), r"\['c'\] stand in only one of them"),
        (lambda arrays: arrays.update({"['b']": np.zeros(4)}), r"\['b'\] is \(4,\), not \(2, 2\)"),
    ],
)
def test_a_checkpoint_of_another_model_is_rejected(change, message):
    tree = {"a": jnp.zeros(3), "b": jnp.ones((2, 2))}
    arrays = to_arrays(tree)
    change(arrays)
    with pytest.raises(LinstudyError, match=f"the checkpoint does not fit the model: {message}"):
        from_arrays(tree, arrays)


def test_a_checkpoint_in_function_space_has_two_parts():
    arrays, span = {".step": np.zeros(1)}, {".parameters": np.ones(3)}
    both = with_span(arrays, span)
    assert (ordinary(both), in_span(both)) == (arrays, span)
    assert in_span(arrays) == {}
    earlier = {"span.parameters": np.ones(3)}
    assert (ordinary(arrays | earlier), in_span(arrays | earlier)) == (arrays, {})  # goes on through the parameters
