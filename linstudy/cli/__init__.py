"""The command line: parse, call, print. Heavy modules are imported by the command that needs them."""

from linstudy.cli.entry import cli, main

__all__ = ["cli", "main"]
