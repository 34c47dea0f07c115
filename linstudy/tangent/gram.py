"""The empirical neural tangent kernel of a model, as a Gram matrix."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from linstudy.tangent.division import Block, Division
from linstudy.tangent.factors import KERNEL_BLOCK, Factors, contract, squared_norms
from linstudy.tangent.kernel_features import KernelFeatures
from linstudy.tangent.placement import device_count, everywhere, memory_budget_or_default, spread
from linstudy.tangent.tiling import (
    Finished,
    Progress,
    Tile,
    ahead,
    assemble,
    keeper,
    padded_rows,
    report,
    tile_count,
    tile_slices,
    tiles_to_skip,
    upper_mirrored,
    without_padding,
)

DEFAULT_TILE = 256
"""Samples whose features are computed at once where all of them are gradients."""

FEATURE_BATCH = 128
"""Samples whose features are computed at once."""

LARGEST_TILE = 1024
"""Samples of a tile: 512 to 1,024 reach the matmul rate on two cores, and 4,096² halves take their least time."""

TILES_ACROSS = 8
"""Tiles that a small Gram is cut into at least: computing those above the diagonal alone then saves 44 %."""

SHARE_OF_TILE = 4
"""A tile's features take at most this part of the memory budget."""

POSITIONS_ACROSS = 4096
"""Samples times positions of a tile: the products of all positions of two tiles, 64 MiB in float32, are held."""


@dataclasses.dataclass(frozen=True)
class _Cut:
    """How samples are cut: into tiles, a tile's features by batches, features of some row tiles held."""

    tile: int
    batch: int
    held: int

    @property
    def order(self) -> str:
        """What the order of the tiles follows from, with the numbers of samples."""
        return f"tiles of {self.tile} by {self.batch}, {self.held} rows held"


def _multiple(number: int, of: int) -> int:
    return -(-number // of) * of


def _even(samples: int, limit: int) -> int:
    """The largest multiple of `KERNEL_BLOCK` up to `limit` that pads the samples by under a tenth, or by the least."""
    sizes = range(KERNEL_BLOCK, limit + 1, KERNEL_BLOCK)
    return min(sizes, key=lambda size: (-samples % size * 10 // samples, -size))


def _cut(features: KernelFeatures, samples: int, tile: int | None, memory_budget: int) -> _Cut:
    """Tiles as large as the budget and the number of samples let them be, cut evenly."""
    if tile is not None and tile < 1:
        raise ValueError(f"A tile of {tile} samples holds none: give 1 or more.")
    by_memory = max(1, memory_budget // (SHARE_OF_TILE * features.bytes))
    limit = min(tile or LARGEST_TILE, by_memory, max(1, POSITIONS_ACROSS // features.positions), samples)
    whole = _multiple(FEATURE_BATCH, device_count())
    if tile is None and limit > whole:
        wanted = max(whole, min(limit, samples // TILES_ACROSS))
        size = wanted // whole * whole
    else:
        size = -(-samples // -(-samples // limit))
        size = _even(samples, limit) if limit >= KERNEL_BLOCK and tile is None else size
    size = _multiple(size, device_count())
    batch = whole if size % whole == 0 else size
    tiles, affordable = -(-samples // size), memory_budget // (size * features.bytes)
    return _Cut(size, batch, tiles if tiles <= affordable else max(1, affordable - 1))


def _tile_factors(features: KernelFeatures, inputs: np.ndarray, rows: slice, cut: _Cut) -> Factors:
    starts = range(rows.start, rows.start + cut.tile, cut.batch)
    shares = [slice(start, min(start + cut.batch, rows.stop)) for start in starts]
    batches = [features(spread(padded_rows(inputs, share, cut.batch))) for share in shares]
    return batches[0] if len(batches) == 1 else jax.tree.map(lambda *parts: jnp.concatenate(parts), *batches)


def _order(rows: int, columns: int, held: int, symmetric: bool) -> Iterator[tuple[range, list[tuple[int, list[int]]]]]:
    """Blocks of row tiles whose features are held, each with its columns, each with the rows of its tiles."""
    for start in range(0, rows, held):
        block = range(start, min(start + held, rows))
        first = start if symmetric else 0
        yield block, [(k, [row for row in block if not symmetric or row <= k]) for k in range(first, columns)]


def _tiles(
    features: KernelFeatures, inputs: np.ndarray, others: np.ndarray | None, cut: _Cut, skip: int = 0
) -> Iterator[Tile]:
    """The tiles of the Gram but the first ones, block by block of row tiles whose features are held."""
    across = inputs if others is None else others
    rows, columns = tile_slices(len(inputs), cut.tile), tile_slices(len(across), cut.tile)
    for block, members in _order(len(rows), len(columns), cut.held, others is None):
        count = sum(len(of_column) for _, of_column in members)
        if skip >= count:
            skip -= count
            continue
        kept = {row: _tile_factors(features, inputs, rows[row], cut) for row in block}
        for column, of_column in members:
            left, skip = of_column[skip:], max(0, skip - len(of_column))
            if not left:
                continue
            own = kept.get(column) if others is None else None
            right = everywhere(_tile_factors(features, across, columns[column], cut) if own is None else own)
            for row in left:
                yield rows[row], columns[column], contract(kept[row], right)
        features.confirm()


def _checked(inputs: Float[Array | np.ndarray, "samples ..."], others: Any = None) -> tuple[np.ndarray, Any]:
    inputs = np.asarray(inputs)
    across = inputs if others is None else np.asarray(others)
    if len(inputs) == 0 or len(across) == 0:
        raise ValueError(f"A Gram needs samples on both sides, got {len(inputs)} and {len(across)}.")
    return inputs, None if others is None else across


def ntk_gram(
    model: Callable[..., Any],
    inputs: Float[Array | np.ndarray, "samples *shape"],
    others: Float[Array | np.ndarray, "others *shape"] | None = None,
    *,
    structured: bool = True,
    tile: int | None = None,
    memory_budget: int | None = None,
    out: Float[np.ndarray, "samples others"] | None = None,
    finished: Finished | None = None,
    keep: Callable[[Finished], object] | None = None,
    progress: Progress | None = None,
    chose: Callable[[str], object] | None = None,
) -> Float[np.ndarray, "samples others"]:
    """The Gram of the tangent kernel: Θ(x, x') = ∇_θ f(x)ᵀ ∇_θ f(x').

    Dense and convolutional layers enter by their inputs and output gradients, all other parameters by explicit
    gradients; two samples are compared with explicit gradients first. Without `others` only the tiles on and above the
    diagonal are computed, and the result is exactly symmetric. Features are computed once if all fit the memory budget;
    otherwise once for every block of rows that does. All local devices share the work. Products of float32 are
    true float32 products, unless called under `jax.default_matmul_precision`.

        gram = ntk_gram(model, train_inputs)
        cross = ntk_gram(model, test_inputs, train_inputs)
        stored = np.lib.format.open_memmap("gram.npy", "w+", np.float32, (len(inputs), len(inputs)))
        ntk_gram(model, inputs, out=stored)

    A Gram in a file survives an interruption: what `keep` was told last, once the file is flushed, is `finished` for
    the next call with the same model and samples, which gives the same bits as one that was never interrupted.

    Args:
        structured: False takes explicit gradients for every parameter.
        tile: Samples contracted at once; chosen from the sizes and the budget if None.
        memory_budget: Bytes of features held at a time; 2 GiB on CPUs and half of an accelerator's memory if None.
            Programs and what they compute with come on top: 0.3 to 0.6 GiB for an MLP, a LeNet and a ResNet18 on a
            CPU. Neither it nor `tile` changes the result beyond rounding.
        out: Where the result goes, such as a memory-mapped file; new memory of the host if None.
        finished: The tiles that `out` holds already. All are computed where they would now come in another order.
        keep: Called when a tile is in `out`, with what is finished.
        chose: Called with how the features were computed: `structured`, or `explicit gradients` with the reason.

    Raises:
        ValueError: If the output of `model` is not a scalar.

    Source: Jacot et al., arXiv:1806.07572; arXiv:2106.06770, section 2.
    """
    inputs, across = _checked(inputs, others)
    symmetric = across is None
    columns = len(inputs) if across is None else len(across)
    features = KernelFeatures(model, inputs[0], max(len(inputs), columns), structured=structured)
    budget = memory_budget_or_default(memory_budget)
    whole = np.empty((len(inputs), columns), features.dtype) if out is None else out

    def filled() -> np.ndarray:
        cut = _cut(features, max(len(inputs), columns), tile, budget)
        rows, others = (len(tile_slices(count, cut.tile)) for count in (len(inputs), columns))
        skip = tiles_to_skip(finished, cut.order)
        return assemble(
            whole,
            _tiles(features, inputs, across, cut, skip),
            symmetric=symmetric,
            progress=report(progress, tile_count(rows, others, symmetric), skip),
            written=keeper(keep, cut.order, skip, features.confirm),
        )

    gram = features.compute_until_accepted(filled)
    if chose is not None:
        chose(features.how)
    return gram


def ntk_diagonal(
    model: Callable[..., Any], inputs: Float[Array | np.ndarray, "samples *shape"]
) -> Float[np.ndarray, " samples"]:
    """Θ(x, x) = ‖∇_θ f(x)‖² of each sample, the diagonal of `ntk_gram` without the rest of it.

    Raises:
        ValueError: If the output of `model` is not a scalar.
    """
    inputs, _ = _checked(inputs)
    features = KernelFeatures(model, inputs[0], len(inputs))

    def norms() -> np.ndarray:
        cut = _cut(features, len(inputs), None, memory_budget_or_default(None))
        slices = tile_slices(len(inputs), cut.tile)
        return np.concatenate([squared_norms(_tile_factors(features, inputs, rows, cut)) for rows in slices])

    found = features.compute_until_accepted(norms)
    features.confirm()
    return found[: len(inputs)]


@final
class GramBlocks:
    """The symmetric Gram of a model over some samples, by blocks: for processes that share the work.

    Processes that agree on the division compute the same bits of a block, whichever of them takes it, on one kind of
    device. As `ntk_gram` would in one process:

        blocks = GramBlocks(model, inputs)
        for block in blocks.division.blocks():
            for rows, columns, values in blocks.tiles(block):
                gram[rows, columns], gram[columns, rows] = values, values.T

    Args:
        division: That of the process which began; chosen from the sizes and the budget if None.
        memory_budget: As of `ntk_gram`.

    Attributes:
        how: How features are computed, as `chose` of `ntk_gram` is told.

    Raises:
        ValueError: If the output of `model` is not a scalar, or the division is one of other samples.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        inputs: Float[Array | np.ndarray, "samples *shape"],
        *,
        division: Division | None = None,
        memory_budget: int | None = None,
    ):
        self._inputs, _ = _checked(inputs)
        count = len(self._inputs)
        if division is not None and division.samples != count:
            raise ValueError(f"The division is one of {division.samples} samples, and {count} are given.")
        self._features = KernelFeatures(model, self._inputs[0], count)
        self._budget, self._given = memory_budget_or_default(memory_budget), division
        self.division, first = self._features.compute_until_accepted(self._begin)
        self._slices = self.division.slices()
        self._held = {0: first}
        self.dtype, self.how = self._features.dtype, self._features.how

    def tiles(self, block: Block) -> Iterator[tuple[slice, slice, Float[np.ndarray, "rows columns"]]]:
        """The rows, the columns and the values of each tile on and above the diagonal.

        They are to be believed once all have come.

        Raises:
            RuntimeError: If a layer is called more than once, but was not in the first samples.
        """
        for tile in ahead(self._computed(block)):
            rows, columns, _ = tile
            values = without_padding(tile)
            yield rows, columns, upper_mirrored(values) if rows == columns else values
        self._features.confirm()

    def seconds(self) -> float:
        """About how long all tiles take one process, without features: one is computed twice, and timed once."""
        times = []
        for _ in range(2):  # the first may compile
            began = time.monotonic()
            contract(self._held[0], everywhere(self._held[0])).block_until_ready()
            times.append(time.monotonic() - began)
        return times[-1] * tile_count(self.division.across, self.division.across, True)

    def _begin(self) -> tuple[Division, Factors]:
        """The first batch, the same in each process, shows how features are held, from which the division follows."""
        division = self._given
        if division is None:
            cut = _cut(self._features, len(self._inputs), None, self._budget)
            division = Division(len(self._inputs), cut.tile, cut.batch, cut.held)
        return division, self._factors(division, 0)

    def _factors(self, division: Division, tile: int) -> Factors:
        cut = _Cut(division.tile, division.batch, division.rows)
        return _tile_factors(self._features, self._inputs, division.slices()[tile], cut)

    def _computed(self, block: Block) -> Iterator[Tile]:
        """As `_tiles`: the features of the rows are held for the next block, which mostly has the same."""
        self._held = {tile: own for tile, own in self._held.items() if tile in block.rows}
        for column in reversed(block.columns):
            for row in block.rows_of(column):
                if row not in self._held:
                    self._held[row] = self._factors(self.division, row)
            own = self._held.get(column)
            right = everywhere(self._factors(self.division, column) if own is None else own)
            for row in block.rows_of(column):
                yield self._slices[row], self._slices[column], contract(self._held[row], right)


@final
class GramOperator:
    """The symmetric Gram of a model over some samples as an operator: its tiles are computed anew at each product.

    For a Gram that exceeds memory and disk; `operator @ vectors` costs a Gram each time.

        operator = GramOperator(model, inputs)
        found = spectrum(operator, top=100)

    Args:
        memory_budget: As of `ntk_gram`.
        progress: Called with the fraction done of each product.

    Raises:
        ValueError: If the output of `model` is not a scalar.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        inputs: Float[Array | np.ndarray, "samples *shape"],
        *,
        memory_budget: int | None = None,
        progress: Progress | None = None,
    ):
        self._inputs, _ = _checked(inputs)
        self._features = KernelFeatures(model, self._inputs[0], len(self._inputs))
        self._budget, self._progress = memory_budget_or_default(memory_budget), progress
        self.shape = (len(self._inputs), len(self._inputs))
        self.dtype = self._features.dtype

    def __matmul__(self, vectors: Float[np.ndarray, "samples *columns"]) -> Float[np.ndarray, "samples *columns"]:
        """Θ V, in the precision of V and Θ together."""
        return self._features.compute_until_accepted(lambda: self._product(vectors))

    def _product(self, vectors: np.ndarray) -> np.ndarray:
        cut = _cut(self._features, self.shape[0], None, self._budget)
        total = np.zeros(vectors.shape, np.result_type(vectors, self.dtype))
        across = len(tile_slices(self.shape[0], cut.tile))
        done = report(self._progress, tile_count(across, across, True))
        for rows, columns, values in ahead(_tiles(self._features, self._inputs, None, cut)):
            block = without_padding((rows, columns, values))
            total[rows] += block @ vectors[columns]
            if rows != columns:
                total[columns] += block.T @ vectors[rows]
            next(done, None)
        return total
