"""Lines that fit a terminal, cut where it hurts least."""

import textwrap
from collections.abc import Iterator, Sequence

LEAST_NAME = 12
GAP = "  "


def picture(workers: Sequence[tuple[str, str, str]], count: Sequence[str], width: int) -> list[str]:
    """What is shown of a study that runs: a line for each worker's name, text and time left, then the count.

    Parts of the count that do not fit one line have a line each.
    """
    whole = GAP.join(filter(None, count))
    counts = [whole] if len(whole) <= width else [*filter(None, count)]
    return [*(live_line(*worker, width) for worker in workers), *counts]


def live_line(name: str, text: str, left: str, width: int) -> str:
    """What a worker is at, in at most `width` columns.

    The last of the text's parts, which `GAP` separates, and the time left are kept at any width; the other parts, in
    their order, and the name have what remains.
    """
    *others, last = text.split(GAP)
    vital = [part for part in (last, left) if part]
    room = width - _length(vital) - len(GAP)
    kept: list[str] = []
    for part in others:
        if _length([*kept, part]) + len(GAP) + LEAST_NAME > room:
            break
        kept.append(part)
    parts = [*kept, *vital]
    return GAP.join([_shorten(name, width - _length(parts) - len(GAP)), *parts])[:width].strip()


def wrap_words(text: str, width: int) -> str:
    """Lines broken between words alone, what follows four columns further in; a longer word stays whole."""
    return "\n".join(
        textwrap.fill(line, width, subsequent_indent=_further_in(line), break_long_words=False, break_on_hyphens=False)
        for line in text.splitlines()
    )


def _further_in(line: str) -> str:
    return " " * (len(line) - len(line.lstrip()) + 4)


def _length(parts: Sequence[str]) -> int:
    return len(GAP.join(parts))


def _shorten(name: str, width: int) -> str:
    if len(name) <= width:
        return name.ljust(width)
    return f"{name[: width - 3]}..." if width > 3 else ""


def in_columns(rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """Rows of texts in aligned columns; where they do not fit, a block of lines a row, each named by the first row."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if sum(widths) + len(GAP) * (len(widths) - 1) <= width:
        for row in rows:
            yield GAP.join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip()
        return
    head, *others = rows
    for first, *cells in others:
        yield first
        yield from (f"    {name}: {cell}" for name, cell in zip(head[1:], cells, strict=True) if cell)
