import equinox as eqx
import jax
import jax.numpy as jnp
import pytest
from tolerance import assert_close

from linstudy.tangent import freeze, linearize, ntk_gram, split
from linstudy.tangent.freeze import Stateless, inference_key, takes_key


def train_step(model, state, inputs):
    return jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(inputs, state)[1]


def by_hand(model, mean, variance, x):
    hidden = (model.dense(x) - mean) / jnp.sqrt(variance + 1e-5) * model.norm.weight + model.norm.bias
    return model.head(jnp.tanh(hidden))


def test_initial_statistics_are_mean_0_and_variance_1(normed, getkey):
    model, state = normed
    x = jax.random.normal(getkey(), (3,))
    assert_close(freeze(model, state)(x), by_hand(model, 0.0, 1.0, x))


def test_frozen_statistics_are_those_of_the_state(normed, getkey):
    model, state = normed
    inputs = jax.random.normal(getkey(), (16, 3))
    hidden = jax.vmap(model.dense)(inputs)
    frozen = freeze(model, train_step(model, state, inputs))
    # What Equinox evaluates with after one update from variance 1: (0.9 + 0.1 v) / (1 - 0.9).
    variance = (0.9 + 0.1 * jnp.var(hidden, axis=0)) / 0.1
    assert_close(frozen(inputs[0]), by_hand(model, jnp.mean(hidden, axis=0), variance, inputs[0]))


def test_output_of_a_sample_does_not_depend_on_the_others(normed, getkey):
    inputs = jax.random.normal(getkey(), (8, 3))
    frozen = freeze(*normed)
    assert_close(jax.vmap(frozen)(inputs)[0], frozen(inputs[0]))


def test_in_training_mode_it_would_depend_on_the_others(normed, getkey):
    model, state = normed
    inputs = jax.random.normal(getkey(), (8, 3))
    outputs = jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(inputs, state)[0]
    assert abs(outputs[0] - freeze(model, state)(inputs[0])) > 1e-3


def test_statistics_get_no_gradient_even_from_equinox_filters(normed, getkey):
    frozen = freeze(*normed)
    gradient = eqx.filter_grad(lambda model: model(jnp.ones(3)))(frozen)
    assert all(jnp.all(leaf == 0) for leaf in jax.tree.leaves(gradient.state))
    assert any(jnp.any(leaf != 0) for leaf in jax.tree.leaves(split(gradient)[0]))


def test_gram_with_frozen_batch_norm_equals_the_two_loop_oracle(normed, getkey):
    model, state = normed
    inputs = jax.random.normal(getkey(), (5, 3))
    state = train_step(model, state, inputs)
    frozen = freeze(model, state)
    parameters, static = split(frozen)
    rows = [
        jnp.concatenate(
            [leaf.ravel() for leaf in jax.tree.leaves(jax.grad(lambda p, x=x: eqx.combine(p, static)(x))(parameters))]
        )
        for x in inputs
    ]
    assert_close(ntk_gram(frozen, inputs), jnp.stack([jnp.stack([a @ b for b in rows]) for a in rows]))


class Flagged(eqx.Module):
    """Has a flag itself, around a layer that has one."""

    dropout: eqx.nn.Dropout
    last: eqx.nn.Linear
    inference: bool = False

    def __call__(self, x, state):
        return self.last(self.dropout(x)) + (0.0 if self.inference else jnp.nan), state


@pytest.mark.parametrize("linear", [False, True])
def test_layers_inside_of_flagged_ones_and_of_linearizations_are_frozen(linear, getkey):
    model = Flagged(eqx.nn.Dropout(0.5), eqx.nn.Linear(3, "scalar", key=getkey()))
    inputs = jax.random.normal(getkey(), (3,))
    frozen = freeze(Stateless(linearize(freeze(model, None))) if linear else model, None)
    assert_close(frozen(inputs), model.last(inputs))


class Counter(eqx.nn.StatefulLayer):
    """Sets its state in inference too."""

    calls: eqx.nn.StateIndex

    def __init__(self):
        self.calls = eqx.nn.StateIndex(jnp.asarray(0.0))

    def __call__(self, x, state):
        calls = state.get(self.calls)
        return jnp.sum(x) + calls, state.set(self.calls, calls + 1.0)


def test_a_layer_that_sets_its_state_does_not_change_the_frozen_one():
    frozen = freeze(*eqx.nn.make_with_state(Counter)())
    assert [float(frozen(jnp.ones(2))) for _ in range(3)] == [2.0, 2.0, 2.0]


@pytest.mark.filterwarnings("error")
def test_equinox_ema_mode_has_no_statistics_before_its_first_update():
    """Why batch norms here are not Equinox's mode "ema": its running variance starts as uninitialized memory."""
    norm, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(2, "batch", mode="ema")
    assert norm.batch_state_index is None
    assert bool(state.get(norm.ema_first_time_index))


def test_equinox_batch_mode_inflates_its_running_variance():
    """Why batch norms here are not Equinox's mode "batch": it starts at variance 1, yet divides as if from 0."""
    norm, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(1, "batch", momentum=0.9, eps=0.0, mode="batch")
    inputs = jnp.asarray([[-2.0], [2.0]])
    step = jax.vmap(norm, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
    state = step(inputs, state)[1]
    output, _ = eqx.nn.inference_mode(norm)(jnp.asarray([1.0]), state)
    assert_close(output, jnp.asarray([1 / jnp.sqrt((0.9 * 1 + 0.1 * 4) / (1 - 0.9))]))


class Keyed(eqx.Module):
    """Splits the key that it insists on."""

    dropout: eqx.nn.Dropout
    last: eqx.nn.Linear

    def __call__(self, x, key):
        return self.last(self.dropout(x, key=jax.random.split(key)[0]))


def test_whether_a_model_takes_a_key_is_told_by_its_call(mlp, normed, getkey):
    linear = eqx.nn.Linear(3, "scalar", key=getkey())
    keyed = Keyed(eqx.nn.Dropout(0.5), linear)
    assert [takes_key(model) for model in (mlp, Stateless(mlp), normed[0], freeze(*normed), linearize(mlp))] == [
        False
    ] * 5
    taking = [eqx.nn.Sequential([linear]), linear, keyed, eqx.nn.Lambda(jax.nn.relu), eqx.filter_jit(keyed)]
    assert all(takes_key(model) and takes_key(Stateless(model)) for model in taking)
    assert [len(inference_key(model)) for model in taking] == [0, 0, 1, 0, 1]


def test_a_model_that_insists_on_a_key_has_one_in_inference_that_changes_nothing(getkey):
    model = Keyed(eqx.nn.Dropout(0.5), eqx.nn.Linear(3, "scalar", key=getkey()))
    inputs = jax.random.normal(getkey(), (5, 3))
    frozen = freeze(Stateless(model), None)
    assert_close(jax.vmap(frozen)(inputs), jax.vmap(model.last)(inputs))
    assert_close(ntk_gram(frozen, inputs), ntk_gram(model.last, inputs))
    assert_close(jax.vmap(linearize(frozen))(inputs), jax.vmap(model.last)(inputs))
