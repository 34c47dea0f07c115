import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linstudy.data.errors import DataError
from linstudy.data.subsets import checked_count, stratified_order

LABELS = st.lists(st.integers(0, 6), min_size=1, max_size=200).map(lambda labels: np.array(labels, np.int64))
SEEDS = st.integers(0, 2**70)


def largest_deviation(labels, order):
    """How far any beginning of `order` is from its share of any class, over what the docstring allows."""
    classes, counts = np.unique(labels, return_counts=True)
    taken = np.cumsum(labels[order][:, None] == classes, axis=0)
    shares = np.arange(1, len(labels) + 1)[:, None] * counts / len(labels)
    allowed = 0.5 + counts * len(classes) / (2 * len(labels))
    return np.max(np.abs(taken - shares) / allowed)


@given(LABELS, SEEDS, st.integers(0, 1))
def test_the_order_is_a_permutation(labels, seed, stream):
    order = stratified_order(labels, seed, stream)
    assert np.array_equal(np.sort(order), np.arange(len(labels)))


@given(LABELS, SEEDS)
def test_every_beginning_is_stratified(labels, seed):
    assert largest_deviation(labels, stratified_order(labels, seed, 0)) <= 1 + 1e-9


@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 8), SEEDS)
def test_multiples_of_the_class_count_are_balanced_exactly(classes, rounds, more_rounds, seed):
    labels = np.repeat(np.arange(classes), rounds + more_rounds)
    beginning = stratified_order(labels, seed, 0)[: classes * rounds]
    assert np.array_equal(np.bincount(labels[beginning]), np.full(classes, rounds))


def test_a_random_permutation_is_not_stratified():
    labels = np.repeat(np.arange(5), 100)
    assert largest_deviation(labels, np.random.default_rng(0).permutation(500)) > 1


def test_seed_and_stream_change_the_order():
    labels = np.repeat(np.arange(4), 25)
    orders = [tuple(stratified_order(labels, seed, stream)) for seed in (0, 1) for stream in (0, 1)]
    assert len(set(orders)) == 4


def test_ties_between_classes_are_broken_at_random():
    labels = np.repeat(np.arange(4), 25)
    firsts = {int(labels[stratified_order(labels, seed, 0)[0]]) for seed in range(40)}
    assert firsts == {0, 1, 2, 3}


def test_the_order_is_the_same_in_every_version():
    assert stratified_order(np.array([0, 0, 0, 1, 1, 2]), 3, 0).tolist() == [1, 4, 5, 0, 3, 2]


def test_fewer_samples_than_classes_are_allowed():
    labels = np.repeat(np.arange(10), 3)
    assert len(set(labels[stratified_order(labels, 0, 0)[:4]])) == 4


def test_a_count_over_what_there_is_is_an_error_with_both_numbers():
    with pytest.raises(DataError) as error:
        checked_count(60_001, 60_000, "mnist", "train")
    assert str(error.value) == (
        "data.train: 60,001 samples are asked for, but the train split of this mnist has 60,000; "
        "write at most train: 60000, or leave it out for all of them"
    )


def test_no_count_means_all():
    assert checked_count(None, 7, "npz", "test") == checked_count(7, 7, "npz", "test") == 7
