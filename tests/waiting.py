"""Waiting for what other processes bring about, never without an end."""

import time
from pathlib import Path


def wait_for(condition, process=None, seconds=120, describe=lambda: None):
    """Until a condition holds; a process, where one is given, has not ended before."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, describe()
        time.sleep(0.02)
    return found


def wait_until_gone(pid, seconds=20):
    """Until there is no such process."""
    entry = Path(f"/proc/{pid}")
    wait_for(lambda: not entry.exists(), seconds=seconds, describe=lambda: f"process {pid} is still there")
