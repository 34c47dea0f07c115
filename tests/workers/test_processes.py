"""What the end of a process tells."""

import resource

import pytest

from linstudy.workers import processes
from linstudy.workers.processes import death

OOM = "slurmstepd: error: Detected 1 oom_kill event in StepId=7.0. Some of the step tasks have been OOM Killed."

CANCELLED = "slurmstepd-n1: error: *** STEP 20.1 ON n1 CANCELLED AT 2026-11-30T10:52:11 ***"


@pytest.mark.parametrize(
    ("status", "printed", "reason", "is_for_memory"),
    [
        (-9, "", "was killed by SIGKILL, probably for want of memory: give less by --memory", True),
        (137, "srun: error: n1: task 0: Killed", "was killed by SIGKILL, probably for want of memory", True),
        (1, OOM, "ended with exit status 1, probably for want of memory", True),
        (-15, "", "was killed by SIGTERM", False),
        (143, "", "was killed by SIGTERM", False),
        (1, "the room is full, and so is the zoom", "ended with exit status 1", False),
        (0, OOM, "ended", False),
        (0, "srun: error: Node failure on n2", "ended", False),
        (137, CANCELLED, "was killed by SIGKILL", False),
        (137, f"{CANCELLED}\n{OOM}", "was killed by SIGKILL, probably for want of memory", True),
    ],
)
def test_a_death_tells_whether_it_was_for_memory(status, printed, reason, is_for_memory):
    found = death(status, printed)
    assert found.reason.startswith(f"the worker process {reason}")
    assert found.reason.endswith("--workers" if is_for_memory else reason)
    assert (found.last_words, found.for_memory, found.is_cut) == (printed, is_for_memory, False)


def test_a_connection_of_ssh_that_broke_is_told_from_a_process_that_ended():
    """Of `ssh` that status is: an error of its own."""
    assert death(255, "client_loop: send disconnect: Broken pipe").is_cut


@pytest.mark.parametrize(
    ("limits", "number", "expected"),
    [
        ((1024, 4096), 100, None),
        ((1024, 4096), 600, (1112, 4096)),
        ((1024, 1100), 600, (1100, 1100)),
        ((1024, resource.RLIM_INFINITY), 600, (1112, resource.RLIM_INFINITY)),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 600, None),
    ],
)
def test_many_workers_may_have_more_files_open_than_is_usual(monkeypatch, limits, number, expected):
    found = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda which, values: found.append(values))
    processes._allow_files(number)
    assert found == ([expected] if expected else [])
