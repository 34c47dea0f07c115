import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from linstudy.data import Places
from linstudy.data.digits import every_fifth, open_source, read_digits
from linstudy.spec.data import DigitsData


def test_every_fifth_sample_of_a_class_is_marked():
    labels = np.array([0, 1, 0, 0, 0, 0, 1, 1, 1, 1, 0])
    assert np.flatnonzero(every_fifth(labels)).tolist() == [5, 9]


@pytest.fixture(scope="module")
def embedded():
    """Scikit-learn's own pixels and labels."""
    from sklearn.datasets import load_digits  # which is imported for a second

    return load_digits(return_X_y=True)


def test_the_splits_part_the_embedded_digits(embedded):
    source = open_source(DigitsData(kind="digits"), Places())
    train, test = (split.read(np.arange(len(split.labels))) for split in (source.train, source.test))
    assert train.shape[1:] == (1, 8, 8)
    assert len(train) + len(test) == 1797
    assert 0 <= train.min() < train.max() == 1
    both = np.concatenate([train, test]).reshape(-1, 64)
    pixels = np.asarray(embedded[0], np.float32) / 16
    assert np.array_equal(both[np.lexsort(both.T)], pixels[np.lexsort(pixels.T)])


def test_every_class_is_in_both_splits(embedded):
    source = open_source(DigitsData(kind="digits"), Places())
    assert np.bincount(source.test.labels).tolist() == [count // 5 for count in np.bincount(embedded[1])]


@pytest.mark.parametrize("found", [True, False])
def test_the_file_read_is_what_scikit_learn_loads(monkeypatch, embedded, found):
    if not found:
        monkeypatch.setattr(Path, "is_file", lambda path: False)
    pixels, labels = read_digits()
    assert np.array_equal(pixels, embedded[0])
    assert pixels.dtype == embedded[0].dtype
    assert np.array_equal(labels, embedded[1])


def test_scikit_learn_is_not_imported_for_them():
    code = "import sys; from linstudy.data.digits import read_digits; read_digits(); sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
