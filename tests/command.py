"""The command line called in this process: a process of its own takes half a second before it does anything."""

import contextlib
import io
import sys
from dataclasses import dataclass

import pytest

from linstudy.cli import main


@dataclass(frozen=True)
class Ended:
    """What a command printed, and its exit status: under the names that `subprocess.run` gives them."""

    returncode: int
    stdout: str
    stderr: str


def command(*arguments, cwd):
    """`linstudy` with these arguments, given in a folder."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.chdir(cwd)
        patch.setattr(sys, "argv", ["linstudy", *map(str, arguments)])
        patch.setattr(sys, "path", list(sys.path))  # a study adds its folder
        modules = set(sys.modules)
        with pytest.raises(SystemExit) as ended:
            main()
    _forget_modules_of(cwd, modules)
    return Ended(ended.value.code, *map(_text, (out, err)))


def _text(stream):
    stream.flush()
    return stream.buffer.getvalue().decode()


def _forget_modules_of(folder, known):
    """Let a later command of another folder import its own modules of the same names."""
    for name in set(sys.modules) - known:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]
