import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest
import scipy
from tolerance import assert_close

from linstudy.tangent import freeze, nads, split, tangent_features


def dense_mixed_derivative(model, points):
    """M by two nested forward derivatives, "parameters dimensions"."""
    parameters, static = split(model)
    flat, unravel = jax.flatten_util.ravel_pytree(parameters)

    def output(theta, x):
        return eqx.combine(unravel(theta), static)(x)

    each = [jax.jacfwd(jax.jacfwd(output, 0), 1)(flat, point) for point in points]
    return np.mean([np.asarray(matrix).reshape(flat.size, -1) for matrix in each], axis=0)


def assert_nads(found, matrix, count, *, rtol=1e-6):
    """The first `count` singular pairs are those of a dense M. Vectors turn by rounding over their gaps."""
    _, singular_values, rows = np.linalg.svd(matrix, full_matrices=True)
    assert_close(found.singular_values[:count], singular_values[:count], rtol=1e-7)  # roots of the eigenvalues of MᵀM
    assert_close(np.abs(np.sum(found.directions[:count] * rows[:count], axis=1)), np.ones(count), rtol=rtol)
    assert_close(found.directions @ found.directions.T, np.eye(len(found.directions)))


@pytest.mark.parametrize(("batch", "budget"), [(3, 2**31), (64, 2**31), (64, 20_000), (64, 0)])
def test_nads_equal_the_dense_svd(conv, getkey, batch, budget):
    """Averaged over points, whatever the batch and the budget: all of them at once, 3, one."""
    points = 0.5 * jax.random.normal(getkey(), (2, 2, 4, 4))
    assert_nads(nads(conv, points, batch=batch, memory_budget=budget), dense_mixed_derivative(conv, points), 4)


def test_m_is_averaged_before_the_product(conv, getkey):
    points = jax.random.normal(getkey(), (2, 2, 4, 4))
    each = [dense_mixed_derivative(conv, points[i : i + 1]) for i in range(2)]
    root_of_mean_square = np.sqrt(np.linalg.eigvalsh(sum(m.T @ m for m in each) / 2)[::-1])
    found = nads(conv, points)
    assert_close(found.singular_values[:4], np.linalg.svd(sum(each) / 2, compute_uv=False)[:4], rtol=1e-7)
    assert found.singular_values[0] < 0.999 * root_of_mean_square[0]


@pytest.mark.parametrize("count", [3, 21])
def test_groups_of_points_that_do_not_fill_a_batch(mlp, getkey, count):
    """Of 4 dimensions, batches of 18 hold 4 points."""
    points = jax.random.normal(getkey(), (count, 4))
    assert_nads(nads(mlp, points, batch=18), dense_mixed_derivative(mlp, points), 4)


def test_a_frozen_batch_norm_is_no_parameter(normed, getkey):
    model, points = freeze(*normed), jax.random.normal(getkey(), (3, 3))
    matrix = np.mean([jax.jacfwd(lambda x: flat_gradient(model, x))(point) for point in points], axis=0)
    assert_nads(nads(model, points), matrix, 3)


def flat_gradient(model, x):
    return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(tangent_features(model, x[None]))])


class Pooled(eqx.Module):
    """Max pooling and two strides: derivatives with transposes of their own."""

    first: eqx.nn.Conv2d
    second: eqx.nn.Conv2d
    pool: eqx.nn.MaxPool2d

    def __init__(self, key):
        keys = jax.random.split(key)
        self.first = eqx.nn.Conv2d(1, 3, 3, stride=2, padding=1, key=keys[0])
        self.second = eqx.nn.Conv2d(3, 1, 2, key=keys[1])
        self.pool = eqx.nn.MaxPool2d(2, 2)

    def __call__(self, x):
        return jnp.mean(jnp.tanh(self.second(self.pool(jax.nn.softplus(self.first(x))))))


def mixed_operator(model, point):
    """M as an operator, by Hessian-vector products of the joint function of parameters and input."""
    parameters, static = split(model)
    flat, unravel = jax.flatten_util.ravel_pytree(parameters)

    def output(theta, x):
        return eqx.combine(unravel(theta), static)(x)

    @jax.jit
    def matvec(v):
        return jax.jvp(lambda x: jax.grad(output)(flat, x), (point,), (v.reshape(point.shape),))[1]

    @jax.jit
    def rmatvec(u):
        return jnp.ravel(jax.jvp(lambda theta: jax.grad(output, 1)(theta, point), (flat,), (u.reshape(-1),))[1])

    shape = (flat.size, point.size)
    return scipy.sparse.linalg.LinearOperator(shape, matvec, rmatvec, dtype=np.float64)


def test_nads_equal_scipys_svds(getkey):
    model, point = Pooled(getkey()), jax.random.normal(getkey(), (1, 8, 8))
    operator = mixed_operator(model, point)
    start = np.random.default_rng(0).standard_normal(min(operator.shape))
    _, singular_values, rows = scipy.sparse.linalg.svds(operator, 3, v0=start)
    found = nads(model, point[None])
    assert_close(found.singular_values[:3], singular_values[::-1], rtol=1e-7)  # roots of the eigenvalues of MᵀM
    assert_close(np.abs(np.sum(found.directions[:3] * rows[::-1], axis=1)), np.ones(3), rtol=1e-6)  # by their gaps


def test_nads_of_a_linear_model_see_every_direction_alike(getkey):
    found = nads(eqx.nn.Linear(3, "scalar", key=getkey()), jnp.zeros((1, 3)))
    assert_close(found.singular_values, np.ones(3))


def test_a_hidden_layer_at_the_origin_in_closed_form(make_mlp, getkey):
    """f = aᵀ tanh(W x): MᵀM = ‖a‖² I + WᵀW."""
    model = make_mlp((5, 7), getkey())
    model = eqx.tree_at(lambda m: [layer.bias for layer in m.layers], model, [jnp.zeros(7), jnp.zeros(1)])
    weight, last = (np.asarray(layer.weight) for layer in model.layers)
    found = nads(model, jnp.zeros((1, 5)))
    squares = np.sum(last**2) + np.linalg.svd(weight, compute_uv=False) ** 2
    assert_close(found.singular_values, np.sqrt(squares))


class Shifted(eqx.Module):
    """A circular convolution and a mean: shifts of the input do not change the output."""

    conv: eqx.nn.Conv2d

    def __call__(self, x):
        return jnp.mean(jnp.tanh(self.conv(x)) ** 2) + jnp.mean(self.conv(x))


def products(found):
    return found.directions.T @ (found.singular_values[:, None] ** 2 * found.directions)


@pytest.mark.parametrize("invariant", [True, False])
def test_a_model_that_ignores_shifts_has_nads_that_do(getkey, invariant):
    """MᵀM at the origin commutes with shifts; with zero padding in place of circular it does not."""
    mode = "CIRCULAR" if invariant else "ZEROS"
    model = Shifted(eqx.nn.Conv2d(1, 3, 3, padding=1, padding_mode=mode, key=getkey()))
    matrix = products(nads(model, jnp.zeros((1, 1, 4, 4)))).reshape(4, 4, 4, 4)
    shifted = np.roll(matrix, (1, 2, 1, 2), axis=(0, 1, 2, 3))
    difference = np.max(np.abs(shifted - matrix)) / np.max(np.abs(matrix))
    assert difference < 1e-12 if invariant else difference > 1e-2


def test_a_float32_model_is_evaluated_in_float64(conv, getkey):
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32) if eqx.is_array(leaf) else leaf, conv)
    double = jax.tree.map(lambda leaf: leaf.astype(jnp.float64) if eqx.is_array(leaf) else leaf, single)
    points = np.asarray(jax.random.normal(getkey(), (1, 2, 4, 4)), np.float32)
    with jax.enable_x64(False):
        found = nads(single, points)
    expected = nads(double, points)
    assert found.singular_values.dtype == np.float64
    assert_close(found.singular_values**2, expected.singular_values**2)
    assert_close(products(found), products(expected))


def test_a_smaller_budget_takes_smaller_batches(conv):
    fractions = {budget: [] for budget in (0, 20_000, 2**31)}
    for budget, seen in fractions.items():
        nads(conv, jnp.ones((1, 2, 4, 4)), memory_budget=budget, progress=seen.append)
        assert seen[-1] == 1
        assert_close(np.diff([0, *seen]), np.full(len(seen), 1 / len(seen)))
    one, some, every = (len(seen) for seen in fractions.values())
    assert (one, every) == (64, 2)  # 32 directions, each in two steps
    assert every < some < one


def test_progress_can_stop_the_work(conv):
    seen = []

    def stop(fraction):
        seen.append(fraction)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nads(conv, jnp.ones((1, 2, 4, 4)), batch=4, progress=stop)
    assert seen == [1 / 16]


def test_zero_mixed_derivative_is_rejected(make_mlp, getkey):
    model = make_mlp((3, 8), getkey(), jax.nn.relu)
    model = eqx.tree_at(lambda m: [layer.bias for layer in m.layers], model, [jnp.zeros(8), jnp.zeros(1)])
    with pytest.raises(ValueError, match="zero at these 1 points.*GELU"):
        nads(model, jnp.zeros((1, 3)))


def test_a_derivative_that_is_not_finite_is_rejected(mlp):
    model = eqx.tree_at(lambda m: m.layers[0].weight, mlp, jnp.full((6, 4), jnp.nan))
    with pytest.raises(ValueError, match="not finite at these points"):
        nads(model, jnp.ones((1, 4)))


def test_a_vector_output_is_rejected(getkey):
    with pytest.raises(ValueError, match="logits"):
        nads(eqx.nn.Linear(3, 2, key=getkey()), jnp.zeros((1, 3)))


def test_no_points_are_rejected(mlp):
    with pytest.raises(ValueError, match="at least one point"):
        nads(mlp, jnp.zeros((0, 4)))


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
