import pytest
from small_history import PROBE, TRAINING, attempt, make_history

from linstudy.describe.log_reader import find_log, follow_log, read_log
from linstudy.facts import Ending, Report
from linstudy.spec.errors import LinstudyError
from linstudy.store.ledger import Ledger
from linstudy.store.snapshot import publish


def test_the_log_of_the_last_attempt_and_of_another(tmp_path):
    workspace = make_history(tmp_path)
    workspace.logs.mkdir()
    (workspace.logs / f"{TRAINING}-2.log").write_bytes(b"one\xff")
    assert find_log(TRAINING, workspace).attempt == 3
    assert b"".join(read_log(find_log(TRAINING, workspace, 2))) == b"one\xff"
    assert b"".join(read_log(find_log(TRAINING, workspace))) == b""


@pytest.mark.parametrize(
    ("run_id", "attempt", "message"),
    [
        (PROBE, None, f"run {PROBE} has not been started yet, so there is no log of it"),
        (TRAINING, 7, rf"run {TRAINING} has no attempt 7\. Its attempts: 2, 3"),
    ],
)
def test_a_log_that_is_not_there(tmp_path, run_id, attempt, message):
    with pytest.raises(LinstudyError, match=message):
        find_log(run_id, make_history(tmp_path), attempt)


def test_a_log_is_read_from_the_folder_of_logs_alone(tmp_path):
    """Whatever a record from elsewhere says."""
    workspace = make_history(tmp_path)
    (tmp_path / "secret").write_text("secret")
    with Ledger.open(workspace) as ledger:
        number = ledger.begin(PROBE, {"log": "../secret"})
        ledger.flush()
        publish(ledger, workspace.results)
    log = find_log(PROBE, workspace)
    assert (log.attempt, log.path) == (number, workspace.logs / "secret")
    assert list(read_log(log)) == []


def test_a_log_is_followed_until_its_attempt_is_over(tmp_path):
    workspace = make_history(tmp_path)
    steps = []
    with workspace.lock(), Ledger.open(workspace) as ledger:
        attempt(ledger, PROBE)
        publish(ledger, workspace.results)
        log = find_log(PROBE, workspace)

        def pause(_):
            steps.append(len(steps))
            if len(steps) == 1:
                workspace.logs.mkdir()
                log.path.write_bytes(b"first ")
            else:
                with log.path.open("ab") as file:
                    file.write(b"last")
                ledger.record(Report(log.attempt, (Ending("done"),)))
                ledger.flush()
                publish(ledger, workspace.results)

        assert b"".join(follow_log(log, workspace, pause)) == b"first last"


def test_an_attempt_that_has_printed_is_found_before_it_is_published(tmp_path):
    workspace = make_history(tmp_path)
    workspace.logs.mkdir()
    for name in (f"{PROBE}-9.log", f"{PROBE}-worker.log", f"{TRAINING}-10.log"):
        (workspace.logs / name).write_bytes(b"new")
    log = find_log(PROBE, workspace)
    assert (log.attempt, list(read_log(log))) == (9, [b"new"])
    assert list(follow_log(log, workspace, pause=lambda _: None)) == [b"new"]


def test_a_log_is_over_when_its_process_is_gone(tmp_path):
    workspace = make_history(tmp_path)
    with Ledger.open(workspace) as ledger:
        attempt(ledger, PROBE)
        publish(ledger, workspace.results)
    log = find_log(PROBE, workspace)
    assert list(follow_log(log, workspace, pause=lambda _: None)) == []
