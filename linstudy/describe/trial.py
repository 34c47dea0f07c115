"""Whether a worker can be started by a launcher, and what it finds where it is."""

import importlib.metadata
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue

from linstudy.describe.doctor import Finding
from linstudy.execute.crew import SECONDS_TO_START
from linstudy.store.workspace import Workspace
from linstudy.workers.contract import Event, Inbox, Lost
from linstudy.workers.launch import Launch
from linstudy.workers.messages import Hello
from linstudy.workers.processes import worker_processes


def try_launch(launch: Launch, workspace: Workspace, data_folder: Path | None) -> Iterator[Finding]:
    """What comes of starting one worker, which computes nothing. It looks for the folders that a study would need."""
    processes = worker_processes(workspace, Path(), data_folder, shares=launch.shares, launcher=launch.launcher)
    inbox: Inbox = Queue()
    began = time.monotonic()
    worker = processes.start(launch.shares[0], inbox)
    try:
        event = _first_event(inbox)
    finally:
        worker.kill()
    if not isinstance(event, Hello):
        reason = event.reason if isinstance(event, Lost) else f"it was not ready within {SECONDS_TO_START:g} s"
        printed = f". It printed:\n{event.last_words}" if isinstance(event, Lost) and event.last_words else ""
        yield Finding(f"no worker could be started: {reason}{printed}", False)
        return
    yield Finding(
        f"a worker was ready after {time.monotonic() - began:.1f} s on {event.host}, which has the workspace too; it "
        f"computes on {event.device}"
    )
    yield _compare_versions(event)


def _first_event(inbox: Inbox) -> Event | None:
    """That it is ready, or gone; None if it is neither in time. Signals are not its concern."""
    deadline = time.monotonic() + SECONDS_TO_START
    try:
        while True:
            _, event = inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            if isinstance(event, Hello | Lost):
                return event
    except Empty:
        return None


def _compare_versions(hello: Hello) -> Finding:
    here = {name: importlib.metadata.version(name) for name in hello.versions}
    differing = [f"{name} {there} (here {here[name]})" for name, there in hello.versions.items() if there != here[name]]
    if not differing:
        return Finding("the packages there are those here")
    return Finding(f"the packages there are others, so that numbers may differ: {', '.join(differing)}", False)
