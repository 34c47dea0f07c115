"""A worker as the coordinator sees it: a process, its messages, its log."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue

from linstudy.execute.messages import Message, RunCommand, StopCommand, parse, send


@dataclass(frozen=True)
class Lost:
    """The worker's process has ended, with this exit status."""

    status: int

    def __str__(self) -> str:
        if self.status >= 0:
            return f"the worker process ended with exit status {self.status}"
        name = signal.Signals(-self.status).name
        hint = "; the system kills a process so when memory runs out" if name == "SIGKILL" else ""
        return f"the worker process was killed by {name}{hint}"


Inbox = Queue[tuple["WorkerProcess", Message | Lost]]


@dataclass(eq=False)
class WorkerProcess:
    """A running worker. Its messages arrive in the inbox; `runs` are what it is at."""

    process: subprocess.Popen
    log: Path
    environment: dict[str, str]
    runs: list[str] = field(default_factory=list)
    device: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    def start(self, command: RunCommand) -> None:
        """Hand it runs; a worker that is gone is noticed by its `Lost`."""
        self.runs = [run.run_id for run in command.runs]
        self._tell(command)

    def ask_to_stop(self) -> None:
        """End what it is at, at the next safe point."""
        self._tell(StopCommand())

    def kill(self) -> None:
        """End the process now."""
        self.process.kill()

    def close(self) -> None:
        """Let an idle worker go: it ends when its input does."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()  # type: ignore[union-attr]
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_words(self) -> str:
        """The end of its log."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])
        return ""

    def _tell(self, message: RunCommand | StopCommand) -> None:
        with contextlib.suppress(OSError):
            send(self.process.stdin, message)  # type: ignore[arg-type]


def start_worker(
    artifacts: Path, log: Path, environment: Mapping[str, str], import_folders: Sequence[Path], inbox: Inbox
) -> WorkerProcess:
    """Start a worker whose standard error goes to `log`."""
    paths = [*map(str, import_folders), *filter(None, [os.environ.get("PYTHONPATH")])]
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "linstudy.execute.worker", str(artifacts)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(paths)},
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C reaches the coordinator alone, which asks its workers to stop
        )
    worker = WorkerProcess(process, log, dict(environment))
    threading.Thread(target=_listen, args=(worker, inbox), daemon=True).start()
    return worker


def _listen(worker: WorkerProcess, inbox: Inbox) -> None:
    for line in worker.process.stdout:  # type: ignore[union-attr]
        try:
            message = parse(line)
        except ValueError:
            continue  # a line cut off by the worker's death; `Lost` follows
        inbox.put((worker, message))
    inbox.put((worker, Lost(worker.process.wait())))
