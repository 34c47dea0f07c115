"""Workers that a launcher starts: by which words, what they check where they are, and that they end."""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from queue import Queue

import pytest
from waiting import wait_until_gone

from linstudy.describe.trial import try_launch
from linstudy.spec.errors import LinstudyError
from linstudy.store.workspace import Workspace
from linstudy.workers import peer
from linstudy.workers import processes as processes_module
from linstudy.workers.contract import Lost, Share
from linstudy.workers.launch import plan_launch
from linstudy.workers.messages import Hello
from linstudy.workers.processes import worker_processes
from linstudy.workers.settings import Settings
from linstudy.workers.worker import _check_places

LAUNCHER = "env HOW=launched"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs `slurm`, or a command"),
        ("  ", "needs `slurm`, or a command"),
        ("env 'host", "is no command"),
        ("not-a-command host", "there is no command not-a-command here"),
    ],
)
def test_a_launcher_that_is_no_command_is_refused(text, message):
    with pytest.raises(LinstudyError, match=f"--launch.*{message}"):
        plan_launch(text, None, None, None)


def test_a_launcher_has_one_worker_by_itself_and_its_workers_share_the_memory_that_is_given():
    one = plan_launch("env 'A=a b'", None, "cpu", None)
    assert (one.launcher, len(one.shares), one.shares[0].memory) == (("env", "A=a b"), 1, None)
    assert one.note == "1 worker by: env 'A=a b'"
    assert [share.memory for share in plan_launch(LAUNCHER, 2, None, 10).shares] == [5, 5]


def test_without_a_launcher_nothing_is_said():
    here = plan_launch(None, 2, "cpu", None)
    assert (here.launcher, here.note, len(here.shares)) == ((), "", 2)


def test_a_worker_sees_whether_the_folders_are_those_of_its_coordinator(tmp_path):
    mark = tmp_path / "workspace" / ".linstudy" / "mark"
    mark.parent.mkdir(parents=True)
    mark.write_text("own")
    there = dict(artifacts="", study_folder=str(tmp_path), data_folder=str(tmp_path))
    _check_places(Settings(**there, mark=(str(mark), "own")))
    with pytest.raises(SystemExit, match=f"the workspace {tmp_path / 'workspace'} is not here"):
        _check_places(Settings(**there, mark=(str(mark), "another's, at the same path")))
    with pytest.raises(SystemExit, match="the workspace .* is not here"):
        _check_places(Settings(**there, mark=(str(tmp_path / "a/b/c"), "own")))
    for name, words in (("study_folder", "the study's folder"), ("data_folder", "the data folder")):
        settings = Settings(**{**there, name: str(tmp_path / "none")}, mark=(str(mark), "own"))
        with pytest.raises(SystemExit, match=f"{words} {tmp_path / 'none'} is not here"):
            _check_places(settings)
    _check_places(Settings("", str(tmp_path / "none")))  # one of this machine


def test_a_workspace_keeps_its_mark_and_another_has_another(tmp_path):
    first, second = Workspace(tmp_path / "a"), Workspace(tmp_path / "b")
    assert processes_module._mark(first) == processes_module._mark(first)
    assert processes_module._mark(first)[1] != processes_module._mark(second)[1]


@pytest.mark.product_settings
def test_a_trial_starts_one_and_says_what_it_is_on(tmp_path):
    ready, packages = try_launch(plan_launch(LAUNCHER, None, "cpu", None), Workspace(tmp_path), None)
    assert ready.fine
    assert "a worker was ready after" in ready.text
    assert ready.text.endswith("it computes on cpu: cpu")
    assert packages.fine


def test_a_trial_says_what_a_launcher_printed_that_failed(tmp_path):
    [finding] = try_launch(
        plan_launch("sh -c 'echo no such host >&2; exit 5'", 1, None, None), Workspace(tmp_path), None
    )
    assert finding.fine is False
    assert "ended with exit status 5. It printed:\nno such host" in finding.text


def test_a_launcher_tells_of_a_killed_worker_as_a_shell_does(tmp_path):
    [finding] = try_launch(plan_launch("sh -c 'exit 137'", 1, None, None), Workspace(tmp_path), None)
    assert "was killed by SIGKILL, probably for want of memory" in finding.text


def until_hello(inbox):
    while not isinstance((event := inbox.get(timeout=120)[1]), Hello):
        assert not isinstance(event, Lost), event
    return event


@pytest.mark.skipif(sys.platform != "linux", reason="finds a process in /proc")
def test_a_silent_worker_is_given_up_and_ends_when_it_wakes(tmp_path, monkeypatch):
    """`setsid --fork` leaves it to itself, so that nothing here can end it: as on a machine that is out of reach."""
    monkeypatch.setattr(peer, "SECONDS_TO_LEAVE", 1)
    workers = worker_processes(Workspace(tmp_path), tmp_path, None, launcher=("setsid", "--fork"), lease=1.0)
    inbox = Queue()
    began = workers.start(Share({"JAX_PLATFORMS": "cpu"}), inbox)
    until_hello(inbox)
    time.sleep(1.5)
    assert inbox.empty(), "it says beats, which are answered"
    pid = process_in(tmp_path)
    os.kill(pid, signal.SIGSTOP)
    try:
        worker, lost = inbox.get(timeout=60)
        assert worker is began
        assert (lost.reason, lost.is_remote) == ("nothing was heard of it for 1.33333 s", True)
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until_gone(pid)
    worker.close()
    assert inbox.empty(), "it is lost once"


@pytest.mark.skipif(sys.platform != "linux", reason="finds a process in /proc")
def test_a_worker_ends_whose_coordinator_answers_no_more(tmp_path, monkeypatch):
    """As when its machine is cut off: the channel stays open, and nothing comes through."""
    workers = worker_processes(Workspace(tmp_path), tmp_path, None, launcher=("setsid", "--fork"), lease=1.0)
    inbox = Queue()
    worker = workers.start(Share({"JAX_PLATFORMS": "cpu"}), inbox)
    until_hello(inbox)
    pid = process_in(tmp_path)
    monkeypatch.setattr(worker, "send", lambda command: None)
    wait_until_gone(pid)
    assert inbox.get(timeout=60)[1].is_remote


def process_in(folder):
    """The worker whose study's folder this is."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"linstudy.workers.worker" in words and (entry / "cwd").resolve() == folder:
                return int(entry.name)
    raise AssertionError(f"no worker is in {folder}")
