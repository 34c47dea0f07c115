import jax
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


def test_matrix_free_alignment_of_the_eigenvectors_is_their_eigenvalues(mlp, inputs, gram):
    found = spectrum(gram)
    assert_close(matrix_free_alignment(mlp, inputs, found.eigenvectors), found.eigenvalues)


@pytest.mark.parametrize("batch", [1, 5, 12, 50])
@pytest.mark.parametrize("features_in_budget", [0, 4, 1000])
def test_matrix_free_alignment_equals_the_gram_s(mlp, inputs, gram, target, batch, features_in_budget):
    targets = np.stack([target, np.arange(12.0), 3 * target])
    budget = features_in_budget * feature_bytes(mlp)
    measured = matrix_free_alignment(mlp, inputs, targets, batch=batch, memory_budget=budget)
    assert_close(measured, [alignment(gram, row) for row in targets])


def test_matrix_free_alignment_reports_progress(mlp, inputs, target):
    seen = []
    matrix_free_alignment(mlp, inputs, target[None], batch=5, progress=seen.append)
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
