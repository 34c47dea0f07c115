"""Workers in a Dask cluster: each is a process beside one of Dask's workers, started by a task that stays with it.

The task holds the process's pipes. Between it and the coordinator lines travel through Dask's own queues, on Dask's
connections, so that nothing else listens and security is what the cluster has: one queue for what all processes say,
and one a worker for what it is told.
"""

import contextlib
import logging
import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO
from uuid import uuid4

from linstudy.execute.devices import platform_variable
from linstudy.execute.lease import SILENCE
from linstudy.execute.logs import LogWriter
from linstudy.execute.peer import SECONDS_TO_LEAVE, Death, Link, Peer
from linstudy.execute.processes import (
    describe_death,
    import_path,
    kill_group,
    log_name,
    start_process,
    wait,
    worker_settings,
)
from linstudy.execute.worker import Settings
from linstudy.execute.workers import Inbox, Share, Worker, Workers
from linstudy.spec.errors import LinstudyError
from linstudy.store.workspace import Workspace

if TYPE_CHECKING:
    from distributed import Client

LOCAL = "local"
"""In place of a scheduler: a cluster on this machine, for this study alone."""

_POLL = 1.0
"""Seconds between two looks at which Dask workers there are, and at whether a task is still wanted."""

_STALE = 30.0
"""Seconds after which a Dask worker that its scheduler does not hear is no place for another worker."""

_SECONDS_TO_BE_TOLD = 30.0
"""For a task to be told something first: one that Dask has started a second time never is."""

_CHUNK = 2**16


@contextlib.contextmanager
def dask_workers(
    scheduler: str,
    workspace: Workspace,
    study_folder: Path,
    data_folder: Path | None,
    scratch: Path | None = None,
    *,
    workers: int | None = None,
    device: str | None = None,
) -> "Iterator[DaskWorkers]":
    """Workers in a cluster of Dask, until the end of the block.

    Args:
        scheduler: Its address, its scheduler file, or `local`.
        study_folder: Where the relative paths of its runs begin.
        scratch: Where files go that exceed memory; beside the artifacts if None.
        workers: How many there may be; as many as Dask's own if None, one for `local`.
        device: `cpu`, `gpu` or another platform of JAX; the best there is if None.

    Raises:
        LinstudyError: If Dask is not installed, or there is no scheduler.
    """
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise LinstudyError("--dask needs `distributed`. Install it: pip install 'linstudy[dask]'") from None
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # the coordinator says what happens
    with contextlib.ExitStack() as stack:
        is_local = scheduler == LOCAL
        place = {"address": stack.enter_context(_local_cluster(workers or 1))} if is_local else _find(scheduler)
        client = stack.enter_context(_connect(place))
        settings = worker_settings(workspace, study_folder, data_folder, scratch, is_elsewhere=True)
        started = DaskWorkers(client, settings, workspace.logs.absolute(), platform_variable(device), workers)
        stack.callback(started.close)
        yield started


def _connect(place: Mapping[str, Any]) -> "Client":
    from distributed import Client

    try:
        return Client(**place, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:  # of which the last tells of TLS
        raise LinstudyError(f"there is no Dask scheduler at {', '.join(place.values())}: {error}") from error


def _find(scheduler: str) -> dict[str, str]:
    """What a client is given for a scheduler file, or an address."""
    if Path(scheduler).is_file():
        return {"scheduler_file": scheduler}
    if ":" not in scheduler:
        raise LinstudyError(
            f"--dask {scheduler} is no scheduler file that is there, and no address such as tcp://host:8786"
        )
    return {"address": scheduler}


@contextlib.contextmanager
def _local_cluster(workers: int) -> Iterator[str]:
    """The address of a scheduler of this process, which nothing but this machine can reach, with its Dask workers."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",  # of status alone, where no other cluster is in the way
        scheduler_kwargs={"dashboard": False},
        silence_logs=logging.CRITICAL,
        preload=["import os; os.setpgrp()"],  # Ctrl-C reaches the coordinator alone
    ) as cluster:
        yield cluster.scheduler_address  # type: ignore[attr-defined]


class DaskWorkers(Workers):
    """Starts workers beside those of Dask, which may come and go.

    Args:
        client: The connection to the scheduler.
        settings: What each worker is told, but for its share.
        logs: The folder of logs.
        environment: Variables for each worker.
        most: How many there may be; as many as Dask's own if None.
    """

    def __init__(
        self, client: "Client", settings: Settings, logs: Path, environment: Mapping[str, str], most: int | None
    ):
        from distributed import Queue

        self._client, self._settings, self._logs = client, settings, logs
        self._environment, self._most = environment, most
        self._reports = Queue(f"linstudy-{uuid4().hex}", client=client)
        self._links: dict[str, DaskLink] = {}
        self._is_closing = threading.Event()
        self._gone, self._started = "", 0
        self._seen: dict[str, tuple[float, float]] = {}
        self._places: Sequence[Share] = ()
        self._look()
        for work in (self._receive, self._watch):
            threading.Thread(target=self._guard, args=(work,), daemon=True).start()

    def __str__(self) -> str:
        count = len(self._places)
        address = self._client.scheduler.address  # type: ignore[union-attr]
        later = "" if count else ". Runs begin when one comes"
        return f"{count} {'worker' if count == 1 else 'workers'} in the Dask cluster at {address}{later}"

    def places(self) -> Sequence[Share]:
        if self._gone and not self._links:
            raise LinstudyError(self._gone)
        return self._places[: self._most]

    def start(self, share: Share, inbox: Inbox) -> Worker:
        from distributed import Queue

        self._started += 1
        name = f"linstudy-worker-{uuid4().hex}"
        commands = Queue(name, client=self._client)
        log = str(self._logs / log_name(name[-8:]))
        task = self._client.submit(
            carry,
            *(name, self._reports.name, log, import_path()),
            key=name,
            workers=[share.place],
            allow_other_workers=False,
            retries=0,
            pure=False,
        )
        link = self._links[name] = DaskLink(share.place, commands, task, lambda: self._links.pop(name, None))
        return Peer(link, self._settings, share, inbox)

    def close(self) -> None:
        """Let the cluster go."""
        self._is_closing.set()
        if self._gone:
            return
        with contextlib.suppress(Exception):
            self._reports.put(None, callback_timeout=SECONDS_TO_LEAVE)
            for _ in range(1 + self._started):  # also for tasks that were lost and did not let go of it
                self._reports.close()

    def _look(self) -> None:
        """See which Dask workers there are, and which of them are heard of by the scheduler."""
        found, now = self._client.scheduler_info()["workers"], time.monotonic()
        before = self._seen
        self._seen = {
            address: before[address]
            if before.get(address, (0.0,))[0] == worker["last_seen"]
            else (worker["last_seen"], now)
            for address, worker in found.items()
        }
        self._places = [
            Share(self._environment, worker["memory_limit"] or None, place=address)
            for address, worker in sorted(found.items())
            if worker["status"] == "running" and now - self._seen[address][1] < _STALE
        ]

    def _guard(self, work: Any) -> None:
        """Do something for ever; that it cannot be done is the loss of the scheduler."""
        try:
            work()
        except Exception as error:
            if not self._is_closing.is_set():
                self._lose(error)

    def _lose(self, error: Exception) -> None:
        is_gone = isinstance(error, OSError) or self._client.status != "running"
        reason = "the Dask scheduler is gone" if is_gone else f"Dask failed: {type(error).__name__}: {error}"
        self._places = ()
        self._gone = f"{reason}. The same command goes on once there is a scheduler"
        for link in tuple(self._links.values()):
            link.lose(reason)

    def _receive(self) -> None:
        """Deal out what the processes say."""
        while not self._is_closing.is_set():
            reports: Any = self._reports
            for report in (reports.get(), *reports.get(batch=True)):
                if report and (link := self._links.get(report[0])):
                    link.receive(*report[1:])

    def _watch(self) -> None:
        """See which Dask workers there are, and which are gone with what they had been given."""
        while not self._is_closing.wait(timeout=_POLL):
            self._look()
            for link in tuple(self._links.values()):
                if link.place not in self._seen:
                    link.lose(f"the Dask worker {link.place} is gone")
                elif link.task.status == "error":
                    link.lose(f"the Dask worker {link.place}: {link.task.exception()!r}")


class DaskLink(Link):
    """The way to a process that a task holds.

    Args:
        place: The address of its Dask worker.
        commands: The queue of what it is told.
        task: The task's future.
        forget: Called at its end.
    """

    def __init__(self, place: str, commands: Any, task: Any, forget: Callable[[], object]):
        self.place, self.task = place, task
        self._queue, self._forget = commands, forget
        self.commands: TextIO = _Commands(commands, self._has_end)  # type: ignore[assignment]
        self._said: queue.SimpleQueue[bytes | Death] = queue.SimpleQueue()
        self._heard = time.monotonic()
        self._death: Death | None = None
        self.messages = self._lines()

    def receive(self, said: bytes, reason: str = "", last_words: str = "") -> None:
        """Take what the task sent: what the process said, or nothing and how it ended."""
        self._heard = time.monotonic()
        self._said.put(said or Death(reason, last_words))

    def lose(self, reason: str) -> None:
        """Nothing more will come."""
        self._said.put(Death(reason))

    def kill(self) -> None:
        self.task.release()  # which the task sees
        # where it cannot, the process ends with its lease
        patience = max(SECONDS_TO_LEAVE, self._heard + SILENCE - time.monotonic())
        timer = threading.Timer(patience, self.lose, args=("its task did not say that it has ended",))
        timer.daemon = True
        timer.start()

    def _has_end(self) -> bool:
        return self._death is not None

    def end(self) -> Death:
        while self._death is None:  # what is left to hear, where hearing was broken off
            self._take(self._said.get())
        self.task.release()
        with contextlib.suppress(Exception):
            for _ in range(2):  # also for a task that was lost
                self._queue.close()
        self._forget()
        return self._death

    def _take(self, said: bytes | Death) -> bytes:
        if isinstance(said, Death):
            self._death = said
            return b""
        return said

    def _lines(self) -> Iterator[str]:
        rest = b""
        while self._death is None:
            *lines, rest = (rest + self._take(self._said.get())).split(b"\n")
            for line in lines:
                yield line.decode(errors="replace") + "\n"
        if rest:
            yield rest.decode(errors="replace")


class _Commands:
    """The queue of what a process is told, as a stream."""

    def __init__(self, commands: Any, is_over: Callable[[], bool]):
        self._queue, self._is_over = commands, is_over

    def write(self, text: str) -> None:
        self._put(text.encode())

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self._put(None)

    def _put(self, item: bytes | None) -> None:
        if self._is_over():  # a scheduler that is gone would be waited for
            return
        try:
            self._queue.put(item, callback_timeout=SILENCE)
        except Exception as error:
            raise OSError(f"{type(error).__name__}: {error}") from error


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
    process = start_process((), {**_own_environment(), **environment}, _seconds_left(worker))
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
        said.put([name, b"", describe_death(status), printed.last_words()])
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


def _own_environment() -> dict[str, str]:
    """The Dask worker's, without the limits of threads that its nanny has set for tasks that share a process."""
    import dask.config

    limits = dask.config.get("distributed.nanny.pre-spawn-environ", {})
    return {name: value for name, value in os.environ.items() if value != str(limits.get(name))}


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
