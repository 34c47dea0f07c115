"""SIGKILL at random times, to the coordinator, its worker, or both at once."""

import os
import random
import signal
import subprocess
import time

from bench import Bench

KILLS_A_STUDY = 8
"""After so many the study is left in peace, so that slow machines come to an end too."""

TARGETS = ("coordinator", "worker", "both")


def disturb(bench: Bench, chance: random.Random, seconds: float) -> int:
    """Kill, and give the same command again, until the study is done.

    Args:
        seconds: What the study takes undisturbed.

    Returns:
        How many times something was killed.
    """
    kills, process = 0, bench.start()
    while kills < KILLS_A_STUDY:
        if not _lives(process, chance.uniform(0, seconds / 2)):
            if bench.wait(process).status == 0:
                return kills
            process = bench.start()
        elif _kill(chance.choice(TARGETS), bench, process):
            kills += 1
    bench.wait(process)
    bench.finish()
    return kills


def _lives(process: subprocess.Popen, seconds: float) -> bool:
    """Whether a process still runs after a while."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    return process.poll() is None


def _kill(target: str, bench: Bench, process: subprocess.Popen) -> bool:
    """Whether there was something to kill: a worker may not have started yet."""
    workers = bench.workers() if target != "coordinator" else []
    if target == "worker" and not workers:
        return False
    for pid in [*workers, *([process.pid] if target != "worker" else [])]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
    return True
