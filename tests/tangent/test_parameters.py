import equinox as eqx
import jax
import jax.numpy as jnp

from linstudy.tangent import Frozen, freeze, linearize, merge, parameter_count, split
from linstudy.tangent.parameters import signature


class Holder(eqx.Module):
    weight: jax.Array
    count: jax.Array
    statistics: Frozen
    name: str

    def __call__(self, x):
        return jnp.sum(self.weight * x) + self.statistics.value


def test_split_keeps_only_inexact_arrays_that_are_not_frozen():
    model = Holder(jnp.ones(3), jnp.arange(4), Frozen(jnp.asarray(2.0)), "a")
    parameters, static = split(model)
    assert [leaf.shape for leaf in jax.tree.leaves(parameters)] == [(3,)]
    assert static.weight is None
    assert static.statistics.value == 2.0


def test_merge_undoes_split(mlp):
    assert eqx.tree_equal(merge(*split(mlp)), mlp)


def test_parameter_count_of_dense_layers(mlp):
    assert parameter_count(mlp) == (4 * 6 + 6) + (6 * 5 + 5) + (5 + 1)


def test_frozen_statistics_are_not_counted(normed):
    assert parameter_count(freeze(*normed)) == (3 * 5 + 5) + (5 + 5) + (5 + 1)


def test_initial_values_of_a_stateful_layer_are_not_parameters():
    norm = eqx.nn.BatchNorm(5, "batch", mode="batch")
    assert parameter_count(norm) == 10


def test_a_linearization_has_as_many_parameters_as_its_model(mlp):
    assert parameter_count(linearize(mlp)) == parameter_count(mlp)


def test_signatures_differ_where_more_than_values_does():
    first = Holder(jnp.ones(3), jnp.arange(4), Frozen(jnp.asarray(2.0)), "a")
    alike = Holder(jnp.zeros(3), jnp.arange(4) + 1, Frozen(jnp.asarray(3.0)), "a")
    others = [
        eqx.tree_at(lambda node: node.weight, first, jnp.ones(2)),
        eqx.tree_at(lambda node: node.count, first, jnp.ones(4)),
        eqx.tree_at(lambda node: node.name, first, "b"),
        eqx.tree_at(lambda node: node.name, first, 1),
        eqx.tree_at(lambda node: node.name, first, True),
    ]
    assert signature(first) == signature(alike)
    assert len({signature(one) for one in [first, *others]}) == 6


def test_what_has_no_hash_has_no_signature():
    assert signature(Holder(jnp.ones(3), jnp.arange(4), Frozen(jnp.asarray(2.0)), bytearray())) is None
