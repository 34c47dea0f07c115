"""A page as data, which `markdown` and `html` render: blocks in sections, none of which knows how it will look.

Texts of paragraphs and terms are a little Markdown: `code`, **strong**, *emphasis* and [words](address). Cells,
headings and code are plain.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

Tone = Literal["", "good", "bad", "mixed", "open"]
"""What a verdict says, for its colour; its words say it too."""


@dataclass(frozen=True)
class Cell:
    """What stands in a table.

    Attributes:
        note: Small print below it.
        anchor: Of the section that it leads to.
        listed: What it is the count of, folded away.
        number: Whether it is one, or stands in a column of them.
    """

    text: str
    note: str = ""
    anchor: str = ""
    listed: tuple[str, ...] = ()
    tone: Tone = ""
    number: bool = False


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; a `small` one says where something comes from."""

    text: str
    tone: Tone = ""
    small: bool = False


@dataclass(frozen=True)
class Bullets:
    """A list of short texts."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Terms:
    """Symbols or columns, each with what it means."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """A table; its rows have as many cells as it has columns, and the first of a row names it."""

    columns: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self):
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"a row has not the {len(self.columns)} cells of its table's columns")


@dataclass(frozen=True)
class Picture:
    """A PNG that lies beside the page; `text` says what it shows."""

    path: Path
    text: str


@dataclass(frozen=True)
class Code:
    """Lines to copy, in a language as Markdown names it."""

    text: str
    language: str


@dataclass(frozen=True)
class Folded:
    """What is there for who opens it."""

    summary: str
    blocks: "tuple[Block, ...]"


@dataclass(frozen=True)
class Section:
    """A heading and what belongs to it; the page is one too."""

    title: str
    blocks: "tuple[Block, ...]"
    anchor: str


Block: TypeAlias = Paragraph | Bullets | Terms | Table | Picture | Code | Folded | Section
