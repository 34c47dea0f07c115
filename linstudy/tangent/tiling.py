"""Square tiles of a Gram: blocks of samples of one shape, so that one compiled function serves every tile."""

from collections.abc import Callable, Iterable, Iterator

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

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
    """`array[rows]`, its last row repeated up to `tile` rows."""
    block = array[rows]
    return jnp.asarray(np.concatenate([block, np.repeat(block[-1:], tile - len(block), axis=0)]))


def tile_count(rows: int, columns: int, symmetric: bool) -> int:
    """How many tiles are computed: those on and above the diagonal if `symmetric`, else all."""
    return rows * (rows + 1) // 2 if symmetric else rows * columns


def assemble(
    gram: Float[np.ndarray, "samples others"], tiles: Iterable[Tile], *, symmetric: bool, progress: Iterator[float]
) -> Float[np.ndarray, "samples others"]:
    """Fill `gram` with computed tiles, and with their mirror images if `symmetric`."""
    for rows, columns, values in tiles:
        block = np.asarray(values)[: rows.stop - rows.start, : columns.stop - columns.start]
        diagonal = symmetric and rows == columns
        gram[rows, columns] = np.triu(block) + np.triu(block, 1).T if diagonal else block
        if symmetric and not diagonal:
            gram[columns, rows] = block.T
        next(progress, None)
    return gram


def report(progress: Progress | None, total: int) -> Iterator[float]:
    """Call `progress` with the fraction done, once for every item drawn."""
    for done in range(1, total + 1):
        if progress is not None:
            progress(done / total)
        yield done / total
