"""A Gram by blocks: which there are, and that whoever computes them gets the bits of one process."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest

from linstudy.tangent import Division, GramBlocks, gram, ntk_gram
from linstudy.tangent.features import feature_bytes

DIVISIONS = [
    Division(samples, tile, tile, rows) for samples, tile, rows in [(1, 1, 1), (7, 3, 2), (100, 3, 5), (1000, 10, 100)]
]


@pytest.mark.parametrize("division", DIVISIONS, ids=str)
def test_blocks_have_each_tile_of_the_upper_half_once(division):
    found = [(row, column) for block in division.blocks() for column in block.columns for row in block.rows_of(column)]
    across = range(division.across)
    assert sorted(found) == [(row, column) for row in across for column in across if row <= column]
    assert sum(map(len, division.blocks())) == len(found)


def test_the_last_blocks_of_a_panel_are_its_smallest():
    sizes = [len(block) for block in Division(1000, 10, 10, 100).blocks()]
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == (199, 3)  # of two columns: 100 + 99 tiles, 2 + 1


def filled(blocks, numbers, size):
    found = np.full((size, size), np.nan)
    for number in numbers:
        for rows, columns, values in blocks.tiles(blocks.division.blocks()[number]):
            found[rows, columns], found[columns, rows] = values, values.T
    return found


@pytest.mark.parametrize("tiles_in_budget", [3, 8, 100])
def test_blocks_in_any_order_have_the_bits_of_one_process(mlp, getkey, tiles_in_budget):
    inputs = jax.random.normal(getkey(), (700, 4))
    budget = tiles_in_budget * 128 * feature_bytes(mlp)
    whole = ntk_gram(mlp, inputs, memory_budget=budget)
    first = GramBlocks(mlp, inputs, memory_budget=budget)
    numbers = range(len(first.division.blocks()))
    assert len(numbers) > 5
    second = GramBlocks(mlp, inputs, division=first.division)
    own, other = filled(first, numbers[::2], 700), filled(second, reversed(numbers[1::2]), 700)
    assert np.array_equal(np.isnan(own), ~np.isnan(other))
    assert np.array_equal(np.where(np.isnan(own), other, own), whole)
    assert np.array_equal(filled(first, numbers, 700), whole)


def test_a_division_of_other_samples_is_rejected(mlp, getkey):
    with pytest.raises(ValueError, match="one of 8 samples, and 7 are given"):
        GramBlocks(mlp, jax.random.normal(getkey(), (7, 4)), division=Division(8, 2, 2, 1))


def test_the_time_of_all_tiles_is_counted_from_one(mlp, getkey, monkeypatch):
    blocks = GramBlocks(mlp, jax.random.normal(getkey(), (7, 4)), division=Division(7, 2, 2, 4))
    clock = iter([0.0, 9.0, 10.0, 12.0])  # the first tile compiles
    monkeypatch.setattr(gram, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert blocks.seconds() == 2.0 * 10
