"""Square tiles of a Gram: blocks of samples of one shape, so that one compiled function serves every tile."""

import functools
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

T = TypeVar("T")

Progress = Callable[[float], object]
"""Called with the fraction done, between tiles. What it raises ends the work."""

Tile = tuple[slice, slice, Float[Array, "tile tile"]]
"""The rows and columns a tile covers, and its values with their padding."""


def tile_slices(samples: int, tile: int) -> list[slice]:
    """Consecutive slices of `tile` samples, the last one perhaps shorter."""
    if tile < 1:
        raise ValueError(f"A tile of {tile} samples holds none: give 1 or more.")
    return [slice(start, min(start + tile, samples)) for start in range(0, samples, tile)]


def padded_rows(array: Shaped[np.ndarray, "samples ..."], rows: slice, tile: int) -> Shaped[Array, "tile ..."]:
    """`array[rows]`, the last row of `array` repeated up to `tile` rows."""
    block = array[rows]
    if len(block) < tile:
        block = np.concatenate([block, np.repeat(array[-1:], tile - len(block), axis=0)])
    return jnp.asarray(block)


def tile_count(rows: int, columns: int, symmetric: bool) -> int:
    """How many tiles are computed: those on and above the diagonal if `symmetric`, else all."""
    return rows * (rows + 1) // 2 if symmetric else rows * columns


def ahead(tiles: Iterable[T], count: int = 2) -> Iterator[T]:
    """The same tiles, each asked for `count` tiles early: a device computes while the host takes one in."""
    waiting: deque[T] = deque()
    for tile in tiles:
        waiting.append(tile)
        if len(waiting) > count:
            yield waiting.popleft()
    yield from waiting


def without_padding(tile: Tile) -> Float[np.ndarray, "rows columns"]:
    """The values of a tile on the host, those of its samples alone."""
    rows, columns, values = tile
    return np.asarray(values)[: rows.stop - rows.start, : columns.stop - columns.start]


@functools.lru_cache(maxsize=2)
def _upper(size: int) -> Shaped[np.ndarray, "size size"]:
    """Where the upper half of a square is; made anew it would take longer than what it is used for."""
    return np.triu(np.ones((size, size), bool))


def upper_mirrored(square: Shaped[np.ndarray, "size size"]) -> Shaped[np.ndarray, "size size"]:
    """A tile on the diagonal, exactly symmetric."""
    return np.where(_upper(len(square)), square, square.T)


@dataclass(frozen=True)
class Finished:
    """How much of a Gram is there, for `ntk_gram` to go on from.

    Attributes:
        order: Names the order of the tiles, which a budget, the number of devices, and samples choose.
        tiles: How many, from the first.
    """

    order: str
    tiles: int


def tiles_to_skip(finished: Finished | None, order: str) -> int:
    """How many tiles of an order are there: none of them if what is there came in another one."""
    return finished.tiles if finished is not None and finished.order == order else 0


def keeper(
    keep: Callable[[Finished], object] | None, order: str, skip: int, confirm: Callable[[], object] = lambda: None
) -> Callable[[], None]:
    """What to call for every tile that is written: tells of it, once `confirm` did not raise."""
    count = itertools.count(skip + 1)

    def written() -> None:
        if keep is not None:
            confirm()
            keep(Finished(order, next(count)))

    return written


def assemble(
    gram: Float[np.ndarray, "samples others"],
    tiles: Iterable[Tile],
    *,
    symmetric: bool,
    progress: Iterator[float],
    written: Callable[[], object] = lambda: None,
) -> Float[np.ndarray, "samples others"]:
    """Fill `gram` with computed tiles, and with their mirror images if `symmetric`.

    Args:
        written: Called when a tile is in `gram`.
    """
    for rows, columns, values in ahead(tiles):
        block = without_padding((rows, columns, values))
        diagonal = symmetric and rows == columns
        gram[rows, columns] = upper_mirrored(block) if diagonal else block
        if symmetric and not diagonal:
            gram[columns, rows] = block.T
        written()
        next(progress, None)
    return gram


def report(progress: Progress | None, total: int, done_before: int = 0) -> Iterator[float]:
    """Call `progress` with the fraction done, once for every item drawn, of those that were not done before."""
    for done in range(done_before + 1, total + 1):
        if progress is not None:
            progress(done / total)
        yield done / total
