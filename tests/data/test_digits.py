import numpy as np
from sklearn.datasets import load_digits

from linstudy.data import Places
from linstudy.data.digits import every_fifth, open_source
from linstudy.spec.data import DigitsData


def test_every_fifth_sample_of_a_class_is_marked():
    labels = np.array([0, 1, 0, 0, 0, 0, 1, 1, 1, 1, 0])
    assert np.flatnonzero(every_fifth(labels)).tolist() == [5, 9]


def test_the_splits_part_the_embedded_digits():
    source = open_source(DigitsData(kind="digits"), Places())
    train, test = (split.read(np.arange(len(split.labels))) for split in (source.train, source.test))
    assert train.shape[1:] == (1, 8, 8)
    assert len(train) + len(test) == 1797
    assert 0 <= train.min() < train.max() == 1
    both = np.concatenate([train, test]).reshape(-1, 64)
    embedded = np.asarray(load_digits(return_X_y=True)[0], np.float32) / 16
    assert np.array_equal(both[np.lexsort(both.T)], embedded[np.lexsort(embedded.T)])


def test_every_class_is_in_both_splits():
    source = open_source(DigitsData(kind="digits"), Places())
    assert np.bincount(source.test.labels).tolist() == [
        count // 5 for count in np.bincount(load_digits(return_X_y=True)[1])
    ]
