import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest
from tolerance import assert_close

from linstudy.tangent import nads, split, tangent_features


def dense_mixed_derivative(model, points):
    """M by two nested forward derivatives, "parameters dimensions"."""
    parameters, static = split(model)
    flat, unravel = jax.flatten_util.ravel_pytree(parameters)

    def output(theta, x):
        return eqx.combine(unravel(theta), static)(x)

    each = [jax.jacfwd(jax.jacfwd(output, 0), 1)(flat, point) for point in points]
    return np.mean([np.asarray(matrix).reshape(flat.size, -1) for matrix in each], axis=0)


@pytest.mark.parametrize("budget", [0, 2000, 2**31])
@pytest.mark.parametrize("batch", [3, 64])
def test_nads_equal_the_dense_svd(conv, getkey, budget, batch):
    points = 0.5 * jax.random.normal(getkey(), (2, 2, 4, 4))
    if budget == 0:
        conv, points = eqx.tree_at(lambda m: m.conv.weight, conv, conv.conv.weight), points[:1]
    found = nads(conv, points, batch=batch, memory_budget=max(budget, 4000))
    _, singular_values, rows = np.linalg.svd(dense_mixed_derivative(conv, points), full_matrices=True)
    assert_close(found.singular_values[:8], singular_values[:8], rtol=1e-7)  # roots of the eigenvalues of MᵀM
    assert_close(np.abs(np.sum(found.directions[:4] * rows[:4], axis=1)), np.ones(4), rtol=1e-6)  # by their gaps
    assert_close(found.directions @ found.directions.T, np.eye(32))


def test_nads_of_a_linear_model_see_every_direction_alike(getkey):
    found = nads(eqx.nn.Linear(3, "scalar", key=getkey()), jnp.zeros((1, 3)))
    assert_close(found.singular_values, np.ones(3))


def test_zero_mixed_derivative_is_rejected(make_mlp, getkey):
    model = make_mlp((3, 8), getkey(), jax.nn.relu)
    model = eqx.tree_at(lambda m: [layer.bias for layer in m.layers], model, [jnp.zeros(8), jnp.zeros(1)])
    with pytest.raises(ValueError, match="zero at these 1 points.*GELU"):
        nads(model, jnp.zeros((1, 3)))


def gauss_hermite(order):
    """Points and weights for N(0, I) in two dimensions."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(order)
    points = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 2)
    products = np.outer(weights, weights).ravel()
    return points, products / products.sum()


@pytest.fixture
def network(make_mlp, getkey):
    return make_mlp((2, 4), getkey())


@pytest.fixture
def exact(network):
    """σ_j² and v_j of M = E ∇²_{θ,x} f over N(0, I), by quadrature."""
    points, weights = gauss_hermite(40)
    parameters, static = split(network)
    flat, unravel = jax.flatten_util.ravel_pytree(parameters)
    mixed = jax.jacfwd(jax.grad(lambda theta, x: eqx.combine(unravel(theta), static)(x)), 1)
    mean = np.tensordot(weights, np.asarray(jax.vmap(lambda x: mixed(flat, x))(jnp.asarray(points))), 1)
    _, singular_values, rows = np.linalg.svd(mean, full_matrices=False)
    return singular_values**2, rows


def pair_estimates(model, direction, key, groups, samples):
    """Of each group of samples: the mean of y Θ y' over pairs i != j, and over all pairs."""
    inputs = jax.random.normal(key, (groups * samples, 2))
    leaves = jax.tree.leaves(tangent_features(model, inputs))
    features = np.concatenate([np.asarray(leaf).reshape(len(inputs), -1) for leaf in leaves], axis=1)
    weighted = (np.asarray(inputs) @ direction)[:, None] * features
    weighted = weighted.reshape(groups, samples, -1)
    every = np.sum(np.sum(weighted, axis=1) ** 2, axis=1)
    own = np.sum(weighted**2, axis=(1, 2))
    return (every - own) / (samples * (samples - 1)), every / samples**2


def standard_scores(estimates, expected):
    return (np.mean(estimates) - expected) / (np.std(estimates, ddof=1) / np.sqrt(len(estimates)))


@pytest.mark.parametrize("index", [0, 1])
def test_theorem_1_by_monte_carlo_over_pairs(network, exact, getkey, index):
    squares, rows = exact
    pairs, _ = pair_estimates(network, rows[index], getkey(), groups=400, samples=100)
    # Five standard errors: a false alarm in two million draws.
    assert abs(standard_scores(pairs, squares[index])) < 5


@pytest.mark.parametrize("index", [0, 1])
def test_the_plain_estimate_with_its_own_pairs_is_biased(network, exact, getkey, index):
    squares, rows = exact
    _, plain = pair_estimates(network, rows[index], getkey(), groups=400, samples=10)
    assert standard_scores(plain, squares[index]) > 5


def test_theorem_1_fails_for_the_wrong_direction(network, exact, getkey):
    """The estimate can tell: the second direction does not have the first one's σ²."""
    squares, rows = exact
    pairs, _ = pair_estimates(network, rows[1], getkey(), groups=400, samples=100)
    assert abs(standard_scores(pairs, squares[0])) > 5


def test_nads_over_gaussian_points_approach_the_quadrature(network, exact, getkey):
    found = nads(network, jax.random.normal(getkey(), (20_000, 2)))
    assert_close(found.singular_values**2, exact[0], rtol=0.05)  # 20,000 draws: 1 % standard error, five of them
