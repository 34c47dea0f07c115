"""Lines on standard output."""

import shutil
import sys
from collections.abc import Iterable

import click


def print_lines(lines: Iterable[str]) -> None:
    """Print lines, on a terminal broken between words to its width."""
    from linstudy.execute.layout import wrap_words

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in lines:
        click.echo(line if width is None else wrap_words(line, width))
