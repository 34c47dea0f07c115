import errno
import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from linstudy.store.lock import Holder, LockError
from linstudy.store.workspace import Workspace, WorkspaceError

HOLD = """
import sys
from pathlib import Path
from linstudy.store.workspace import Workspace
with Workspace(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_lock_names_the_process_and_the_host_that_hold_it(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        for _ in range(2):
            with (
                pytest.raises(WorkspaceError, match=f"process {holder.pid} on {socket.gethostname()}"),
                Workspace(tmp_path).lock(),
            ):
                pass
        holder.kill()
    with Workspace(tmp_path).lock():
        pass


def test_lock_is_not_given_twice_in_one_process(tmp_path):
    with Workspace(tmp_path).lock(), pytest.raises(WorkspaceError, match="--workspace"), Workspace(tmp_path).lock():
        pass
    with Workspace(tmp_path).lock():
        pass


def test_lock_is_told_apart_without_a_note_of_its_holder(tmp_path):
    with Workspace(tmp_path).lock():
        (tmp_path / ".linstudy" / "lock").write_text("{")
        with pytest.raises(WorkspaceError, match="another process"), Workspace(tmp_path).lock():
            pass


def content(folder):
    return {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in folder.rglob("*")}


def test_looking_for_the_holder_writes_nothing(tmp_path):
    workspace = Workspace(tmp_path)
    assert workspace.holder() is None
    assert list(tmp_path.iterdir()) == []
    with workspace.lock():
        before = content(tmp_path)
        assert workspace.holder() == Holder(os.getpid(), socket.gethostname())
        assert content(tmp_path) == before
    assert workspace.holder() is None
    assert content(tmp_path) == before


def test_a_holder_that_was_killed_is_none(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=-1) as holder:
        holder.stdout.readline()
        assert Workspace(tmp_path).holder().pid == holder.pid
        holder.kill()
        holder.wait()
        assert Workspace(tmp_path).holder() is None


def test_looking_does_not_keep_a_study_from_starting(tmp_path):
    """Whoever looks holds a shared lock for a moment, in which the exclusive one cannot be had."""
    with Workspace(tmp_path).lock():
        pass
    with (tmp_path / ".linstudy" / "lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        threading.Timer(0.1, fcntl.flock, (file, fcntl.LOCK_UN)).start()
        with Workspace(tmp_path).lock():
            pass


@pytest.mark.parametrize("name", [".linstudy", "artifacts"])
def test_a_file_where_a_folder_belongs_is_named_and_the_lock_heals(tmp_path, name):
    (tmp_path / name).write_text("")
    with pytest.raises(WorkspaceError, match=f"{name} is no folder, where one belongs"), Workspace(tmp_path).lock():
        pass
    (tmp_path / name).unlink()
    with Workspace(tmp_path).lock():
        pass


def test_a_link_to_nowhere_and_a_folder_for_the_results_are_named(tmp_path):
    (tmp_path / "artifacts").symlink_to(tmp_path / "nowhere")
    with pytest.raises(WorkspaceError, match="artifacts is no folder"), Workspace(tmp_path).lock():
        pass
    (tmp_path / "artifacts").unlink()
    (tmp_path / "results.duckdb").mkdir()
    with pytest.raises(WorkspaceError, match=r"results\.duckdb is a folder"), Workspace(tmp_path).lock():
        pass


def test_a_workspace_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match=r"cannot be made \(Not a directory\)"):
        Workspace(tmp_path / "file" / "w").lock().__enter__()


def test_a_read_only_workspace_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(WorkspaceError, match="cannot be written to. Choose another with --workspace"):
        Workspace(tmp_path).lock().__enter__()


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch, code):
    def flock(file, how):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(LockError, match="its file system has no locks.*Choose a folder on another file system"):
        Workspace(tmp_path).lock().__enter__()


@pytest.fixture
def without_locks(tmp_path, monkeypatch):
    """A workspace whose file system has no locks, with its ledger elsewhere; its lock is the file that is given too."""

    def flock(file, how):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", flock)
    return Workspace(tmp_path / "w", tmp_path / "local"), tmp_path / "w" / ".linstudy" / "lock.owner"


def test_without_locks_a_file_is_the_lock_where_the_ledger_is_elsewhere(without_locks):
    workspace, file = without_locks
    assert workspace.holder() is None
    with workspace.lock():
        assert workspace.holder() == Holder(os.getpid(), socket.gethostname())
        words = f"in use by process {os.getpid()} on .*the file {file} stands for one: .*delete the file"
        with pytest.raises(WorkspaceError, match=words), workspace.lock():
            pass
        assert file.exists(), "who was refused takes nothing away"
    assert not file.exists()
    assert workspace.holder() is None
    with workspace.lock():
        pass


def test_a_machine_with_locks_respects_one_without(without_locks, monkeypatch):
    workspace, _ = without_locks
    with workspace.lock():
        monkeypatch.undo()
        for place in (workspace, Workspace(workspace.root)):
            with pytest.raises(WorkspaceError, match=f"process {os.getpid()}"), place.lock():
                pass
        assert workspace.holder().pid == os.getpid()


def ended_process():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("holder", "is_passed_over"),
    [
        ({"pid": ended_process, "host": socket.gethostname()}, True),
        ({"pid": os.getppid, "host": socket.gethostname()}, False),
        ({"pid": ended_process, "host": "n7"}, False),
        ({"pid": ended_process, "host": "n7", "job": ["12", 0]}, True),
        ({"pid": ended_process, "host": "n7", "job": ["12", 1]}, False),
        ({"pid": ended_process, "host": "n7", "job": ["11", 0]}, False),
        (None, False),
    ],
)
def test_only_the_file_of_a_process_that_is_known_to_be_gone_is_passed_over(
    without_locks, monkeypatch, holder, is_passed_over
):
    """Job 12 of Slurm runs here, requeued once."""
    workspace, file = without_locks
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({**holder, "pid": holder["pid"]()}) if holder else "")
    assert (workspace.holder() is None) == is_passed_over
    if is_passed_over:
        with workspace.lock():
            assert workspace.holder().job == ("12", 1)
    else:
        with pytest.raises(WorkspaceError, match="is in use by"), workspace.lock():
            pass
    assert file.exists() != is_passed_over


def test_a_file_that_another_process_made_meanwhile_stays(without_locks, monkeypatch):
    """Two find the file of a process that is gone; the slower one must not take the lock of the faster."""
    workspace, file = without_locks
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"pid": ended_process(), "host": socket.gethostname()}))
    other = json.dumps({"pid": os.getppid(), "host": socket.gethostname()})
    rename = Path.rename

    def late(path, target):
        path.write_text(other)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", late)
    with pytest.raises(WorkspaceError, match=f"process {os.getppid()}"), workspace.lock():
        pass
    assert file.read_text() == other


def test_a_slow_disk_is_told(tmp_path, monkeypatch):
    assert "--ledger" not in Workspace(tmp_path).check()
    monkeypatch.setattr("linstudy.store.workspace._seconds_to_sync", lambda file: 0.12)
    advice = "`linstudy run --ledger DIR`, with a folder on a local disk, does not wait for that"
    assert Workspace(tmp_path).check().endswith(f". To sync a file takes 120 ms there: {advice}")


def test_another_users_lock_is_told(tmp_path, monkeypatch):
    def opened(path, *arguments, **further):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with Workspace(tmp_path).lock():
        pass
    monkeypatch.setattr(Path, "open", opened)
    owner = Path(tmp_path).owner()
    with pytest.raises(LockError, match=f"lock belongs to {owner} and cannot be opened. Run as {owner}"):
        Workspace(tmp_path).lock().__enter__()
    assert Workspace(tmp_path).holder() is not None, "it cannot be known that nobody holds it"
