import numpy as np
import pytest
import scipy
from tolerance import assert_close

from linstudy.tangent import all_eigenvalues, decomposition, effective_rank, krylov, spectrum


@pytest.fixture
def gram(seed):
    """40 samples; every eigenvalue four times, some of them 0."""
    basis, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((40, 40)))
    return (basis * np.repeat([9.0, 7.0, 4.0, 4.0, 2.0, 1e-3, 1e-6, 1e-9, 0.0, 0.0], 4)) @ basis.T


@pytest.mark.parametrize(("rows", "expected"), [(2, "evd"), (32_766, "evd"), (32_767, "evr"), (60_000, "evr")])
def test_evd_is_asked_up_to_where_its_workspace_fits_32_bits(rows, expected):
    assert decomposition.driver(rows) == expected
    assert (1 + 6 * rows + 2 * rows**2 < 2**31) is (expected == "evd")
    assert 26 * rows < 2**31


def test_every_full_decomposition_asks_for_the_driver_of_its_size(gram, monkeypatch):
    """What each caller passes to LAPACK, as if 10 rows were too many for evd."""
    asked = []

    def recorded(matrix, **options):
        asked.append((len(matrix), options["driver"]))
        return decompose(matrix, **options)

    decompose = scipy.linalg.eigh
    monkeypatch.setattr(decomposition, "EVD_LIMIT", 10)
    monkeypatch.setattr(scipy.linalg, "eigh", recorded)
    spectrum(gram)
    assert asked == [(40, "evr")]
    asked.clear()
    krylov.leading(gram.__matmul__, 40, 3, floor=1e-14, block=4, capacity=40)
    assert asked
    assert all((driver == "evr") is (rows > 10) for rows, driver in asked)


def test_both_drivers_find_repeated_eigenvalues_and_all_of_their_vectors(gram, monkeypatch):
    evd = spectrum(gram)
    monkeypatch.setattr(decomposition, "EVD_LIMIT", 1)
    evr = spectrum(gram)
    assert_close(evr.eigenvalues, evd.eigenvalues)
    assert_close(evr.eigenvectors @ evr.eigenvectors.T, np.eye(40))
    assert_close((evr.eigenvectors.T * evr.eigenvalues) @ evr.eigenvectors, gram)
    for first in range(0, 8, 4):  # of equal eigenvalues only the span is defined
        one, other = (found.eigenvectors[first : first + 4] for found in (evd, evr))
        assert_close(one.T @ one, other.T @ other)


def test_a_pair_that_lapack_leaves_out_is_an_error(gram, monkeypatch):
    def incomplete(matrix, **options):
        values, vectors = np.linalg.eigh(matrix)
        return values, vectors * (np.arange(40) > 0)

    monkeypatch.setattr(scipy.linalg, "eigh", incomplete)
    with pytest.raises(scipy.linalg.LinAlgError, match="evd found 39 of 40 eigenpairs"):
        spectrum(gram)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_eigenvalues_equal_the_spectrum_s(gram, dtype):
    matrix = gram.astype(dtype)
    matrix = (matrix + matrix.T) / 2
    before = matrix.copy()
    assert_close(all_eigenvalues(matrix), spectrum(matrix).eigenvalues)
    assert np.array_equal(matrix, before)


def test_a_gram_in_a_file_is_decomposed_where_it_is(gram, tmp_path):
    stored = np.memmap(tmp_path / "gram", np.float64, "w+", shape=gram.shape)
    stored[:] = (gram + gram.T) / 2
    assert_close(all_eigenvalues(stored, overwrite=True), np.linalg.eigvalsh(gram)[::-1])
    assert not np.array_equal(stored, gram), "LAPACK worked in the file, not in a copy"


@pytest.mark.parametrize(("values", "rank"), [([2.0, 2.0, 2.0], 3.0), ([5.0, 0.0], 1.0), ([0.0, 0.0], 0.0)])
def test_effective_rank_in_closed_form(values, rank):
    assert_close(effective_rank(np.array(values)), rank)
