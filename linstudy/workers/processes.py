"""Workers that are processes: children of this one, or of a launcher that starts them elsewhere."""

import contextlib
import io
import os
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from linstudy.store.files import replacement
from linstudy.store.workspace import Workspace
from linstudy.workers.contract import Inbox, Share, Worker, Workers
from linstudy.workers.lease import LEASE
from linstudy.workers.logs import LogWriter
from linstudy.workers.peer import SECONDS_TO_LEAVE, Death, Link, Peer
from linstudy.workers.settings import Settings

_KILLED = 128

_CUT = 255
"""The exit status of `ssh` where its connection broke."""

_OWN_FILES, _FILES_OF_A_WORKER = 512, 4
"""That are open here at most: three pipes and a log of a worker, and what databases and libraries may take."""

_OOM = re.compile(r"\boom[-_ ]kill", re.IGNORECASE)
"""In what Slurm says of a step: `Detected 1 oom_kill event in StepId=7.0.`"""

_CANCELLED = re.compile(r"\*\*\* (STEP|JOB) \S+ ON \S+ CANCELLED ")
"""In what Slurm says of one that somebody, or a limit, has ended: `*** STEP 7.0 ON n1 CANCELLED AT … ***`"""


def worker_processes(
    workspace: Workspace,
    study_folder: Path,
    data_folder: Path | None,
    scratch: Path | None = None,
    *,
    shares: Sequence[Share] = (Share(),),
    launcher: Sequence[str] = (),
    lease: float = LEASE,
) -> "Processes":
    """Workers that compute for a workspace.

    Args:
        study_folder: Where the relative paths of its runs begin.
        scratch: Where files go that exceed memory; beside the artifacts if None.
        shares: What each may use.
        launcher: The words before a worker's command, such as `srun --ntasks=1` or `ssh host`; none for one that runs
            here.
        lease: Seconds that one of a launcher may write since it was heard.
    """
    settings = worker_settings(workspace, study_folder, data_folder, scratch, lease if launcher else None)
    _allow_files(_FILES_OF_A_WORKER * len(shares))
    return Processes(settings, workspace.logs, tuple(shares), tuple(launcher))


def worker_settings(
    workspace: Workspace, study_folder: Path, data_folder: Path | None, scratch: Path | None, lease: float | None
) -> Settings:
    """What each worker is told, but for its share; with a lease if it may be on another machine."""
    return Settings(
        artifacts=str(workspace.artifacts.absolute()),
        study_folder=str(study_folder.absolute()),
        data_folder=str(data_folder.absolute()) if data_folder else None,
        scratch=str(scratch.absolute()) if scratch else None,
        compile_cache=str(workspace.compile_cache.absolute()),
        mark=None if lease is None else _mark(workspace),
        lease=lease,
    )


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
        process = start_process(self.launcher, {**os.environ, **import_path()})
        log = LogWriter(self.logs, log_name(str(process.pid)))
        return Peer(Pipes(process, log), self.settings, share, inbox)


def start_process(
    launcher: Sequence[str], environment: Mapping[str, str], seconds: float | None = None
) -> subprocess.Popen[bytes]:
    """A worker's process, with pipes to it; it is told after how many seconds its place ends, if that is known."""
    end = () if seconds is None else (str(seconds),)
    return subprocess.Popen(
        # plain words alone: `ssh` gives them to a shell
        [*launcher, sys.executable, "-P", "-m", "linstudy.workers.worker", *end],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,  # Ctrl-C reaches the coordinator alone, which asks its workers to stop
    )


def log_name(name: str) -> str:
    """The log of what a worker prints while it is at no run."""
    return f"worker-{datetime.now(UTC):%Y%m%dT%H%M%S}-{name}.log"


class Pipes(Link):
    """The standard input and output of a process, and the log of what it prints."""

    def __init__(self, process: subprocess.Popen[bytes], log: LogWriter):
        assert process.stdin
        assert process.stdout
        self._process, self._log = process, log
        self.commands = io.TextIOWrapper(process.stdin, encoding="utf-8")
        self.messages = self._said = io.TextIOWrapper(process.stdout, encoding="utf-8", errors="replace", newline="\n")
        self._printed = threading.Thread(target=log.follow, args=(process.stderr,), daemon=True)
        self._printed.start()

    def kill(self) -> None:
        kill_group(self._process)

    def end(self) -> Death:
        status = wait(self._process)
        self._printed.join(timeout=SECONDS_TO_LEAVE)
        self._said.close()
        with contextlib.suppress(OSError, ValueError):
            self._log.close()
        return death(status, self._log.last_words())


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a group, with what a user's model may have started."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)


def wait(process: subprocess.Popen[bytes]) -> int:
    """The exit status of a process, which is given some seconds to end by itself."""
    try:
        return process.wait(timeout=SECONDS_TO_LEAVE)
    except subprocess.TimeoutExpired:
        kill_group(process)
        return process.wait()


def _mark(workspace: Workspace) -> tuple[str, str]:
    """The workspace's mark, which is made if there is none."""
    file = workspace.mark
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacement(file) as place:
            place.write_text(uuid4().hex)
    return str(file.absolute()), file.read_text()


def _allow_files(number: int) -> None:
    """Let this process hold so many files open beside its own, as far as the system lets it: 1,024 are usual."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OWN_FILES + number
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def import_path() -> dict[str, str]:
    """The user's own PYTHONPATH, which may name folders relative to the current one."""
    paths = [os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return {"PYTHONPATH": os.pathsep.join(paths)} if paths else {}


def death(status: int, last_words: str) -> Death:
    """What the exit status of a process, or of its launcher, and the end of what it printed tell of its end.

    The system kills a process that takes more memory than there is; so does Slurm, whose `srun` then says so and may
    end with another status.
    """
    number = -status if status < 0 else status - _KILLED  # a launcher tells of a killed process as a shell does
    is_told_of = status != 0 and _OOM.search(last_words) is not None
    for_memory = is_told_of or (number == signal.SIGKILL and not _CANCELLED.search(last_words))
    hint = ", probably for want of memory: give less by --memory, or take fewer --workers" if for_memory else ""
    if number in set(signal.Signals):
        return Death(f"the worker process was killed by {signal.Signals(number).name}{hint}", last_words, for_memory)
    how = f" with exit status {status}" if status else ""  # a launcher may end with 0 where a node has failed
    return Death(f"the worker process ended{how}{hint}", last_words, for_memory, is_cut=status == _CUT)
