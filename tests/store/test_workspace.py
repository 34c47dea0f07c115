import subprocess
import sys

import pytest

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
    import socket

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
        (tmp_path / ".linstudy" / "holder.json").write_text("{")
        with pytest.raises(WorkspaceError, match="another process"), Workspace(tmp_path).lock():
            pass
