"""The task that stays beside a worker's process in a Dask cluster, and carries lines between it and the coordinator."""

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linstudy.workers.logs import LogWriter
from linstudy.workers.peer import SECONDS_TO_LEAVE
from linstudy.workers.processes import kill_group, start_process, wait

_POLL = 1.0
"""Seconds between two looks at whether the task is still wanted."""

_SECONDS_TO_BE_TOLD = 30.0
"""For a task to be told something first: one that Dask has started a second time never is."""

_CHUNK = 2**16


def carry(name: str, reports: str, log: str, environment: Mapping[str, str]) -> None:
    """Dask's task: start a worker's process here, and carry lines there and back until it ends.

    Args:
        name: Of this task, and of the queue of its commands.
        reports: The queue of what the process says.
        log: The file of what it prints.
        environment: Variables of the coordinator.
    """
    from distributed import Queue, get_client, get_worker, secede

    client, worker = get_client(), get_worker()
    secede()  # others can use the Dask worker's threads, and an adaptive cluster does not close it
    commands, said = Queue(name, client=client), Queue(reports, client=client)
    process = start_process((), {**_own_environment(worker), **environment}, _seconds_left(worker))
    printed = LogWriter(Path(log).parent, Path(log).name)
    has_ended = threading.Event()
    threads = [
        threading.Thread(target=printed.follow, args=(process.stderr,), daemon=True),
        threading.Thread(target=_feed, args=(process, commands), daemon=True),
        threading.Thread(target=_watch_task, args=(process, worker, name, has_ended), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        while data := process.stdout.read1(_CHUNK):  # type: ignore[union-attr]
            said.put([name, data])
        status = wait(process)
        threads[0].join(timeout=SECONDS_TO_LEAVE)
        with contextlib.suppress(OSError, ValueError):
            printed.close()
        commands.put(None)  # ends `_feed`, before the coordinator lets go of the queue
        said.put([name, b"", status, printed.last_words()])
    finally:
        has_ended.set()
        kill_group(process)
        process.wait()
        with contextlib.suppress(Exception):
            commands.put(None)
            said.close()


def _seconds_left(worker: Any) -> float | None:
    """What is left of the Dask worker's `--lifetime`, which begins with its process."""
    import psutil

    return worker.lifetime and psutil.Process().create_time() + worker.lifetime - time.time()


def _own_environment(worker: Any) -> dict[str, str]:
    """The Dask worker's, without the limits of threads that its nanny has set for tasks that share a process."""
    import dask.config

    limits = dask.config.get("distributed.nanny.pre-spawn-environ", {}) if worker.nanny else {}
    set_by_nanny = {(name, str(value)) for name, value in limits.items()}
    return dict(os.environ.items() - set_by_nanny)


def _feed(process: subprocess.Popen[bytes], commands: Any) -> None:
    """Tell the process what the coordinator says."""
    with contextlib.suppress(Exception), process.stdin as stream:  # type: ignore[union-attr]
        command = commands.get(timeout=_SECONDS_TO_BE_TOLD)
        while command is not None:
            stream.write(command)
            stream.flush()
            command = commands.get()
    with contextlib.suppress(Exception):
        commands.close()


def _watch_task(process: subprocess.Popen[bytes], worker: Any, name: str, has_ended: threading.Event) -> None:
    """End the process when nobody wants the task any more, or the Dask worker closes."""
    while not has_ended.wait(timeout=_POLL):
        task = worker.state.tasks.get(name)
        if task is None or task.state == "cancelled" or worker.status.name.startswith("clos"):
            return kill_group(process)
