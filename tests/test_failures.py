"""How the command line ends: exit statuses, messages and logs."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from linstudy import cli, failures
from linstudy.failures import Command, run_command
from linstudy.spec.errors import LinstudyError, StudyError


def ends(error, **known):
    def call():
        raise error

    return run_command(call, Command(("linstudy", "status"), **known))


@pytest.fixture(autouse=True)
def temporary(monkeypatch, tmp_path):
    """Logs outside of a workspace go here."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (click.exceptions.Exit(7), 7, ""),
        (click.UsageError("no such option"), 2, "Error: no such option\n"),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 130, ""),
        (BrokenPipeError(), 0, ""),
        (StudyError("a.yaml:1:1  odd"), 1, "a.yaml:1:1  odd\n"),
        (LinstudyError("odd"), 1, "Error: odd\n"),
        (OSError(errno.ENOSPC, "No space left on device", "a"), 1, "Error: a: No space left on device. Make room"),
        (OSError(errno.EROFS, "Read-only file system", "a"), 1, "Error: a: Read-only file system. Name another place"),
    ],
)
def test_an_end_has_its_status_and_its_message(capsys, temporary, error, status, message):
    assert ends(error) == status
    assert capsys.readouterr().err.startswith(message)
    assert list(temporary.iterdir()) == []


def test_success_has_status_0():
    assert run_command(lambda: None, Command()) == 0


@pytest.mark.parametrize("error", [ZeroDivisionError("odd"), EOFError("odd"), OSError(errno.EBADF, "odd")])
def test_anything_else_has_status_3_and_a_log(capsys, temporary, error):
    assert ends(error) == 3
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"Unexpected error: {type(error).__name__}: {error}"
    [log] = temporary.iterdir()
    assert second == f"Traceback and versions: {log}"
    assert all(words in log.read_text() for words in ("Traceback (most recent", "duckdb", "linstudy status"))


def test_a_log_lies_in_the_workspace_if_it_is_one(tmp_path, temporary):
    ends(ZeroDivisionError(), workspace=tmp_path)
    assert len(list(temporary.iterdir())) == 1
    (tmp_path / ".linstudy").mkdir()
    ends(ZeroDivisionError(), workspace=tmp_path)
    assert len(list((tmp_path / ".linstudy" / "logs").iterdir())) == 1
    assert len(list(temporary.iterdir())) == 1


def test_a_log_that_the_workspace_cannot_take_goes_elsewhere(tmp_path, temporary):
    (tmp_path / ".linstudy").mkdir()
    (tmp_path / ".linstudy" / "logs").write_text("in the way")
    assert ends(ZeroDivisionError(), workspace=tmp_path) == 3
    assert len(list(temporary.iterdir())) == 1


def test_a_failure_is_told_where_no_log_can_be_written(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    assert ends(ZeroDivisionError("odd")) == 3
    assert capsys.readouterr().err.endswith("ZeroDivisionError: odd\nTraceback and versions: no log could be written\n")


def test_a_failure_is_told_where_a_package_is_missing(monkeypatch, temporary):
    monkeypatch.setattr(failures, "PACKAGES", ("no-such-package",))
    assert ends(ZeroDivisionError()) == 3
    assert "no-such-package is not installed" in next(temporary.iterdir()).read_text()


@pytest.mark.parametrize("kind", [LinstudyError, ZeroDivisionError])
def test_a_long_message_is_cut_and_the_log_has_the_rest(capsys, temporary, kind):
    ends(kind("first line\n" + "x" * 5_000_000))
    told = capsys.readouterr().err
    [log] = temporary.iterdir()
    assert "first line" in told
    assert len(told) < 3000
    assert f"more characters: {log}" in told
    assert log.stat().st_size > 5_000_000


def test_a_study_may_have_many_mistakes(capsys):
    mistakes = "\n".join(f"a.yaml:{line}:1  odd" for line in range(60))
    ends(StudyError(mistakes))
    assert capsys.readouterr().err == mistakes + "\n"


@pytest.mark.parametrize("command", [["plan", "a.yaml"], ["report"]])
def test_ctrl_c_ends_any_command_with_130(monkeypatch, command):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("linstudy.prepare.study.plan_study", interrupted)
    monkeypatch.setattr("linstudy.report.page.write_report", interrupted)
    monkeypatch.setattr(sys, "argv", ["linstudy", *command])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130


ASCII = {"PYTHONIOENCODING": "ascii"}
C = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def process(*arguments, cwd, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "linstudy", *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("environment", [ASCII, C, {**ASCII, **C}])
def test_the_reporter_survives_any_locale(tmp_path, environment):
    folder = os.fsencode(tmp_path) + b"/\xcf\x86 \xff"
    os.mkdir(folder)
    for arguments in (["query", "SELECT 'φ'"], ["query", "FROM 'φ'", "--workspace", os.fsdecode(folder)]):
        with process(*arguments, cwd=folder, **environment) as ended:
            _, told = ended.communicate(timeout=60)
        assert ended.returncode == 1
        assert told.startswith(b"Error: ")
        assert len(told.splitlines()) == 1


def test_what_cannot_be_encoded_is_escaped(tmp_path):
    code = (
        "from linstudy.failures import *\n"
        "import sys\n"
        "sys.exit(run_command(lambda: print('φ \\udcff', flush=True), Command()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **ASCII}, capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"\\u03c6 \\udcff\n", b"")


def test_a_closed_pipe_ends_a_command_quietly(tmp_path):
    with process("schema", cwd=tmp_path) as ended:
        ended.stdout.close()
        told = ended.stderr.read()
        assert ended.wait(timeout=60) == 0
    assert told == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_full_disk_under_the_output_is_no_success(tmp_path):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "linstudy", "schema"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: No space left on device. Make room")
