import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerance import assert_close

from linstudy.tangent import Finished, gram, ntk_gram
from linstudy.tangent.factors import batch_factors
from linstudy.tangent.features import feature_bytes
from linstudy.tangent.kernel_features import KernelFeatures


def two_loops(model, left, right, jacobian):
    rows, columns = jacobian(model, left), jacobian(model, right)
    return np.array([[float(jnp.sum(a * b)) for b in columns] for a in rows])


def test_gram_equals_the_two_loop_oracle(conv, dense_jacobian, getkey):
    inputs = jax.random.normal(getkey(), (5, 2, 4, 4))
    assert_close(ntk_gram(conv, inputs), two_loops(conv, inputs, inputs, dense_jacobian))


def test_rectangular_gram_equals_the_two_loop_oracle(conv, dense_jacobian, getkey):
    inputs, others = jax.random.normal(getkey(), (5, 2, 4, 4)), jax.random.normal(getkey(), (3, 2, 4, 4))
    assert_close(ntk_gram(conv, inputs, others, tile=2), two_loops(conv, inputs, others, dense_jacobian))


def test_gram_of_a_linear_model_is_x_xt(getkey):
    inputs = jax.random.normal(getkey(), (6, 3))
    assert_close(ntk_gram(eqx.nn.Linear(3, "scalar", key=getkey()), inputs), np.asarray(inputs @ inputs.T + 1))


@pytest.mark.parametrize("tile", [1, 2, 3, 7, 8, 100])
@pytest.mark.parametrize("samples_in_budget", [0, 2, 5, 100])
def test_gram_depends_on_neither_tile_nor_budget(mlp, getkey, tile, samples_in_budget):
    inputs = jax.random.normal(getkey(), (7, 4))
    budget = samples_in_budget * feature_bytes(mlp)
    assert_close(ntk_gram(mlp, inputs, tile=tile, memory_budget=budget), ntk_gram(mlp, inputs))
    assert_close(ntk_gram(mlp, inputs, inputs[:5], tile=tile, memory_budget=budget), ntk_gram(mlp, inputs)[:, :5])


@pytest.mark.parametrize("devices", range(1, 9))
def test_any_number_of_devices_divides_the_batches(mlp, monkeypatch, devices):
    monkeypatch.setattr(gram, "device_count", lambda: devices)
    features = KernelFeatures(mlp, np.zeros(4), 10_000)
    for samples in (1, 100, 1_000, 3_500, 5_500, 7_500, 10_000):
        for budget in (1, 2**20, 2**31):
            cut = gram._cut(features, samples, None, budget)
            assert cut.batch % devices == cut.tile % cut.batch == 0


def test_gram_is_exactly_symmetric_and_positive(mlp, getkey):
    gram = ntk_gram(mlp, jax.random.normal(getkey(), (20, 4)), tile=6)
    assert np.array_equal(gram, gram.T)
    assert np.linalg.eigvalsh(gram)[0] > -1e-12 * np.linalg.eigvalsh(gram)[-1]


def test_gram_has_the_precision_of_the_parameters(make_mlp, getkey):
    model = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), make_mlp((4, 6), getkey()), is_leaf=eqx.is_array)
    inputs = jax.random.normal(getkey(), (9, 4), jnp.float32)
    gram = ntk_gram(model, inputs)
    assert gram.dtype == np.float32
    double = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), model)
    assert_close(gram, ntk_gram(double, inputs.astype(jnp.float64)), rtol=1e-5)  # float32 products of a few layers


def test_tiles_are_compiled_once(make_mlp, getkey):
    inputs = np.asarray(jax.random.normal(getkey(), (7, 4)))
    first, second = make_mlp((4, 3), getkey()), make_mlp((4, 3), getkey())
    ntk_gram(first, inputs, tile=2)
    compiled = batch_factors._cached._cache_size()
    ntk_gram(second, inputs, inputs[:3], tile=2)
    assert batch_factors._cached._cache_size() == compiled


def test_progress_ends_at_1_and_can_stop_the_work(mlp, getkey):
    inputs = jax.random.normal(getkey(), (7, 4))
    seen = []
    ntk_gram(mlp, inputs, tile=2, progress=seen.append)
    assert seen == [step / 10 for step in range(1, 11)]

    def stop(fraction):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ntk_gram(mlp, inputs, tile=2, progress=stop)


def test_gram_without_samples_is_rejected(mlp):
    with pytest.raises(ValueError, match="got 0 and 0"):
        ntk_gram(mlp, jnp.zeros((0, 4)))


def test_a_tile_without_samples_is_rejected(mlp):
    with pytest.raises(ValueError, match="tile of 0 samples"):
        ntk_gram(mlp, jnp.zeros((2, 4)), tile=0)


class Interrupted(Exception):
    pass


def interrupted(model, inputs, others, after, **options):
    """A Gram of which some tiles were made, as a file would hold it, and what was told of them."""
    out, told = np.full((len(inputs), len(inputs if others is None else others)), np.nan), []

    def keep(finished):
        told.append(finished)
        if len(told) == after:
            raise Interrupted

    with pytest.raises(Interrupted):
        ntk_gram(model, inputs, others, out=out, keep=keep, **options)
    return out, told


@pytest.mark.parametrize("after", [1, 7, 14])
@pytest.mark.parametrize("samples_in_budget", [0, 8, 1000])
@pytest.mark.parametrize("columns", [None, 9])
def test_an_interrupted_gram_goes_on_to_the_same_bits(mlp, getkey, after, samples_in_budget, columns):
    inputs = jax.random.normal(getkey(), (19, 4))
    others = None if columns is None else jax.random.normal(getkey(), (columns, 4))
    options = {"tile": 4 if columns is None else 2, "memory_budget": samples_in_budget * 4 * feature_bytes(mlp)}
    every, rest, fractions = [], [], []
    whole = ntk_gram(mlp, inputs, others, keep=every.append, **options)
    out, told = interrupted(mlp, inputs, others, after, **options)
    assert np.isnan(out).any()
    ntk_gram(mlp, inputs, others, out=out, finished=told[-1], keep=rest.append, progress=fractions.append, **options)
    assert np.array_equal(out, whole)
    assert told + rest == every
    assert [finished.tiles for finished in every] == list(range(1, len(every) + 1))
    assert fractions == [finished.tiles / len(every) for finished in rest]


def test_tiles_that_are_there_are_not_computed(mlp, getkey):
    inputs = jax.random.normal(getkey(), (8, 4))
    out, told = interrupted(mlp, inputs, None, 2, tile=2)
    out[:2, :2] = 7.0
    ntk_gram(mlp, inputs, out=out, finished=told[-1], tile=2)
    assert np.all(out[:2, :2] == 7.0)


def test_tiles_of_another_order_are_computed_anew(mlp, getkey):
    inputs = jax.random.normal(getkey(), (19, 4))
    out, told = interrupted(mlp, inputs, None, 3, tile=4)
    out[:] = np.nan
    ntk_gram(mlp, inputs, out=out, finished=told[-1], tile=5)
    assert_close(out, ntk_gram(mlp, inputs))


def test_a_finished_gram_is_left_as_it_is(mlp, getkey):
    inputs, told = jax.random.normal(getkey(), (6, 4)), []
    whole = ntk_gram(mlp, inputs, keep=told.append, tile=2)
    assert told[-1] == Finished(told[0].order, 6)
    assert np.array_equal(ntk_gram(mlp, inputs, out=whole.copy(), finished=told[-1], tile=2), whole)
