"""How a symmetric Gram is divided into blocks of tiles, which several processes can compute. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from linstudy.tangent.tiling import tile_slices

TILES_OF_BLOCK = 256
"""A block has about as many at most: 23 s of two cores for a LeNet, the most that a process lost with it has done."""

BLOCKS_ACROSS = 20
"""Columns are divided into as many parts at least, where there are as many tiles: enough to share evenly."""


@dataclass(frozen=True)
class Block:
    """Some row tiles by some column tiles, of which those on and above the diagonal are computed."""

    rows: range
    columns: range

    def __len__(self) -> int:
        """How many tiles are computed."""
        return sum(len(self.rows_of(column)) for column in self.columns)

    def rows_of(self, column: int) -> range:
        """The row tiles of a column tile that are computed."""
        return range(self.rows.start, min(self.rows.stop, column + 1))


@dataclass(frozen=True)
class Division:
    """Blocks of the tiles on and above the diagonal of a Gram. Processes that agree on it compute the same bits.

    Attributes:
        samples: Of the Gram.
        tile: Samples of a tile.
        batch: Samples whose features are computed at once.
        rows: Row tiles of a block, whose features one process holds at a time.
    """

    samples: int
    tile: int
    batch: int
    rows: int

    @property
    def across(self) -> int:
        """Tiles of a side of the Gram."""
        return -(-self.samples // self.tile)

    @property
    def columns(self) -> int:
        """Column tiles of a block."""
        return max(1, min(TILES_OF_BLOCK // self.rows, self.across // BLOCKS_ACROSS))

    def slices(self) -> list[slice]:
        """The samples of each tile."""
        return tile_slices(self.samples, self.tile)

    def blocks(self) -> list[Block]:
        """All of them, panel by panel of row tiles, in each the largest first: what is left at the end is small."""
        return list(self._blocks())

    def _blocks(self) -> Iterator[Block]:
        for start in range(0, self.across, self.rows):
            rows = range(start, min(start + self.rows, self.across))
            for stop in range(self.across, start, -self.columns):
                yield Block(rows, range(max(start, stop - self.columns), stop))
