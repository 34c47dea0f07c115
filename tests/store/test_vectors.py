"""Vectors, short and long, into the ledger and out of it."""

import numpy as np
import pytest

from linstudy import metrics
from linstudy.facts import Vector
from linstudy.store.vectors import LONG


def eigenvalues(values, epoch=0):
    return Vector(metrics.EIGENVALUES, values, epoch=epoch)


def test_a_long_vector_keeps_its_order(tell, rows, seed):
    values = np.random.default_rng(seed).normal(size=200_000)
    tell("s", eigenvalues(values))
    [(found,)] = rows("SELECT value FROM vector")
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("length", [0, 1, LONG - 1, LONG, LONG + 1])
def test_a_vector_of_any_length_comes_back_with_its_place(tell, rows, length):
    values = np.linspace(1.0, 2.0, length)
    tell("s", Vector(metrics.ALIGNMENT, values, "train", 3, "mine"))
    [(*place, found)] = rows("FROM vector")
    assert place == ["s", "alignment", "mine", "train", 3]
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("length", [4, LONG + 4])
def test_an_entry_that_is_not_finite_is_null(tell, rows, length):
    values = np.ones(length)
    values[1:4] = [np.nan, np.inf, -np.inf]
    tell("s", eigenvalues(values))
    [(found,)] = rows("SELECT value FROM vector")
    assert found == [1.0, None, None, None, *[1.0] * (length - 4)]


def test_short_and_long_vectors_go_together(tell, rows):
    lengths = [3, LONG, 2, LONG + 5]
    tell("s", *(eigenvalues(np.full(length, length), epoch) for epoch, length in enumerate(lengths)))
    assert rows("SELECT epoch, len(value), list_max(value) FROM vector ORDER BY epoch") == [
        (epoch, length, length) for epoch, length in enumerate(lengths)
    ]


def test_a_long_vector_leaves_the_number_of_threads_as_it_was(ledger, tell, rows):
    before = rows("SELECT current_setting('threads')")
    tell("s", eigenvalues(np.ones(LONG)))
    assert rows("SELECT current_setting('threads')") == before


def test_the_type_of_the_array_does_not_matter(tell, rows):
    tell("s", eigenvalues(np.arange(LONG, dtype=np.float32)[::-1]), eigenvalues([1, 2], epoch=1))
    [(long,), (short,)] = rows("SELECT value FROM vector ORDER BY epoch")
    np.testing.assert_array_equal(long, np.arange(LONG)[::-1])
    assert short == [1.0, 2.0]
