import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerance import assert_close

from linstudy.models import layers
from linstudy.models.layers import ACTIVATIONS, BATCH_AXIS, BatchNorm, conv, lecun_normal, linear, named_key

MOMENTUM, EPSILON = 0.9, 1e-5


def truncated_normal_fraction_within_one_deviation():
    """P(|x| < s) of a normal cut at ±2σ, s its own deviation: 0.8796 σ."""
    from scipy.stats import truncnorm

    law = truncnorm(-2, 2)
    return law.cdf(law.std()) - law.cdf(-law.std())


@pytest.mark.parametrize(("shape", "fan_in"), [((300, 400), 400), ((64, 32, 5, 5), 800), ((1, 90_000), 90_000)])
def test_weights_follow_a_truncated_normal_of_variance_one_over_fan_in(getkey, shape, fan_in):
    draws = np.asarray(lecun_normal(shape, getkey())) * np.sqrt(fan_in)
    # four standard errors of a variance and of a mean over that many draws
    bound = 4 / np.sqrt(draws.size)
    assert abs(draws.var() - 1) < 1.5 * bound
    assert abs(draws.mean()) < bound
    assert np.abs(draws).max() < 2 / 0.87962566103423978 + 1e-5
    inside = np.mean(np.abs(draws) < 1)
    assert abs(inside - truncated_normal_fraction_within_one_deviation()) < bound
    assert abs(inside - 0.6827) > bound, "an untruncated normal would pass too"


@pytest.mark.parametrize("shape", [(6, 1, 5, 5), (1, 84), (120, 1024), (32, 32, 4, 4), (16, 1025)])
def test_weights_are_jax_s_own_draws(getkey, shape):
    drawn = jax.nn.initializers.lecun_normal(in_axis=1, out_axis=0)(key := getkey(), shape, jnp.float32)
    assert_close(lecun_normal(shape, key), drawn, rtol=1e-6)  # equal on a CPU


def test_networks_of_many_widths_share_the_program_that_draws(getkey):
    layers._draws.clear_cache()
    for width in range(10, 60):
        lecun_normal((width, 2 * width), getkey())
    assert layers._draws._cache_size() == 1


def test_the_default_initialization_of_equinox_has_a_third_of_the_variance(getkey):
    draws = np.asarray(eqx.nn.Linear(400, 300, key=getkey()).weight) * 20
    assert abs(draws.var() - 1 / 3) < 0.01


def test_the_same_seed_draws_the_same_weights_in_both_precisions():
    drawn = {}
    for double in (False, True):
        with jax.enable_x64(double):
            drawn[double] = np.asarray(lecun_normal((20, 30), named_key(3, "initialization")))
    assert drawn[False].dtype == np.float32
    assert drawn[True].dtype == np.float64
    assert np.array_equal(drawn[False].astype(np.float64), drawn[True])


@pytest.mark.parametrize("layer", [linear(7, 3, jax.random.PRNGKey(0)), conv(2, 3, 5, jax.random.PRNGKey(0))])
def test_biases_start_at_zero(layer):
    assert not np.asarray(layer.bias).any()
    assert np.asarray(layer.weight).all()


def test_keys_of_two_names_and_of_two_seeds_differ():
    keys = {tuple(np.asarray(named_key(seed, name))) for seed in (0, 1, 2**32 - 1) for name in ("batches", "other")}
    assert len(keys) == 6


def test_gelu_is_the_tanh_approximation():
    x = np.linspace(-3, 3, 41)
    tanh = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    assert_close(ACTIVATIONS["gelu"](jnp.asarray(x)), tanh)
    assert np.abs(np.asarray(jax.nn.gelu(jnp.asarray(x), approximate=False)) - tanh).max() > 1e-4


class NumpyBatchNorm:
    """Two lines a step: normalize by the batch, move the running statistics a tenth of the way."""

    def __init__(self, channels):
        self.mean, self.variance = np.zeros(channels), np.ones(channels)

    def train(self, batch):
        mean, variance = batch.mean((0, 2, 3)), batch.var((0, 2, 3))
        self.mean = MOMENTUM * self.mean + (1 - MOMENTUM) * mean
        self.variance = MOMENTUM * self.variance + (1 - MOMENTUM) * variance
        return normalized(batch, mean, variance)

    def evaluate(self, batch):
        return normalized(batch, self.mean, self.variance)


def normalized(batch, mean, variance):
    return (batch - mean[:, None, None]) / np.sqrt(variance + EPSILON)[:, None, None]


def over_batch(norm, batch, state):
    return jax.vmap(norm, in_axes=(0, None), out_axes=(0, None), axis_name=BATCH_AXIS)(batch, state)


def batches(count, channels=3):
    generator = np.random.default_rng(0)
    offset = generator.normal(2, 3, (channels, 1, 1))
    return [offset + generator.normal(0, 2, (5, channels, 4, 6)) for _ in range(count)]


def test_batch_norm_equals_the_numpy_oracle_in_training_and_in_inference():
    norm, state = eqx.nn.make_with_state(BatchNorm)(3)
    oracle = NumpyBatchNorm(3)
    for batch in batches(6):
        frozen, _ = over_batch(eqx.nn.inference_mode(norm), jnp.asarray(batch), state)
        assert_close(frozen, oracle.evaluate(batch))
        trained, state = over_batch(norm, jnp.asarray(batch), state)
        assert_close(trained, oracle.train(batch))
        for ours, theirs in zip(state.get(norm.running), (oracle.mean, oracle.variance), strict=True):
            assert_close(ours, theirs)


def test_scale_and_shift_act_after_normalization():
    norm, state = eqx.nn.make_with_state(BatchNorm)(3)
    (batch,) = batches(1)
    plain, _ = over_batch(norm, jnp.asarray(batch), state)
    scale, shift = jnp.asarray([2.0, -1.0, 0.5]), jnp.asarray([1.0, 0.0, -3.0])
    changed = eqx.tree_at(lambda node: (node.scale, node.shift), norm, (scale, shift))
    moved, _ = over_batch(changed, jnp.asarray(batch), state)
    assert_close(moved, np.asarray(plain) * np.asarray(scale)[:, None, None] + np.asarray(shift)[:, None, None])


def test_inference_does_not_change_the_statistics():
    norm, state = eqx.nn.make_with_state(BatchNorm)(3)
    _, state = over_batch(norm, jnp.asarray(batches(1)[0]), state)
    before = [np.asarray(array) for array in state.get(norm.running)]
    _, state = over_batch(eqx.nn.inference_mode(norm), jnp.asarray(batches(2)[1]), state)
    assert all(np.array_equal(a, b) for a, b in zip(before, state.get(norm.running), strict=True))


def test_samples_are_independent_in_inference_and_not_in_training():
    norm, state = eqx.nn.make_with_state(BatchNorm)(3)

    def cross_gradient(norm):
        batch = jnp.asarray(batches(1)[0])
        return jax.grad(lambda x: jnp.sum(over_batch(norm, x, state)[0][0] ** 3))(batch)[1:]

    assert not np.asarray(cross_gradient(eqx.nn.inference_mode(norm))).any()
    assert np.abs(np.asarray(cross_gradient(norm))).max() > 1e-3


def test_the_batch_norm_of_equinox_starts_with_ten_times_the_variance():
    batch = batches(1)[0]
    batch = (batch - batch.mean((0, 2, 3))[:, None, None]) / batch.std((0, 2, 3))[:, None, None]
    make = eqx.nn.make_with_state(eqx.nn.BatchNorm)
    norm, state = make(3, BATCH_AXIS, mode="batch", momentum=MOMENTUM, eps=EPSILON)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        _, state = over_batch(norm, jnp.asarray(batch), state)
        frozen, _ = over_batch(eqx.nn.inference_mode(norm), jnp.asarray(batch), state)
    ours, state = eqx.nn.make_with_state(BatchNorm)(3)
    _, state = over_batch(ours, jnp.asarray(batch), state)
    right, _ = over_batch(eqx.nn.inference_mode(ours), jnp.asarray(batch), state)
    assert_close(np.var(right), 1.0, rtol=0.02)
    assert_close(np.var(frozen), 0.1, rtol=0.02)
