import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import pytest
from tolerance import assert_close

from linstudy.tangent import freeze, linearize, ntk_gram, split, tangent_features


def moved(linear, key):
    """The linearization at other parameters, and the flat displacement from its anchor."""
    flat, unravel = jax.flatten_util.ravel_pytree(linear.parameters)
    displacement = jax.random.normal(key, flat.shape)
    return eqx.tree_at(lambda node: node.parameters, linear, unravel(flat + displacement)), displacement


def test_at_the_anchor_it_is_the_model(conv, getkey):
    x = jax.random.normal(getkey(), (2, 4, 4))
    assert_close(linearize(conv)(x), conv(x))
    assert linearize(conv, centred=True)(x) == 0


@pytest.mark.parametrize("centred", [False, True])
def test_it_equals_dense_autodiff(conv, dense_jacobian, getkey, centred):
    inputs = jax.random.normal(getkey(), (3, 2, 4, 4))
    linear, displacement = moved(linearize(conv, centred=centred), getkey())
    values = jnp.zeros(3) if centred else jax.vmap(conv)(inputs)
    assert_close(jax.vmap(linear)(inputs), values + dense_jacobian(conv, inputs) @ displacement)


def test_it_differs_from_the_model_away_from_the_anchor(mlp, getkey):
    x = jax.random.normal(getkey(), (4,))
    linear, _ = moved(linearize(mlp), getkey())
    assert abs(linear(x) - eqx.combine(linear.parameters, split(mlp)[1])(x)) > 1e-2


def test_its_gradient_is_constant_and_that_of_the_model(mlp, getkey):
    inputs = jax.random.normal(getkey(), (3, 4))
    linear, _ = moved(linearize(mlp), getkey())
    for feature, expected in zip(
        jax.tree.leaves(tangent_features(linear, inputs)), jax.tree.leaves(tangent_features(mlp, inputs)), strict=True
    ):
        assert_close(feature, expected)


def test_the_gradient_of_the_model_itself_is_not_constant(mlp, getkey):
    inputs = jax.random.normal(getkey(), (3, 4))
    linear, _ = moved(linearize(mlp), getkey())
    elsewhere = eqx.combine(linear.parameters, split(mlp)[1])
    assert jnp.max(jnp.abs(jnp.asarray(ntk_gram(elsewhere, inputs) - ntk_gram(mlp, inputs)))) > 1e-2


def test_the_anchor_gets_no_gradient_even_from_equinox_filters(mlp):
    gradient = eqx.filter_grad(lambda model: model(jnp.ones(4)))(linearize(mlp))
    assert all(jnp.all(leaf == 0) for leaf in jax.tree.leaves(eqx.filter(gradient.anchor, eqx.is_inexact_array)))


def test_linearizing_twice_changes_nothing(mlp, getkey):
    x = jax.random.normal(getkey(), (4,))
    linear, _ = moved(linearize(mlp), getkey())
    twice, _ = moved(linearize(linear), getkey())
    assert_close(twice(x), eqx.tree_at(lambda node: node.parameters, linear, twice.parameters.parameters)(x))


def test_frozen_batch_norm_linearizes(normed, getkey):
    model = freeze(*normed)
    x = jax.random.normal(getkey(), (3,))
    assert_close(linearize(model)(x), model(x))
