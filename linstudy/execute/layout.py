"""Lines that fit a terminal, cut where it hurts least."""

import textwrap
from collections.abc import Sequence

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
    """Lines broken between words alone; a longer word stays whole."""
    return "\n".join(
        textwrap.fill(line, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
        for line in text.splitlines()
    )


def _length(parts: Sequence[str]) -> int:
    return len(GAP.join(parts))


def _shorten(name: str, width: int) -> str:
    if len(name) <= width:
        return name.ljust(width)
    return f"{name[: width - 3]}..." if width > 3 else ""
