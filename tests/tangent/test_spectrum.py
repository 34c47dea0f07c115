import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerance import assert_close

from linstudy.tangent import binarize, ntk_gram, spectrum
from linstudy.tangent.spectrum import rotations


@pytest.fixture
def gram(seed):
    features = np.random.default_rng(seed).standard_normal((40, 60))
    return features @ features.T


def test_eigenpairs_rebuild_the_gram(gram):
    found = spectrum(gram)
    assert_close((found.eigenvectors.T * found.eigenvalues) @ found.eigenvectors, gram)
    assert_close(found.eigenvectors @ found.eigenvectors.T, np.eye(40))
    assert np.all(np.diff(found.eigenvalues) <= 0)
    assert np.max(found.residuals) < 1e-13


def test_spectrum_of_a_diagonal_gram():
    found = spectrum(np.diag([1.0, 4.0, 2.0]))
    assert_close(found.eigenvalues, np.array([4.0, 2.0, 1.0]))
    assert_close(found.eigenvectors, np.eye(3)[[1, 2, 0]])
    assert_close(found.gaps, np.array([0.5, 0.5, 1.0]))


@pytest.mark.parametrize("top", [1, 5, 38])
def test_lanczos_equals_the_full_decomposition(gram, top):
    full, leading = spectrum(gram, top), spectrum(gram, top, full_limit=10)
    assert full.complete
    assert not leading.complete
    assert_close(leading.eigenvalues, full.eigenvalues)
    assert_close(leading.eigenvectors, full.eigenvectors)
    assert_close(leading.gaps, full.gaps)


def test_a_full_decomposition_keeps_all_eigenvalues_and_top_eigenvectors(gram):
    found = spectrum(gram, 3)
    assert found.eigenvectors.shape == (3, 40)
    assert_close(found.all_eigenvalues, np.linalg.eigvalsh(gram)[::-1])


def test_lanczos_gives_the_same_bits_twice(gram):
    first, second = (spectrum(gram, 5, full_limit=10) for _ in range(2))
    assert np.array_equal(first.eigenvectors, second.eigenvectors)


def test_the_largest_entry_of_an_eigenvector_is_positive(gram):
    vectors = spectrum(gram).eigenvectors
    assert np.all(vectors[np.arange(40), np.argmax(np.abs(vectors), axis=1)] > 0)


def test_a_float32_gram_is_decomposed_in_float64(gram):
    found = spectrum(gram.astype(np.float32))
    assert found.eigenvectors.dtype == np.float64
    assert np.max(found.residuals) < 1e-13


def test_a_null_eigenvalue_has_gap_0_and_the_zero_gram_works():
    assert np.array_equal(spectrum(np.zeros((3, 3))).gaps, np.zeros(3))


def test_binarize_takes_0_for_plus_1():
    assert np.array_equal(binarize(np.array([-0.1, 0.0, -0.0, 2.0])), [-1.0, 1.0, 1.0, 1.0])


def test_binarize_keeps_the_dtype():
    assert binarize(np.zeros(2, np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    ("matrix", "top", "words"),
    [
        (np.ones((3, 2)), None, "3 by 2.*without `others`"),
        (np.array([[1.0, 2.0], [0.0, 1.0]]), None, "not symmetric"),
        (np.full((2, 2), np.nan), None, "not finite"),
        (np.eye(3), 4, "allowed are 1 to 3"),
        (np.eye(3), 0, "allowed are 1 to 3"),
    ],
)
def test_what_has_no_spectrum_is_rejected(matrix, top, words):
    with pytest.raises(ValueError, match=words):
        spectrum(matrix, top)


def test_all_eigenpairs_of_a_large_gram_are_rejected(gram):
    with pytest.raises(ValueError, match="give `top`"):
        spectrum(gram, full_limit=10)


def test_rotations_in_closed_form():
    """Eigenvalues 1 apart, a perturbation ε λ₁ / m off the diagonal: turns by that. Null spaces turn freely."""
    found = rotations(np.array([4.0, 3.0, 0.0]), np.array([0.25, 1 / 3, 0.0]), np.zeros(3), samples=2, rounding=1e-6)
    assert_close(found, np.array([2e-6, 2e-6, np.pi / 2]))
    turned = np.linalg.eigh(np.diag([3.0, 4.0]) + 2e-6 * np.array([[0, 1], [1, 0]]))[1]
    assert_close(np.abs(turned[0, 1]), found[0], rtol=1e-5)  # first order
    unsolved = rotations(np.array([4.0]), np.array([0.25]), np.array([1e-3]), samples=2, rounding=0.0)
    assert_close(unsolved, np.array([4e-3]))
    # A residual is orthogonal to all that is kept: the first turns towards what is at least as far as the last.
    kept = rotations(np.array([4.0, 3.9, 1.0]), np.full(3, 0.025), np.full(3, 1e-3), samples=2, rounding=0.0)
    assert_close(kept, 4e-3 / np.array([3.0, 2.9, 0.025]))


def test_rotations_tell_how_far_float32_turns_the_eigenvectors_of_a_network(make_mlp, getkey):
    model, inputs = make_mlp((6, 30, 30, 30), getkey(), jax.nn.relu), jax.random.normal(getkey(), (60, 6))
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32) if eqx.is_array(leaf) else leaf, model)
    double = jax.tree.map(lambda leaf: leaf.astype(jnp.float64) if eqx.is_array(leaf) else leaf, single)
    inputs = inputs.astype(jnp.float32)
    found, exact = spectrum(ntk_gram(single, inputs)), spectrum(ntk_gram(double, inputs.astype(jnp.float64)))
    expected = rotations(found.eigenvalues, found.gaps, found.residuals, samples=60, rounding=2.0**-23)
    cosines = np.sum(found.eigenvectors * exact.eigenvectors, axis=1, keepdims=True)
    turned = np.linalg.norm(found.eigenvectors - np.sign(cosines) * exact.eigenvectors, axis=1)
    assert np.max(turned / (expected + 1e-6)) < 5
    assert 0.2 < np.median(turned / expected) < 5
