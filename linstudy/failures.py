"""How the command line ends when something goes wrong."""

import contextlib
import platform
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from importlib import metadata

import click

from linstudy.spec.errors import LinstudyError, StudyError


@contextlib.contextmanager
def reporting(arguments: Sequence[str]) -> Iterator[None]:
    """Exit 1 with one message for an expected failure, 130 for Ctrl-C, 3 with a log file for anything else."""
    try:
        yield
    except StudyError as error:
        click.echo(error, err=True)  # begins with file and line, as compilers and editors have it
        sys.exit(1)
    except LinstudyError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # a reader such as `head` has seen enough
        sys.exit(0)
    except Exception as error:
        path = _write_log(arguments)
        click.echo(f"Unexpected error: {type(error).__name__}: {error}\nTraceback and versions: {path}", err=True)
        sys.exit(3)


def _write_log(arguments: Sequence[str]) -> str:
    names = ("linstudy", "jax", "equinox", "duckdb", "pydantic", "numpy")
    versions = [f"{name} {metadata.version(name)}" for name in names]
    lines = [" ".join(arguments), f"Python {sys.version}", platform.platform(), *versions, "", traceback.format_exc()]
    with tempfile.NamedTemporaryFile("w", prefix="linstudy-", suffix=".log", delete=False, encoding="utf-8") as file:
        file.write("\n".join(lines))
    return file.name
