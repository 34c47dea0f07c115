"""The ledger on another disk while it is open, and what a crash leaves of it."""

import errno
import json
import os
import subprocess
import sys

import pytest

from linstudy.facts import Ending, Report
from linstudy.store import working_copy
from linstudy.store.database import LedgerError, give_up_lost, log
from linstudy.store.ledger import Ledger
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace


@pytest.fixture
def local(tmp_path):
    return tmp_path / "local disk"


@pytest.fixture
def away(workspace, local):
    """The workspace, for a run with its ledger elsewhere."""
    return Workspace(workspace.root, local)


def record(ledger, run_id):
    attempt = ledger.begin(run_id, {})
    ledger.record(Report(attempt, (Ending("done"),)))
    ledger.flush()


def runs(workspace):
    """The runs that were tried, by the ledger."""
    with Ledger.open(workspace) as ledger:
        return sorted(ledger.stored())


def kill(ledger):
    """Let the file be, as the end of its process does, but for what DuckDB merges into it."""
    ledger._connection.close()


def test_the_ledger_is_elsewhere_while_it_is_open_and_then_back(workspace, away, local):
    with Ledger.open(workspace) as ledger:
        record(ledger, "a")
    before = workspace.ledger.read_bytes()
    with Ledger.open(away) as ledger:
        record(ledger, "b")
        [file] = local.glob("*.duckdb")
        assert ledger.working_copy == file
        assert json.loads(workspace.away.read_text())["path"] == str(file)
        assert workspace.ledger.read_bytes() == before
        publish(ledger, workspace.results)
        assert list(local.glob("*.publishing")) == []
    assert list(local.iterdir()) == []
    assert not workspace.away.exists()
    assert runs(workspace) == ["a", "b"]


def test_a_first_run_may_have_its_ledger_elsewhere(workspace, away, local):
    workspace.private.mkdir(parents=True)
    with Ledger.open(away) as ledger:
        record(ledger, "a")
        assert not workspace.ledger.exists()
    assert runs(workspace) == ["a"]
    assert runs(away) == ["a"]


def test_what_is_published_becomes_the_ledger_elsewhere(workspace, away):
    with Ledger.open(workspace) as ledger:
        record(ledger, "a")
        publish(ledger, workspace.results)
    workspace.ledger.unlink()
    assert runs(away) == ["a"]


@pytest.mark.parametrize("next_is_away", [False, True])
def test_a_copy_that_a_killed_run_left_here_is_found(workspace, away, local, next_is_away):
    workspace.private.mkdir(parents=True)
    ledger = Ledger.open(away)
    record(ledger, "a")
    publish(ledger, workspace.results)
    record(ledger, "b")
    kill(ledger)
    assert give_up_lost(workspace) is None
    assert runs(away if next_is_away else workspace) == ["a", "b"]
    assert list(local.iterdir()) == []


KILLED = """
import os, sys
from pathlib import Path
from linstudy.facts import Ending, Report
from linstudy.store.ledger import Ledger
from linstudy.store.workspace import Workspace
ledger = Ledger.open(Workspace(Path(sys.argv[1]), Path(sys.argv[2])))
attempt = ledger.begin("b", {})
ledger.record(Report(attempt, (Ending("done"),)))
ledger.flush()
os._exit(9)
"""


def test_what_duckdb_had_not_merged_when_the_run_was_killed_is_found_too(workspace, away, local):
    with Ledger.open(workspace) as ledger:
        record(ledger, "a")
    assert subprocess.run([sys.executable, "-c", KILLED, str(away.root), str(local)], check=False).returncode == 9
    [file] = local.glob("*.duckdb")
    assert log(file).exists()
    assert runs(workspace) == ["a", "b"]
    assert list(local.iterdir()) == []


def test_what_duckdb_had_not_merged_into_the_workspaces_own_is_taken_along(workspace, away, local):
    workspace.private.mkdir(parents=True)
    code = KILLED.replace(", Path(sys.argv[2])", "")
    assert subprocess.run([sys.executable, "-c", code, str(workspace.root)], check=False).returncode == 9
    assert log(workspace.ledger).exists()
    with Ledger.open(away) as ledger:
        record(ledger, "c")
    assert not log(workspace.ledger).exists()
    assert runs(workspace) == ["b", "c"]


def test_a_copy_on_a_lost_disk_is_named_and_the_published_state_goes_on(workspace, away, local):
    with Ledger.open(workspace) as ledger:
        record(ledger, "a")
    ledger = Ledger.open(away)
    record(ledger, "b")
    publish(ledger, workspace.results)
    record(ledger, "c")
    kill(ledger)
    [file] = local.iterdir()
    file.unlink()
    host = json.loads(workspace.away.read_text())["host"]
    words = f"the ledger of the last run is not here: it lies on {host}, in {file}"
    with pytest.raises(LedgerError, match=f"{words}.*`linstudy run STUDY` goes on without it; or give this command on"):
        Ledger.open(workspace)
    told = give_up_lost(workspace)
    assert told.startswith(f"{words}. {workspace.results} is of ")
    assert told.endswith(
        "; what was recorded after that is missing, and is made again. That file counts for nothing from now on"
    )
    assert runs(workspace) == ["a", "b"]
    assert give_up_lost(workspace) is None


def test_where_nothing_was_published_since_the_workspaces_own_ledger_goes_on(workspace, away, local):
    with Ledger.open(workspace) as ledger:
        record(ledger, "a")
        publish(ledger, workspace.results)
        record(ledger, "b")
    ledger = Ledger.open(away)
    record(ledger, "c")
    kill(ledger)
    [file] = local.iterdir()
    file.unlink()
    assert f". {workspace.ledger} is of " in give_up_lost(workspace)
    assert runs(workspace) == ["a", "b"]


def test_a_first_run_that_is_lost_before_it_published_leaves_nothing(workspace, away, local):
    workspace.private.mkdir(parents=True)
    kill(Ledger.open(away))
    [file] = local.iterdir()
    file.unlink()
    assert ". nothing was published before; " in give_up_lost(workspace)
    assert runs(workspace) == []


def test_a_copy_that_cannot_be_brought_back_stays_and_is_found_later(workspace, away, local, monkeypatch):
    with Ledger.open(workspace) as ledger:
        record(ledger, "a")
    copy_file = working_copy.copy_file

    def fill_up(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    ledger = Ledger.open(away)
    record(ledger, "b")
    monkeypatch.setattr(working_copy, "copy_file", fill_up)
    with pytest.raises(LedgerError, match=r"cannot be brought back to .* \(No space left on device\). It lies on"):
        ledger.close()
    monkeypatch.setattr(working_copy, "copy_file", copy_file)
    assert runs(workspace) == ["a", "b"]
    assert list(local.iterdir()) == []


def test_a_copy_that_is_not_finished_is_none(workspace, away, local, monkeypatch):
    """The run ends as the copy is made: there is no note yet, and the workspace's own ledger is the ledger."""
    with Ledger.open(workspace) as ledger:
        record(ledger, "a")

    def end(workspace, file):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(working_copy, "note", end)
        with pytest.raises(KeyboardInterrupt):
            Ledger.open(away)
    assert runs(workspace) == ["a"]
