import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tolerance import assert_close

from linstudy.tangent import (
    alignment,
    energy_concentration,
    generalization_bound,
    matrix_free_alignment,
    ntk_gram,
    rkhs_norm,
    rkhs_norm_bound,
    spectrum,
)
from linstudy.tangent.alignment import tiles_are_cheaper
from linstudy.tangent.features import feature_bytes


@pytest.fixture
def inputs(getkey):
    return np.asarray(jax.random.normal(getkey(), (12, 4)))


@pytest.fixture
def gram(mlp, inputs):
    return ntk_gram(mlp, inputs)


@pytest.fixture
def target(seed):
    return np.random.default_rng(seed).choice([-1.0, 1.0], 12)


def test_alignment_of_an_eigenvector_is_its_eigenvalue(gram):
    found = spectrum(gram)
    measured = [alignment(gram, vector) for vector in found.eigenvectors]
    assert_close(measured, found.eigenvalues)


@pytest.mark.parametrize("tiles", [False, True])
def test_matrix_free_alignment_of_the_eigenvectors_is_their_eigenvalues(mlp, inputs, gram, tiles):
    found = spectrum(gram)
    assert_close(matrix_free_alignment(mlp, inputs, found.eigenvectors, tiles=tiles), found.eigenvalues)


@pytest.mark.parametrize("batch", [1, 5, 12, 50])
@pytest.mark.parametrize("features_in_budget", [0, 4, 1000])
def test_matrix_free_alignment_equals_the_gram_s(mlp, inputs, gram, target, batch, features_in_budget):
    targets = np.stack([target, np.arange(12.0), 3 * target])
    budget = features_in_budget * feature_bytes(mlp)
    measured = matrix_free_alignment(mlp, inputs, targets, tiles=False, batch=batch, memory_budget=budget)
    assert_close(measured, [alignment(gram, row) for row in targets])


@pytest.mark.parametrize("network", ["mlp", "conv"])
@pytest.mark.parametrize("tiles", [False, True, None])
def test_both_ways_equal_explicit_jacobians(request, dense_jacobian, getkey, network, tiles):
    model, shape = request.getfixturevalue(network), {"mlp": (9, 4), "conv": (9, 2, 4, 4)}[network]
    inputs, targets = jax.random.normal(getkey(), shape), np.asarray(jax.random.normal(getkey(), (20, 9)))
    products = targets @ np.asarray(dense_jacobian(model, inputs))
    expected = np.sum(products**2, axis=1) / np.sum(targets**2, axis=1)
    seen, chose = [], []
    found = matrix_free_alignment(model, inputs, targets, tiles=tiles, progress=seen.append, chose=chose.append)
    assert_close(found, expected)
    assert chose == ["explicit gradients" if tiles is False else "tiles of the Gram"]
    assert seen[-1] == 1


def test_small_alignments_in_float32_lose_the_rounding_of_the_gram_by_tiles_alone(make_mlp, getkey):
    model, inputs = make_mlp((6, 40), getkey()), np.asarray(jax.random.normal(getkey(), (200, 6)))
    found = spectrum(ntk_gram(model, inputs), 100)
    values = found.eigenvalues
    assert values[-1] < 1e-4 * values[0]
    with jax.enable_x64(False):
        single = jax.tree.map(lambda leaf: leaf.astype(np.float32) if eqx.is_inexact_array(leaf) else leaf, model)
        gradients, tiles = (
            matrix_free_alignment(single, inputs.astype(np.float32), found.eigenvectors, tiles=tiles)
            for tiles in (False, True)
        )
    assert np.max(np.abs(gradients / values - 1)) < 1e-5
    assert np.max(np.abs(tiles - values) - 1e-6 * values) < 5e-9 * values[0]


def test_the_way_of_fewer_operations_is_taken(mlp, inputs):
    """71 parameters, 213 multiply-adds of a gradient, factors of 29 numbers: with 12 samples tiles pay from 4 on."""
    assert [tiles_are_cheaper(mlp, inputs, targets) for targets in (1, 3, 4, 1000)] == [False, False, True, True]
    many = np.concatenate([inputs] * 20)
    assert [tiles_are_cheaper(mlp, many, targets) for targets in (1, 60, 1000)] == [False, False, False]
    one_target_a_chunk = 2 * feature_bytes(mlp)
    assert tiles_are_cheaper(mlp, inputs, 2, memory_budget=one_target_a_chunk)


def test_products_below_float32_take_gradients(mlp, inputs):
    with jax.default_matmul_precision("tensorfloat32"):
        assert not tiles_are_cheaper(mlp, inputs, 1000)


class Repeating(eqx.Module):
    """A layer called twice, which only its first batch shows to have no factors."""

    layer: eqx.nn.Linear

    def __call__(self, x):
        return jnp.sum(self.layer(jnp.tanh(self.layer(x))))


def test_a_model_whose_factors_are_wrong_takes_gradients(inputs, getkey):
    model = Repeating(eqx.nn.Linear(4, 4, key=getkey()))
    assert not tiles_are_cheaper(model, inputs, 6)
    assert tiles_are_cheaper(model, inputs, 1000), "even of gradients: half the samples are fewer than the targets"


def test_matrix_free_alignment_reports_progress(mlp, inputs, target):
    seen = []
    matrix_free_alignment(mlp, inputs, target[None], tiles=False, batch=5, progress=seen.append)
    assert_close(seen, [1 / 3, 2 / 3, 1.0])


def test_alignment_is_bounded_by_the_extreme_eigenvalues(gram, target):
    values = spectrum(gram).eigenvalues
    assert values[-1] < alignment(gram, target) < values[0]


@given(scale=st.floats(1e-3, 1e3), negative=st.booleans())
def test_alignment_does_not_depend_on_scale(scale, negative):
    matrix, values = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([1.0, -0.5])
    assert_close(alignment(matrix, values * (-scale if negative else scale)), alignment(matrix, values))


def test_energy_concentration_is_a_ratio_of_norms_not_of_squares():
    assert_close(energy_concentration(np.eye(4)[:1], np.ones(4)), 0.5)


def test_energy_concentration_grows_to_1(gram, target):
    vectors = spectrum(gram).eigenvectors
    shares = [energy_concentration(vectors[:top], target) for top in range(1, 13)]
    assert np.all(np.diff(shares) >= 0)
    assert_close(shares[-1], 1.0)


def test_rkhs_norm_equals_the_solved_system(gram, target):
    found = rkhs_norm(spectrum(gram), target, cutoff=0.0)
    assert_close(found.value, target @ np.linalg.solve(gram, target), rtol=1e-8)  # condition number of the Gram
    assert found.remainder == 0


def test_the_cutoff_leaves_out_what_it_reports():
    found = rkhs_norm(spectrum(np.diag([1.0, 0.5, 1e-9])), np.ones(3), cutoff=1e-6)
    assert_close(found.value, 1 + 2.0)
    assert_close(found.remainder, 1 / 3)


def test_lemma_1_bounds_the_rkhs_norm(gram, target):
    bound = rkhs_norm_bound(gram, target)
    assert bound < rkhs_norm(spectrum(gram), target, cutoff=0.0).value
    assert_close(rkhs_norm_bound(spectrum(gram), target), bound)


def test_lemma_1_is_tight_for_an_eigenvector(gram):
    found = spectrum(gram)
    vector = 7 * found.eigenvectors[3]
    assert_close(rkhs_norm_bound(gram, vector), rkhs_norm(found, vector, cutoff=0.0).value)


def test_lemma_1_with_the_unnormalised_alignment_is_no_bound(gram):
    """With the paper's α = yᵀΘy, ‖y‖²/α would exceed the norm for a short target."""
    found, short = spectrum(gram), 0.1 * spectrum(gram).eigenvectors[0]
    assert short @ short / (short @ gram @ short) > rkhs_norm(found, short).value


def test_generalization_bound_of_the_identity():
    assert_close(generalization_bound(2 * np.eye(4), 8.0), np.sqrt(8 * 2 / 4))


def test_rkhs_norm_of_a_partial_spectrum_is_rejected(gram, target):
    with pytest.raises(ValueError, match="5 of 12 eigenvectors.*lower bound"):
        rkhs_norm(spectrum(gram, 5), target)


@pytest.mark.parametrize("measure", [alignment, lambda g, y: energy_concentration(spectrum(g).eigenvectors, y)])
def test_a_zero_target_is_rejected(gram, measure):
    with pytest.raises(ValueError, match="target is zero"):
        measure(gram, np.zeros(12))


def test_one_zero_row_of_targets_is_rejected(mlp, inputs, target):
    with pytest.raises(ValueError, match="target is zero"):
        matrix_free_alignment(mlp, inputs, np.stack([target, np.zeros(12)]))


@pytest.fixture
def duplicates(gram):
    """A Gram of 24 samples, each of the 12 twice, and opposite labels of the two."""
    return np.tile(gram, (2, 2)), np.repeat([1.0, -1.0], 12)


def test_labels_without_a_part_above_the_cutoff_have_norm_0_and_remainder_1(duplicates):
    gram, labels = duplicates
    norm = rkhs_norm(spectrum(gram), labels)
    assert_close(norm.value, 0.0)
    assert_close(norm.remainder, 1.0)
    assert rkhs_norm_bound(gram, labels) == rkhs_norm_bound(spectrum(gram), labels) == np.inf
    assert_close(generalization_bound(gram, norm.value), 0.0)
    mixed = labels + np.tile(spectrum(gram[:12, :12]).eigenvectors[0], 2)
    assert 0 < rkhs_norm(spectrum(gram), mixed).remainder < 1
    assert np.isfinite(rkhs_norm_bound(gram, mixed))


@pytest.mark.filterwarnings("error")
def test_the_zero_gram_has_norm_0_and_remainder_1(target):
    zero = np.zeros((12, 12))
    norm = rkhs_norm(spectrum(zero), target)
    assert norm.value == 0
    assert_close(norm.remainder, 1.0)
    assert rkhs_norm_bound(zero, target) == rkhs_norm_bound(spectrum(zero), target) == np.inf
    assert generalization_bound(zero, norm.value) == 0
    assert alignment(zero, target) == 0
