"""A page as one file of HTML that needs no other: its style and its pictures are in it."""

import re
from base64 import b64encode
from functools import singledispatch
from html import escape
from importlib.resources import files

from linstudy.report.document import Block, Bullets, Cell, Code, Folded, Paragraph, Picture, Section, Table, Terms
from linstudy.report.freshness import Mark

_HEAD = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="{mark}">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
"""

_INLINE = (
    (re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)"), r'<a href="\2">\1</a>'),
    (re.compile(r"\*\*(\S.*?)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"(?<![\w*])\*(\w[^*]*)\*(?![\w*])"), r"<em>\1</em>"),
)


_SUBSCRIPT = re.compile(r"([α-ωΑ-Ω∇²])_(?:\{([^}]*)\}|(\w+))")
"""φ_j and ∇²_{θ,x}, as texts write them."""


def render(page: Section, mark: Mark) -> str:
    """The page as one text, with the mark of what it was made of."""
    style = files("linstudy.report").joinpath("page.css").read_text(encoding="utf-8")
    head = _HEAD.format(mark=escape(str(mark)), title=escape(page.title), style=style)
    first = next((place for place, block in enumerate(page.blocks) if isinstance(block, Section)), len(page.blocks))
    lead, rest = page.blocks[:first], page.blocks[first:]
    body = [f"<h1>{_plain(page.title)}</h1>", *_parts(lead, 2), _contents(rest), *_parts(rest, 2)]
    return head + "\n".join(body) + "\n</main>\n</body>\n</html>\n"


def _contents(blocks: tuple[Block, ...]) -> str:
    """Links to the sections."""
    sections = [block for block in blocks if isinstance(block, Section)]
    return f"<nav>{' '.join(_link(section.title, section.anchor) for section in sections)}</nav>"


def _link(text: str, anchor: str) -> str:
    return f'<a href="#{escape(anchor)}">{_plain(text)}</a>'


def _parts(blocks: tuple[Block, ...], level: int) -> list[str]:
    return [_section(block, level) if isinstance(block, Section) else _render(block) for block in blocks]


def _section(section: Section, level: int) -> str:
    heading = f"<h{level}>{_plain(section.title)}</h{level}>"
    return "\n".join(
        [f'<section id="{escape(section.anchor)}">', heading, *_parts(section.blocks, level + 1), "</section>"]
    )


@singledispatch
def _render(block: Block) -> str:
    raise TypeError(f"{type(block).__name__} has no form in HTML")


@_render.register
def _(block: Paragraph) -> str:
    kinds = " ".join(filter(None, ("small" if block.small else "", block.tone)))
    return f"<p{_class(kinds)}>{_text(block.text)}</p>"


@_render.register
def _(block: Bullets) -> str:
    return f"<ul>{''.join(f'<li>{_text(item)}</li>' for item in block.items)}</ul>"


@_render.register
def _(block: Terms) -> str:
    items = (f"<div><dt>{_text(term)}</dt><dd>{_text(meaning)}.</dd></div>" for term, meaning in block.items)
    return f"<dl>{''.join(items)}</dl>"


@_render.register
def _(block: Table) -> str:
    # The names of columns are long, and have their joints.
    head = "".join(_cell(cell, "th", ' scope="col"').replace("_", "_<wbr>") for cell in block.columns)
    rows = "\n".join(f"<tr>{_row(row)}</tr>" for row in block.rows)
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"
    return f'<div class="wide" tabindex="0">{table}</div>'


@_render.register
def _(block: Picture) -> str:
    data = b64encode(block.path.read_bytes()).decode()
    text = escape(block.text)
    return f'<figure class="wide" tabindex="0"><img alt="{text}" src="data:image/png;base64,{data}"></figure>'


@_render.register
def _(block: Code) -> str:
    return f"<pre><code>{escape(block.text.strip())}</code></pre>"


@_render.register
def _(block: Folded) -> str:
    return "\n".join([f"<details><summary>{escape(block.summary)}</summary>", *_parts(block.blocks, 4), "</details>"])


def _row(row: tuple[Cell, ...]) -> str:
    first, *rest = row
    return _cell(first, "th", ' scope="row"') + "".join(_cell(cell, "td") for cell in rest)


def _cell(cell: Cell, tag: str, scope: str = "") -> str:
    text = _link(cell.text, cell.anchor) if cell.anchor else _plain(cell.text)
    if cell.listed:
        text = f"<details><summary>{text}</summary>{escape(' '.join(cell.listed))}</details>"
    if cell.tone:
        text = f'<span class="{cell.tone}">{text}</span>'
    note = f"<small>{_plain(cell.note)}</small>" if cell.note else ""
    return f"<{tag}{scope}{_class('number' if cell.number else '')}>{text}{note}</{tag}>"


def _class(kinds: str) -> str:
    return f' class="{kinds}"' if kinds else ""


def _text(text: str) -> str:
    """The little Markdown of a text as HTML; what stands in `code` means itself."""
    parts = escape(text).split("`")
    if len(parts) % 2 == 0:  # the last ` has no partner
        parts[-2:] = [f"{parts[-2]}`{parts[-1]}"]
    return "".join(f"<code>{part}</code>" if place % 2 else _words(part) for place, part in enumerate(parts))


def _plain(text: str) -> str:
    return _subscripts(escape(text))


def _subscripts(text: str) -> str:
    return _SUBSCRIPT.sub(r"\1<sub>\2\3</sub>", text)


def _words(text: str) -> str:
    text = _subscripts(text)
    for pattern, form in _INLINE:
        text = pattern.sub(form, text)
    return text
