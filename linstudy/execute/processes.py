"""Workers that are processes: children of this one, or of a launcher that starts them elsewhere."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from linstudy.execute.lease import SILENCE
from linstudy.execute.logs import LogWriter
from linstudy.execute.messages import Beat, Command, Garbled, Message, Sender, receive
from linstudy.execute.worker import Settings
from linstudy.execute.workers import Inbox, Lost, Share, Worker, Workers
from linstudy.store.files import replacement
from linstudy.store.workspace import Workspace

SECONDS_TO_LEAVE = 10
"""For a worker that has nothing to do to end by itself."""

_CHUNK = 2**16
_KILLED = 128


def worker_processes(
    workspace: Workspace,
    study_folder: Path,
    data_folder: Path | None,
    scratch: Path | None = None,
    *,
    shares: Sequence[Share] = (Share(),),
    launcher: Sequence[str] = (),
) -> "Processes":
    """Workers that compute for a workspace.

    Args:
        study_folder: Where the relative paths of its runs begin.
        scratch: Where files go that exceed memory; beside the artifacts if None.
        shares: What each may use.
        launcher: The words before a worker's command, such as `srun --ntasks=1` or `ssh host`; none for one that runs
            here.
    """
    settings = Settings(
        artifacts=str(workspace.artifacts.absolute()),
        study_folder=str(study_folder.absolute()),
        data_folder=str(data_folder.absolute()) if data_folder else None,
        scratch=str(scratch.absolute()) if scratch else None,
        compile_cache=str(workspace.compile_cache.absolute()),
        mark=_mark(workspace) if launcher else None,
    )
    return Processes(settings, workspace.logs, tuple(shares), tuple(launcher))


@dataclass(frozen=True)
class Processes(Workers):
    """Starts workers as processes.

    Attributes:
        settings: What each worker is told, but for its share.
        logs: The folder of logs.
        shares: What each may use.
        launcher: The words before a worker's command.
    """

    settings: Settings
    logs: Path
    shares: tuple[Share, ...] = (Share(),)
    launcher: tuple[str, ...] = ()

    def places(self) -> Sequence[Share]:
        return self.shares

    def start(self, share: Share, inbox: Inbox) -> Worker:
        settings = replace(self.settings, memory=share.memory, cpus=share.cpus, environment=dict(share.environment))
        process = subprocess.Popen(
            # plain words alone: `ssh` gives them to a shell
            [*self.launcher, sys.executable, "-P", "-m", "linstudy.execute.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **_import_path()},
            start_new_session=True,  # Ctrl-C reaches the coordinator alone, which asks its workers to stop
        )
        name = f"worker-{datetime.now(UTC):%Y%m%dT%H%M%S}-{process.pid}.log"
        worker = Process(process, settings, LogWriter(self.logs, name))
        threading.Thread(target=worker.listen, args=(inbox,), daemon=True).start()
        return worker


class Process(Worker):
    """A process, the channel to it, and the log of what it prints."""

    def __init__(self, process: subprocess.Popen[bytes], settings: Settings, log: LogWriter):
        assert process.stdin
        assert process.stdout
        self._process, self._log = process, log
        self._commands = io.TextIOWrapper(process.stdin, encoding="utf-8")
        self._messages = io.TextIOWrapper(process.stdout, encoding="utf-8", errors="replace", newline="\n")
        self._sender = Sender(self._commands)
        self._is_remote = settings.mark is not None
        self._reason = ""
        self._heard = 0.0
        self._has_ended = threading.Event()
        with contextlib.suppress(OSError):
            self._commands.write(json.dumps(asdict(settings)) + "\n")
            self._commands.flush()

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

    def listen(self, inbox: Inbox) -> None:
        """Hand on what is said until the process ends; whatever goes wrong here is the loss of the worker."""
        printed = threading.Thread(target=self._write_log, args=(self._process.stderr,), daemon=True)
        try:
            printed.start()
            for message in self._hear():
                inbox.put((self, message))  # type: ignore[arg-type]
        except Exception as error:
            self._give_up(f"its messages cannot be read: {type(error).__name__}: {error}")
        finally:
            status = self._end()
            self._has_ended.set()
            try:
                printed.join(timeout=SECONDS_TO_LEAVE)
                self._messages.close()
                with contextlib.suppress(OSError, ValueError):
                    self._log.close()
            finally:
                inbox.put((self, Lost(self._reason or _death(status), self._log.last_words(), self._is_remote)))

    def _hear(self) -> Iterator[Message | Garbled]:
        """What is said, but for beats, each of which is answered."""
        for message in receive(self._messages):
            if not isinstance(message, Beat):
                yield message
                continue
            is_first, self._heard = not self._heard, time.monotonic()
            if is_first:
                threading.Thread(target=self._watch, daemon=True).start()
            self.send(message)

    def _watch(self) -> None:
        """Give the worker up when its beats stop."""
        while not self._has_ended.wait(timeout=max(0.0, self._heard + SILENCE - time.monotonic())):
            if time.monotonic() - self._heard >= SILENCE:
                return self._give_up(f"nothing was heard of it for {SILENCE:g} s")

    def _give_up(self, reason: str) -> None:
        self._reason = reason
        self.kill()

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


def _mark(workspace: Workspace) -> tuple[str, str]:
    """The workspace's mark, which is made if there is none."""
    file = workspace.mark
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacement(file) as place:
            place.write_text(uuid4().hex)
    return str(file.absolute()), file.read_text()


def _import_path() -> dict[str, str]:
    """The user's own PYTHONPATH, which may name folders relative to the current one."""
    paths = [os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return {"PYTHONPATH": os.pathsep.join(paths)} if paths else {}


def _death(status: int) -> str:
    number = -status if status < 0 else status - _KILLED  # a launcher tells of a killed process as a shell does
    if number not in set(signal.Signals):
        return f"the worker process ended with exit status {status}"
    name = signal.Signals(number).name
    hint = ", probably for want of memory: give less by --memory, or take fewer --workers" if name == "SIGKILL" else ""
    return f"the worker process was killed by {name}{hint}"
