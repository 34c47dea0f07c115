"""Lines on standard output."""

import shutil
import sys
from collections.abc import Iterable

import click


def print_lines(lines: Iterable[str]) -> None:
    """Print lines, on a terminal broken between words to its width."""
    from linstudy.text.layout import wrap_words

    for line in lines:
        click.echo(wrap_words(line, output_width()) if sys.stdout.isatty() else line)


def output_width() -> int:
    """The columns of the terminal; as many as one likes where the output is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
