"""Workers in a Dask cluster: each is a process beside one of Dask's workers, started by a task that stays with it.

The task holds the process's pipes. Between it and the coordinator lines travel through Dask's own queues, on Dask's
connections, so that nothing else listens and security is what the cluster has: one queue for what all processes say,
and one a worker for what it is told.
"""

import contextlib
import functools
import itertools
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from linstudy.machine import available_threads
from linstudy.spec.errors import LinstudyError
from linstudy.store.workspace import Workspace
from linstudy.workers.contract import Inbox, Share, Worker, Workers
from linstudy.workers.dask_link import DaskLink
from linstudy.workers.devices import platform_variable
from linstudy.workers.lease import LEASE, silence
from linstudy.workers.peer import SECONDS_TO_LEAVE, Peer
from linstudy.workers.processes import import_path, log_name, worker_settings
from linstudy.workers.settings import Settings

if TYPE_CHECKING:
    from distributed import Client

LOCAL = "local"
"""In place of a scheduler: a cluster on this machine, for this study alone."""

_POLL = 1.0
"""Seconds between two looks at which Dask workers there are."""

_STALE = 30.0
"""Seconds after which a Dask worker that its scheduler does not hear is no place for another worker."""


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
        settings = replace(worker_settings(workspace, study_folder, data_folder, scratch, LEASE), may_leave=True)
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
    if (file := Path(scheduler)).is_file():
        with contextlib.suppress(ValueError, TypeError, KeyError):
            return {"address": json.loads(file.read_text(encoding="utf-8"))["address"]}
        raise LinstudyError(
            f"--dask {file} is no scheduler file: it names no address. Its scheduler may be about to write it"
        )
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
        threads_per_worker=max(1, available_threads() // workers),
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",  # of status alone, where no other cluster is in the way
        scheduler_kwargs={"dashboard": False},
        silence_logs=logging.CRITICAL,
        preload=["import os; os.setpgrp()"],  # Ctrl-C reaches the coordinator alone
    ) as cluster:
        yield cluster.scheduler_address  # type: ignore[attr-defined]


def _deal_processors(
    found: Mapping[str, Mapping[str, Any]], dealt: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    """For each Dask worker as many processors as it has threads, beside those of its host's others.

    What one was dealt it keeps: by it a worker's place is known as the one that it has.
    """
    kept = {address: cpus for address, cpus in dealt.items() if address in found}
    for address, worker in sorted(found.items()):
        if address not in kept:
            neighbours = (cpus for other, cpus in kept.items() if found[other]["host"] == worker["host"])
            taken = set(itertools.chain.from_iterable(neighbours))
            free = (cpu for cpu in itertools.count() if cpu not in taken)
            kept[address] = tuple(itertools.islice(free, worker["nthreads"]))
    return kept


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
        """When the scheduler last heard each Dask worker, by its clock, and when that was learnt, by ours."""
        self._places: Sequence[Share] = ()
        self._cpus: dict[str, tuple[int, ...]] = {}
        self._later: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._look()
        for work in (self._receive, self._watch, self._tell):
            threading.Thread(target=self._guard, args=(work,), daemon=True).start()

    def __str__(self) -> str:
        count = len(self._places)
        address = self._client.scheduler.address  # type: ignore[union-attr]
        later = "" if count else ". Runs begin when one comes"
        return f"{count} {'worker' if count == 1 else 'workers'} in the Dask cluster at {address}{later}"

    def places(self) -> Sequence[Share]:
        if self._gone and not self._links:
            raise LinstudyError(self._gone)
        taken = {link.place for link in tuple(self._links.values())}
        return sorted(self._places, key=lambda share: share.place not in taken)[: self._most]

    def start(self, share: Share, inbox: Inbox) -> Worker:
        if self._gone:
            raise LinstudyError(self._gone)
        self._started += 1
        name = f"linstudy-worker-{uuid4().hex}"
        begin = functools.partial(self._begin, name, share.place)
        forget = functools.partial(self._links.pop, name, None)
        self._links[name] = link = DaskLink(share.place, LEASE, begin, forget, self._later.put)
        self._later.put(link.start)
        if self._gone:  # by now, and perhaps not told to this one
            link.lose(self._gone)
        return Peer(link, self._settings, share, inbox)

    def _begin(self, name: str, place: str) -> tuple[Any, Any]:
        """Start a process beside a Dask worker: the queue of what it is told, and its task."""
        from distributed import Queue

        def carry(*arguments: Any) -> None:
            # sent as it stands here: a task that cannot be loaded, for want of linstudy, would end the Dask worker
            from linstudy.workers import dask_task

            dask_task.carry(*arguments)

        commands = Queue(name, client=self._client)
        log = str(self._logs / log_name(name[-8:]))
        task = self._client.submit(
            carry,
            *(name, self._reports.name, log, import_path()),
            key=name,
            workers=[place],
            allow_other_workers=False,
            retries=0,
            pure=False,
        )
        return commands, task

    def close(self) -> None:
        """Let the cluster go."""
        self._is_closing.set()
        self._later.put(None)
        if self._gone:
            return
        with contextlib.suppress(Exception):
            self._reports.put(None, callback_timeout=SECONDS_TO_LEAVE)
            for _ in range(1 + self._started):  # also for tasks that were lost and did not let go of it
                self._reports.close()

    def _look(self) -> None:
        """See which Dask workers there are, and which of them the scheduler hears."""
        scheduler: Any = self._client.scheduler
        # not by `scheduler_info`, which tells of five workers in some versions
        identity: Any = self._client.sync(scheduler.identity, callback_timeout=silence(LEASE))
        found = identity["workers"]
        now = time.monotonic()
        for address, worker in found.items():
            if self._seen.get(address, (0.0, 0.0))[0] != worker["last_seen"]:
                self._seen[address] = worker["last_seen"], now
        for address in self._seen.keys() - found.keys():
            del self._seen[address]
        self._cpus = _deal_processors(found, self._cpus)
        self._places = [
            Share(self._environment, worker["memory_limit"] or None, self._cpus[address], place=address)
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

    def _tell(self) -> None:
        """Start and tell the processes: a scheduler that is gone is waited for here alone."""
        while call := self._later.get():
            call()

    def _watch(self) -> None:
        """See which Dask workers there are, and which are gone with what they had been given."""
        lost: set[str] = set()
        while not self._is_closing.wait(timeout=_POLL):
            self._look()
            for name, link in tuple(self._links.items()):
                if name in lost:
                    continue
                if link.place not in self._seen:
                    link.lose(f"the Dask worker {link.place} is gone", after=link.seconds_of_doubt())
                    lost.add(name)
                elif failure := link.failure():
                    link.lose(f"the Dask worker {link.place}: {failure!r}")
                    lost.add(name)
