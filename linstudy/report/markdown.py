"""A page as Markdown, whose pictures lie beside it."""

import re
from functools import singledispatch

from linstudy.report.document import Block, Bullets, Cell, Code, Folded, Paragraph, Picture, Section, Table, Terms

_SPECIAL = re.compile(r"[\\`*|<]")


def render(page: Section) -> str:
    """The page as one text."""
    return "\n\n".join(_section(page, 1)) + "\n"


def _section(section: Section, level: int) -> list[str]:
    heading = f"{'#' * level} {section.title}"
    # The anchors that a Markdown viewer makes of headings differ between viewers.
    anchor = [f'<a id="{section.anchor}"></a>'] if level > 1 else []
    return [*anchor, heading, *_parts(section.blocks, level + 1)]


def _parts(blocks: tuple[Block, ...], level: int) -> list[str]:
    parts = []
    for block in blocks:
        parts += _section(block, level) if isinstance(block, Section) else [_render(block)]
    return parts


@singledispatch
def _render(block: Block) -> str:
    raise TypeError(f"{type(block).__name__} has no form in Markdown")


@_render.register
def _(block: Paragraph) -> str:
    return f"*{block.text}*" if block.small else block.text


@_render.register
def _(block: Bullets) -> str:
    return "\n".join(f"- {item}" for item in block.items)


@_render.register
def _(block: Terms) -> str:
    return "  \n".join(f"{term}: {meaning}." for term, meaning in block.items)


@_render.register
def _(block: Table) -> str:
    lines = [_cells(block.columns), ["---"] * len(block.columns), *map(_cells, block.rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@_render.register
def _(block: Picture) -> str:
    return f"![{block.text}]({block.path.name})"


@_render.register
def _(block: Code) -> str:
    return f"```{block.language}\n{block.text.strip()}\n```"


@_render.register
def _(block: Folded) -> str:
    return "\n\n".join([f"<details><summary>{block.summary}</summary>", *_parts(block.blocks, 4), "</details>"])


def _cells(cells: tuple[Cell, ...]) -> list[str]:
    return [_cell(cell) for cell in cells]


def _cell(cell: Cell) -> str:
    text = _plain(cell.text)
    if cell.anchor:
        text = f"[{text}](#{cell.anchor})"
    if cell.listed:
        text = f"<details><summary>{text}</summary>{' '.join(cell.listed)}</details>"
    return f"{text}<br><sub>{_plain(cell.note)}</sub>" if cell.note else text


def _plain(text: str) -> str:
    """A text on one line that means itself in a table of Markdown."""
    return _SPECIAL.sub(r"\\\g<0>", " ".join(text.split()))
