"""How the command line ends: the one place that decides its exit status and what is said of a failure."""

import errno
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

import click

from linstudy import __version__
from linstudy.spec.errors import LinstudyError, StudyError
from linstudy.text.excerpt import LINES, excerpt

DONE, FAILED, UNEXPECTED, INTERRUPTED = 0, 1, 3, 130
"""Exit statuses; wrong usage has click's, 2."""

PACKAGES = ("jax", "equinox", "duckdb", "pydantic", "numpy")

_RIGHTS = "Give yourself the right to it, or name another place"
_PLACE = "Name another place"
_ROOM = "Make room, then give the same command again"
_ADVICE = {
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: _PLACE,
    errno.EEXIST: _PLACE,
    errno.ENOTDIR: _PLACE,
    errno.EISDIR: _PLACE,
    errno.ELOOP: _PLACE,
    errno.ENAMETOOLONG: _PLACE,
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: _ROOM,
}
"""What to do where the system, and not the program, is the reason of an OSError."""


@dataclass
class Command:
    """What is known of the command that runs, for the log of its failure."""

    arguments: Sequence[str] = ()
    workspace: Path | None = None


def run_command(call: Callable[[], object], command: Command) -> int:
    """Call what a command does, and say in one message how it failed.

    Returns:
        The exit status: 0 also where the reader of the output, such as `head`, has seen enough; 1 for an expected
        failure, 2 for wrong usage, 130 for Ctrl-C, 3 with a log for anything else.
    """
    _escape_what_cannot_be_encoded()
    try:
        call()
        sys.stdout.flush()
    except BaseException as error:
        return _report(error, command)
    finally:
        _release_output()
    return DONE


def _report(error: BaseException, command: Command) -> int:
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.ClickException():
            with suppress(OSError, ValueError):
                error.show()
            return error.exit_code
        case KeyboardInterrupt() | click.Abort():
            return INTERRUPTED
        case BrokenPipeError():
            return DONE
        case StudyError():  # begins with file and line, as compilers and editors have it; a mistake takes two lines
            return _fail(str(error), command, lines=100)
        case LinstudyError():
            return _fail(f"Error: {error}", command)
        case OSError() if error.errno in _ADVICE:
            place = f"{error.filename}: " if error.filename is not None else ""
            return _fail(f"Error: {place}{error.strerror}. {_ADVICE[error.errno]}", command)
    log = _write_log(traceback.format_exc(), command)
    _say(f"{excerpt(f'Unexpected error: {type(error).__name__}: {error}', log)}\nTraceback and versions: {log}")
    return UNEXPECTED


def _fail(message: str, command: Command, lines: int = LINES) -> int:
    is_long = excerpt(message, "", lines) != message.rstrip()
    _say(excerpt(message, _write_log(message, command), lines) if is_long else message)
    return FAILED


def _say(message: str) -> None:
    with suppress(OSError, ValueError):  # nobody can hear it
        click.echo(message, err=True)


def _write_log(text: str, command: Command) -> str:
    """The path of a new file with the text: in the workspace if it is one, else in the system's temporary folder."""
    import platform
    import shlex

    versions = [f"linstudy {__version__}", *map(_version, PACKAGES)]
    head = [shlex.join(command.arguments), f"Python {sys.version}", platform.platform(), *versions]
    for folder in (*_log_folders(command.workspace), None):
        with suppress(OSError):
            return _new_log("\n".join([*head, "", text]), folder)
    return "no log could be written"


def _version(package: str) -> str:
    from importlib import metadata

    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"{package} is not installed"


def _new_log(text: str, folder: Path | None) -> str:
    from tempfile import mkstemp

    descriptor, path = mkstemp(prefix="linstudy-", suffix=".log", dir=folder)
    with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return path


def _log_folders(workspace: Path | None) -> list[Path]:
    from linstudy.store.workspace import Workspace

    if workspace is None or not Workspace(workspace).private.is_dir():
        return []
    with suppress(OSError):
        Workspace(workspace).logs.mkdir(exist_ok=True)
    return [Workspace(workspace).logs]


def _escape_what_cannot_be_encoded() -> None:
    """Let φ become \\u03c6 where the terminal's encoding has no φ, instead of an exception."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _release_output() -> None:
    """Write what waits; where nobody reads it, drop it, so that Python's own attempt at its exit does not fail."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
