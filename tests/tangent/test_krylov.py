"""Leading eigenpairs by block Krylov subspaces, against dense float64 `eigh`."""

import importlib
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st
from tolerance import assert_close

from linstudy.tangent import GramOperator, NotConverged, correction, krylov, ntk_gram, spectrum, symmetric
from linstudy.tangent.krylov import leading

spectrum_module = importlib.import_module("linstudy.tangent.spectrum")

TOP = 200


def relu_gram(samples, seed, dtype=np.float64):
    """The tangent kernel of a network of 128 ReLU units at inputs of 24 decaying coordinates, in closed form."""
    draw = np.random.default_rng(seed).standard_normal
    drawn = draw((samples, 24)) * np.arange(1, 25) ** -0.75, draw((24, 128)), draw(128)
    inputs, weights, readout = (each.astype(dtype) for each in drawn)
    before = inputs @ weights
    after, slopes = np.maximum(before, 0), np.where(before > 0, readout, dtype(0))
    return ((inputs @ inputs.T) * (slopes @ slopes.T) + after @ after.T) / 128


def dense(gram, count):
    """The oracle: eigenvalues, decreasing, and eigenvectors, one a row."""
    values, vectors = scipy.linalg.eigh(gram, subset_by_index=[len(gram) - count, len(gram) - 1])
    return values[::-1], vectors.T[::-1]


def rotated(values, seed):
    """A Gram of given eigenvalues, in any order, and the eigenvectors, one a row."""
    vectors = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))[0].T
    gram = (vectors.T * values) @ vectors
    return (gram + gram.T) / 2, vectors


def sines(found, exact, values):
    """Of the largest angle between the spans of all eigenvectors that no relative gap above 1e-3 divides."""
    gaps = -np.diff(values) / values[:-1]
    groups = np.split(np.arange(len(found)), np.flatnonzero(gaps[: len(found) - 1] > 1e-3) + 1)
    if gaps[len(found) - 1] <= 1e-3:
        groups.pop()
    pairs = [(found[group], exact[group]) for group in groups]
    return np.array([np.linalg.norm(ours - ours @ theirs.T @ theirs, 2) for ours, theirs in pairs])


class Products:
    """An operator: a matrix that counts its products, and does something to them."""

    def __init__(self, matrix, spoil=lambda image: image):
        self._matrix, self._spoil = matrix, spoil
        self.shape, self.dtype = matrix.shape, matrix.dtype
        self.columns = []

    def __matmul__(self, vectors):
        self.columns.append(vectors.shape[1])
        return self._spoil(self._matrix @ vectors)


@pytest.fixture
def restarts(monkeypatch):
    """The sizes of the basis at every restart."""
    seen, restart = [], krylov.Subspace.restart

    def counted(space, values, coordinates):
        seen.append(space.size)
        restart(space, values, coordinates)

    monkeypatch.setattr(krylov.Subspace, "restart", counted)
    return seen


@pytest.fixture(scope="module")
def large(request):
    gram = relu_gram(3000, request.config.test_seed)
    return gram, *dense(gram, TOP + 1)


@pytest.fixture(scope="module")
def small(request):
    gram = relu_gram(500, request.config.test_seed)
    return gram, *dense(gram, 41)


# Against the dense decomposition


# What the rounding of the entries leaves; asked for are 1e-5, of λ_j in float64 and of λ_1 in float32.
@pytest.mark.parametrize(("dtype", "bound"), [(np.float64, 1e-11), (np.float32, 1e-5)])
def test_eigenvalues_subspaces_residuals_and_gaps_of_3000_samples(large, dtype, bound):
    exact, values, vectors = large
    gram = exact.astype(dtype)
    found = spectrum(gram, TOP)
    assert not found.complete
    assert np.max(np.abs(found.eigenvalues / values[:TOP] - 1)) < bound
    assert np.max(np.abs(found.eigenvalues - values[:TOP])) < (1e-13 if dtype == np.float64 else 1e-8) * values[0]
    angles = sines(found.eigenvectors, vectors, values)
    assert len(angles) > 100
    assert np.max(angles) < 1e-4
    errors = gram.astype(np.float64) @ found.eigenvectors.T - found.eigenvectors.T * found.eigenvalues
    ratios = found.residuals * values[0] / np.linalg.norm(errors, axis=0)
    assert np.max(np.abs(ratios - 1)) < (1e-3 if dtype == np.float64 else 0.4)  # those in float32 are drawn
    assert abs(np.mean(ratios) - 1) < 0.1
    own = 2.0**-23 / np.sqrt(3000) if dtype == np.float32 else 0.0
    assert np.all(found.residuals < np.maximum(5 * 3e-8 * found.eigenvalues / values[0], own))
    steps = values[:-1] - values[1:]
    nearest = np.minimum(steps, np.concatenate([[np.inf], steps[:-1]])) / values[:TOP]
    assert np.max(np.abs(found.gaps - nearest)) < bound


def test_the_eigenvectors_are_orthonormal(large):
    vectors = spectrum(large[0], 30).eigenvectors
    assert np.max(np.abs(vectors @ vectors.T - np.eye(30))) < 1e-12


def test_a_short_basis_restarts_and_finds_the_same(small, restarts, monkeypatch):
    monkeypatch.setattr(krylov, "_CHUNK", 64)
    gram, values, vectors = small
    found = spectrum(gram, 40, full_limit=10, memory_budget=8 * 500 * (41 + 4 * 32))
    assert len(restarts) > 2
    assert max(restarts) <= 41 + 4 * 32
    assert_close(found.eigenvalues, values[:40])
    assert np.max(sines(found.eigenvectors, vectors, values)) < 1e-4
    restarts.clear()
    assert_close(spectrum(gram, 40, full_limit=10).eigenvalues, values[:40])
    assert not restarts


@pytest.mark.parametrize("budget", [2**30, 8 * 500 * 169])
def test_the_same_bits_come_out_twice(small, budget):
    first, second = (spectrum(small[0], 40, full_limit=10, memory_budget=budget) for _ in range(2))
    assert np.array_equal(first.eigenvalues, second.eigenvalues)
    assert np.array_equal(first.eigenvectors, second.eigenvectors)


# A Gram in float32: searched in float32, corrected in float64


def moved(found, exact):
    """By how much each vector is turned, and the number of labels that this changes."""
    turned = exact * np.sign(np.sum(found * exact, axis=1, keepdims=True))
    return np.linalg.norm(found - turned, axis=1), np.sum((found >= 0) != (turned >= 0))


def test_labels_are_as_good_as_the_gram_in_float32_lets_them_be(large, request):
    """Against a decomposition in float64 of the same Gram; the rounding of it, against one of the Gram in float64."""
    gram = relu_gram(3000, request.config.test_seed, np.float32)
    of_the_same = dense(gram.astype(np.float64), TOP)[1]
    by_rounding, labels_by_rounding = moved(of_the_same, large[2][:TOP])
    by_search, labels_by_search = moved(spectrum(gram, TOP).eigenvectors, of_the_same)
    assert np.sum(by_search) < 0.3 * np.sum(by_rounding)
    assert np.median(by_search) < 0.3 * np.median(by_rounding)
    assert labels_by_search <= max(1, labels_by_rounding)  # of 600,000; a label is moved by chance


def test_products_in_float32_are_good_to_their_rounding(large):
    gram, vectors = large[0].astype(np.float32), large[2][:9].T
    error = symmetric.quick_product(gram, vectors) - gram.astype(np.float64) @ vectors
    # 1.0e-7 and 1.4e-7 by two versions of OpenBLAS, which sum up the products of a tile in another order
    assert 1e-10 < np.max(np.linalg.norm(error, axis=0)) / large[1][0] < 3e-7


def test_without_its_first_part_a_gram_is_multiplied_better_than_its_entries_are_rounded(large):
    exact, values, vectors = large
    gram, columns = exact.astype(np.float32), vectors[::20].T
    right, own = gram.astype(np.float64) @ columns, (gram - exact) @ columns
    found = symmetric.quick_product(gram, columns, symmetric.Part(values[:64], vectors[:64]))
    errors, by_rounding = (np.linalg.norm(each, axis=0) for each in (found - right, own))
    assert np.all(errors < by_rounding)
    assert np.median(errors) < 0.4 * np.median(by_rounding)


def test_a_correction_removes_what_rounding_put_outside_of_the_span(large):
    exact, values, vectors = large
    gram = exact.astype(np.float32)
    noise = np.random.default_rng(0).standard_normal((40, 3000)) * 1e-6 / np.sqrt(3000)
    start = np.linalg.qr((vectors[:40] + noise).T)[0].T
    found, rows, errors = correction.corrected(gram, values[:40], start, lambda fraction: None)
    true = np.linalg.norm(gram.astype(np.float64) @ rows.T - rows.T * found, axis=0)
    assert_close(errors, true, rtol=0.4)  # they are drawn: four standard deviations
    assert_close(np.mean(errors / true), 1.0, rtol=0.1)
    assert np.max(errors) < 1e-7 * values[0]
    assert_close(rows @ rows.T, np.eye(40))
    assert np.max(np.abs(np.sum(rows * vectors[:40], axis=1) ** 2 - 1)) < 1e-9


@pytest.mark.parametrize("scale", [1e-20, 1e20])
def test_the_scale_of_a_gram_in_float32_does_not_matter(small, scale):
    gram, values, vectors = small
    found = spectrum((gram * scale).astype(np.float32), 40, full_limit=10)
    assert_close(found.eigenvalues / scale, values[:40], rtol=1e-4)
    assert np.max(sines(found.eigenvectors, vectors, values)) < 1e-3


def test_a_gram_whose_products_in_float32_are_bad_is_searched_in_float64(small, monkeypatch):
    quick, noise = symmetric.quick_product, np.random.default_rng(0).standard_normal

    def bad(gram, vectors, apart=None):
        return quick(gram, vectors, apart) * (1 + 1e-2 * noise(vectors.shape))

    for module in (spectrum_module, correction):
        monkeypatch.setattr(module, "quick_product", bad)
    found = spectrum(small[0].astype(np.float32), 40, full_limit=10)
    assert np.all(found.residuals < 5 * 3e-8 * found.eigenvalues / found.eigenvalues[0])


# Where a Gram is


def test_an_operator_gives_what_its_entries_give(small):
    gram, values, vectors = small
    operator = Products(gram)
    found = spectrum(operator, 40, full_limit=10)
    assert max(operator.columns) < 100, "an identity was multiplied"
    assert_close(found.eigenvalues, values[:40])
    assert np.max(sines(found.eigenvectors, vectors, values)) < 1e-4
    full = spectrum(operator, 40)
    assert full.complete
    assert_close(full.eigenvalues, values[:40])


def test_an_operator_in_float32_is_good_to_its_rounding(small):
    gram, values, _ = small
    found = spectrum(Products(gram.astype(np.float32)), 40, full_limit=10)
    assert np.max(np.abs(found.eigenvalues - values[:40])) < 1e-5 * values[0]
    assert np.max(found.residuals) < 1e-5


def test_the_operator_of_a_relu_network_gives_what_its_gram_gives(make_mlp, getkey):
    model, inputs = make_mlp((6, 12, 8), getkey(), jax.nn.relu), np.asarray(jax.random.normal(getkey(), (120, 6)))
    exact = dense(ntk_gram(model, inputs), 11)
    found = spectrum(GramOperator(model, inputs), 10, full_limit=10)
    assert not found.complete
    assert_close(found.eigenvalues, exact[0][:10])
    assert np.max(sines(found.eigenvectors, exact[1], exact[0])) < 1e-4


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_file_gives_what_memory_gives(small, tmp_path, dtype):
    gram = small[0].astype(dtype)
    np.save(tmp_path / "gram.npy", gram)
    mapped = np.load(tmp_path / "gram.npy", mmap_mode="r")
    found, expected = (spectrum(where, 10, full_limit=10) for where in (mapped, gram))
    assert_close(found.eigenvalues, expected.eigenvalues)
    assert_close(found.eigenvectors, expected.eigenvectors)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("place", [np.asarray, jnp.asarray, lambda gram: np.asfortranarray(gram)[:, :]])
def test_products_accumulate_in_float64_by_blocks(small, monkeypatch, dtype, place):
    monkeypatch.setattr(symmetric, "_CAST_BYTES", 8 * 500 * 7)
    monkeypatch.setattr(symmetric, "_CAST_ROWS", 1)
    gram, vectors = small[0].astype(dtype), small[2][:3].T
    found = symmetric.product(place(gram), vectors)
    assert found.dtype == np.float64
    assert_close(found, gram.astype(np.float64) @ vectors)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_second_copy_of_the_gram_is_made(large, monkeypatch, dtype):
    # Fixed amounts of memory, which at this size are not small beside a Gram.
    monkeypatch.setattr(symmetric, "_CAST_BYTES", 2**20)
    monkeypatch.setattr(symmetric, "_CAST_ROWS", 1)
    monkeypatch.setattr(symmetric, "_TILE", 256)
    gram = large[0].astype(dtype)
    tracemalloc.start()
    try:
        spectrum(gram, 10, memory_budget=8 * 3000 * 160)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.4 * gram.nbytes


# Spectra that are hard for Krylov subspaces


@pytest.mark.parametrize("position", [0, 10, 39])
def test_an_eigenvalue_repeated_more_often_than_the_block_has_columns(seed, position):
    values = np.arange(1, 401.0) ** -1.5
    values[position : position + 70] = values[position]
    gram, vectors = rotated(values, seed)
    found = spectrum(gram, position + 75, full_limit=10)
    assert not found.complete
    assert_close(found.eigenvalues, values[: position + 75])
    copies, exact = (rows[position : position + 70] for rows in (found.eigenvectors, vectors))
    assert np.linalg.norm(copies - copies @ exact.T @ exact, 2) < 1e-4
    assert np.max(found.gaps[position : position + 69]) < 1e-12


@pytest.mark.parametrize("position", [0, 15, 29])
def test_copies_that_the_block_misses_are_looked_for(position):
    """In 3,000 dimensions they do not come by rounding."""
    values = np.arange(1, 3001.0) ** -1.0
    values[position : position + 20] = values[position]
    found, vectors = leading(lambda columns: values[:, None] * columns, 3000, 30, floor=2e-14, block=4, capacity=300)
    assert_close(found, values[:30])
    assert_close(values * vectors, found[:, None] * vectors, rtol=1e-7)  # residuals are at most 3e-8


@pytest.mark.parametrize("samples", [30, 300])
def test_a_missed_direction_half_inside_the_subspace_is_found(samples):
    """Neither half has a Rayleigh quotient that would show it."""
    values = np.concatenate([[5.0, 4.0, 3.0, 0.1], np.linspace(0.01, 0.0, samples - 4)])
    axes, generator = np.eye(samples), np.random.default_rng(0)
    inside, outside = ((axes[1] + sign * axes[3]) / np.sqrt(2) for sign in (1, -1))

    def missed(*start):
        space = krylov.Subspace(np.array(start), samples, generator)
        space.extend(lambda columns: values[:, None] * columns)
        found = space.ritz()[0][:2]
        return krylov._missed(lambda columns: values[:, None] * columns, space, found, np.full(2, 1e-12), generator)

    assert_close(np.abs(missed(axes[0], axes[2], inside) @ outside), np.ones(1))
    assert len(missed(axes[0], axes[1], axes[3])) == 0


def test_directions_almost_in_the_subspace_are_orthogonalised_again(small, seed):
    gram, draw = small[0], np.random.default_rng(seed)
    space = krylov.Subspace(draw.standard_normal((4, 500)), 100, draw)
    for _ in range(5):
        space.extend(lambda columns: gram @ columns)
    space.join(space.basis[:3] + 1e-10 * draw.standard_normal((3, 500)))
    assert_close(space.following @ space.following.T, np.eye(7))
    assert np.max(np.abs(space.basis @ space.following.T)) < 1e-14


def test_a_cluster_closer_than_the_residuals_is_found_as_a_subspace(seed):
    values = np.concatenate([4 - 1e-10 * np.arange(50), 1.0 / np.arange(1, 351)])
    gram, vectors = rotated(values, seed)
    found = spectrum(gram, 60, full_limit=10)
    assert_close(found.eigenvalues, values[:60])
    assert np.linalg.norm(found.eigenvectors[:50] @ vectors[50:].T, 2) < 1e-4


def test_more_pairs_than_the_rank_are_completed_by_null_vectors(seed):
    draw = np.random.default_rng(seed).standard_normal((400, 30))
    found = spectrum(draw @ draw.T, 60, full_limit=10)
    assert not found.complete
    assert_close(found.eigenvalues[:30], scipy.linalg.eigvalsh(draw.T @ draw)[::-1])
    assert np.max(np.abs(found.eigenvalues[30:])) < 1e-12 * found.eigenvalues[0]
    assert_close(found.eigenvectors @ found.eigenvectors.T, np.eye(60))


def test_the_zero_gram_has_null_vectors():
    found = spectrum(np.zeros((300, 300)), 20, full_limit=10)
    assert np.array_equal(found.eigenvalues, np.zeros(20))
    assert np.array_equal(found.residuals, np.zeros(20))
    assert_close(found.eigenvectors @ found.eigenvectors.T, np.eye(20))


SPECTRA = {
    "decaying": lambda draw, size: np.arange(1.0, size + 1) ** -draw.uniform(0.5, 4),
    "spread": lambda draw, size: draw.random(size),
    "repeated": lambda draw, size: draw.choice(draw.random(10), size),
    "half repeated": lambda draw, size: np.where(np.arange(size) < size // 2, 5.0, (np.arange(size) + 1.0) ** -2),
    "nearly repeated": lambda draw, size: np.where(np.arange(size) < size // 2, 1 + 1e-9 * draw.random(size), 1e-3),
    "of low rank": lambda draw, size: np.where(np.arange(size) < size // 3, draw.random(size), 0.0),
}


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(sorted(SPECTRA)), st.integers(4, 100), st.integers(-12, 12), st.data())
def test_leading_pairs_of_any_spectrum_count_and_block(kind, samples, exponent, data):
    seed = data.draw(st.integers(0, 2**16))
    count, block = data.draw(st.integers(1, samples - 1)), data.draw(st.integers(1, 16))
    values = np.sort(SPECTRA[kind](np.random.default_rng(seed), samples))[::-1] * 10.0**exponent
    gram, _ = rotated(values, seed)
    found, vectors = leading(lambda columns: gram @ columns, samples, count, floor=2e-14, block=block, capacity=samples)
    assert_close(found, values[:count], rtol=4e-8)  # in a cluster, eigenvalues are only as good as residuals
    assert_close(vectors @ vectors.T, np.eye(count))
    assert np.max(np.linalg.norm(gram @ vectors.T - vectors.T * found, axis=0)) < 1e-7 * values[0]


# What is rejected, and when the work ends


@pytest.mark.parametrize(
    "spoil",
    [
        lambda image: image.astype(np.float32),
        lambda image: image + 1e-11 * np.random.default_rng().standard_normal(image.shape),
    ],
    ids=["float32 inside", "never the same twice"],
)
def test_products_less_precise_than_their_dtype_are_rejected(seed, spoil):
    gram, _ = rotated(np.arange(1, 101.0) ** -4, seed)
    assert len(spectrum(Products(gram), 60, full_limit=10).residuals) == 60
    with pytest.raises(NotConverged, match=r"eigenpair"):
        spectrum(Products(gram, spoil), 60, full_limit=10)


def test_pairs_whose_true_residuals_are_too_large_are_rejected(small):
    """Whatever the search knows of them: the last product, with 35 eigenvectors, is not what it was."""
    errors = np.where(np.arange(35) == 3, 1e-6, 0.0)
    operator = Products(small[0], lambda image: image * (1 + errors) if image.shape[1] == 35 else image)
    with pytest.raises(NotConverged, match=r"eigenpair 4 is .* times what was aimed at.*compute it in float64"):
        spectrum(operator, 35, full_limit=10)


def flat(samples):
    """No eigenvalue stands out."""
    return np.linspace(1.0, 1.01, samples)[:, None]


def test_a_search_gives_up_and_says_what_to_do(monkeypatch):
    monkeypatch.setattr(krylov, "WORK_LIMIT", 5)
    spent = []

    def apply(columns):
        spent.append(columns.shape[1])
        return flat(2000) * columns

    with pytest.raises(NotConverged, match=r"of 10 eigenpairs.*in a basis of 40.*fewer eigenpairs, or give more mem"):
        leading(apply, 2000, 10, floor=2e-14, block=4, capacity=40)
    assert 5 * (10 + 16) <= sum(spent) < 5 * (10 + 16) + 100


def test_a_budget_below_the_eigenvectors_is_rejected(small):
    with pytest.raises(ValueError, match=r"40 eigenpairs of 500 samples needs 676,000 bytes at least.*`memory_budget`"):
        spectrum(small[0], 40, full_limit=10, memory_budget=8 * 500 * 169 - 1)


@pytest.mark.parametrize("full_limit", [10, 1000])
def test_progress_rises_to_1(small, full_limit):
    seen = []
    spectrum(small[0], 40, full_limit=full_limit, progress=seen.append)
    assert np.all(np.diff(seen) >= 0)
    assert seen[-1] == 1
    assert full_limit == 1000 or (seen[0] == 0 and len(seen) > 5 and 0.3 < seen[-2] <= 0.8)


def test_what_progress_raises_ends_the_work(small):
    operator = Products(small[0])

    def stop(fraction):
        if fraction > 0.3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        spectrum(operator, 40, full_limit=10, progress=stop)
    stopped = len(operator.columns)
    spectrum(operator, 40, full_limit=10)
    assert 1 < stopped < 0.6 * (len(operator.columns) - stopped)
