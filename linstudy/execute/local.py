"""Workers that are processes of this machine, children of this one."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, TextIO

from linstudy.execute.logs import LogWriter
from linstudy.execute.messages import Command, Sender, receive
from linstudy.execute.programs import compilation_cache
from linstudy.execute.worker import Settings
from linstudy.execute.workers import Inbox, Lost, Share, Worker, Workers
from linstudy.store.workspace import Workspace

SECONDS_TO_LEAVE = 10
"""For a worker that has nothing to do to end by itself."""

_CHUNK = 2**16


def local_workers(
    workspace: Workspace, study_folder: Path, data_folder: Path | None, scratch: Path | None = None
) -> "LocalWorkers":
    """Workers that compute for a workspace on this machine.

    Args:
        study_folder: Where the relative paths of its runs begin.
        scratch: Where files go that exceed memory; beside the artifacts if None.
    """
    settings = Settings(
        artifacts=str(workspace.artifacts.absolute()),
        study_folder=str(study_folder.absolute()),
        data_folder=str(data_folder.absolute()) if data_folder else None,
        scratch=str(scratch.absolute()) if scratch else None,
    )
    return LocalWorkers(settings, compilation_cache(workspace), workspace.logs)


@dataclass(frozen=True)
class LocalWorkers(Workers):
    """Starts workers here.

    Attributes:
        settings: What each worker is told on its command line, but for its share.
        environment: Variables of all of them.
        logs: The folder of logs.
    """

    settings: Settings
    environment: Mapping[str, str]
    logs: Path

    def start(self, share: Share, inbox: Inbox) -> Worker:
        own_read, their_write = os.pipe()
        their_read, own_write = os.pipe()
        theirs = (their_read, their_write)
        settings = replace(self.settings, memory=share.memory, cpus=share.cpus)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "linstudy.execute.worker", json.dumps(asdict(settings)), *map(str, theirs)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=theirs,
            env={**os.environ, **self.environment, **share.environment, **_import_path()},
            cwd=self.settings.study_folder,  # where a relative path in a user's model is looked for first
            start_new_session=True,  # Ctrl-C reaches the coordinator alone, which asks its workers to stop
        )
        for descriptor in theirs:
            os.close(descriptor)
        name = f"worker-{datetime.now(UTC):%Y%m%dT%H%M%S}-{process.pid}.log"
        worker = LocalWorker(process, os.fdopen(own_write, "w", encoding="utf-8"), LogWriter(self.logs, name))
        messages = os.fdopen(own_read, encoding="utf-8", errors="replace", newline="\n")
        threading.Thread(target=worker.listen, args=(messages, inbox), daemon=True).start()
        return worker


class LocalWorker(Worker):
    """A process, the channel to it, and the log of what it prints."""

    def __init__(self, process: subprocess.Popen, commands: TextIO, log: LogWriter):
        self._process, self._commands, self._log = process, commands, log
        self._sender = Sender(commands)

    def send(self, command: Command) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._sender.send(command)

    def kill(self) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)  # with what a user's model may have started

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._commands.close()
        self._end()

    def listen(self, messages: TextIO, inbox: Inbox) -> None:
        """Hand on what is said until the process ends; whatever goes wrong here is the loss of the worker."""
        printed = threading.Thread(target=self._write_log, args=(self._process.stdout,), daemon=True)
        reason = ""
        try:
            printed.start()
            for message in receive(messages):
                inbox.put((self, message))  # type: ignore[arg-type]
        except Exception as error:
            reason = f"its messages cannot be read: {type(error).__name__}: {error}"
            self.kill()
        finally:
            status = self._end()
            try:
                printed.join(timeout=SECONDS_TO_LEAVE)
                messages.close()
                with contextlib.suppress(OSError, ValueError):
                    self._log.close()
            finally:
                inbox.put((self, Lost(reason or _death(status), self._log.last_words())))

    def _end(self) -> int:
        """The exit status of the process, which is given some seconds to end by itself."""
        try:
            return self._process.wait(timeout=SECONDS_TO_LEAVE)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def _write_log(self, stream: BinaryIO) -> None:
        with stream:
            while data := stream.read1(_CHUNK):  # type: ignore[attr-defined]
                with contextlib.suppress(OSError, ValueError):  # a full disk must not stop what prints, nor odd marks
                    self._log.feed(data)


def _import_path() -> dict[str, str]:
    """The user's own PYTHONPATH, which may name folders relative to the current one."""
    paths = [os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return {"PYTHONPATH": os.pathsep.join(paths)} if paths else {}


def _death(status: int) -> str:
    if status >= 0:
        return f"the worker process ended with exit status {status}"
    name = signal.Signals(-status).name
    hint = ", probably for want of memory: give less by --memory, or take fewer --workers" if name == "SIGKILL" else ""
    return f"the worker process was killed by {name}{hint}"
