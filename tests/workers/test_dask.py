"""Workers in a real Dask cluster: a scheduler and workers that are processes of this machine, and what befalls them."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Queue
from types import SimpleNamespace

import pytest
from disturbed import TRAINING, content, write_odd
from small_dask import small_dask
from waiting import wait_for, wait_until_gone

from linstudy.spec.errors import LinstudyError
from linstudy.store.workspace import Workspace
from linstudy.workers import dask, dask_link
from linstudy.workers.messages import Hello, Stop
from linstudy.workers.peer import Death
from linstudy.workers.settings import Settings

distributed = pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.product_settings,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of a study in /proc"),
]


@dataclass
class Task:
    """A task's future."""

    released: list = field(default_factory=list)

    def release(self):
        self.released.append(True)


@pytest.fixture
def link():
    commands, task = SimpleNamespace(close=lambda: None), Task()
    made = dask_link.DaskLink("tcp://there", 0.3, lambda: (commands, task), lambda: None, lambda call: call())
    made.start()
    return made


@pytest.fixture
def cluster():
    with small_dask() as made:
        yield made


def children(process):
    return [
        int(pid)
        for task in Path(f"/proc/{process.pid}/task").iterdir()
        for pid in (task / "children").read_text().split()
    ]


def started(bench, cluster, *arguments):
    """The command, at a training."""
    process = bench.start("run", "study.yaml", "--dask", cluster.file, *arguments)
    while not ("running" in (line := process.stdout.readline()) and "  training " in line):
        assert line, process.communicate()
    return process


def attempts(bench):
    return bench.rows("SELECT status, error FROM attempt ORDER BY attempt_id")


def finish(process, exit_status=0):
    out, err = process.communicate(timeout=120)
    assert process.returncode == exit_status, out + err
    return out + err


def test_a_study_has_the_same_results_and_leaves_nothing_in_the_cluster(bench, cluster):
    cluster.start_worker()
    out = bench.linstudy("run", "study.yaml", "--dask", cluster.address)
    assert "3 runs: 3 done now." in out
    elsewhere = content(bench)
    assert bench.rows("SELECT DISTINCT status, error FROM attempt") == [("done", None)]
    assert cluster.left() == []
    bench.run_here("--again")
    assert content(bench) == elsewhere


def test_the_run_of_a_killed_dask_worker_is_made_by_one_that_comes_later(bench, cluster):
    bench.write(TRAINING)
    first = cluster.start_worker()
    process = started(bench, cluster)
    [worker] = children(first)
    first.kill()
    wait_until_gone(worker)
    cluster.start_worker()
    assert "1 run: 1 done now." in finish(process)
    [(status, error), second] = attempts(bench)
    assert (status, second) == ("interrupted", ("done", None))
    assert error.startswith("the Dask worker tcp://127.0.0.1:")
    assert error.endswith(" is gone")


def test_a_study_ends_with_its_scheduler_and_goes_on_in_another_cluster(bench, cluster):
    bench.write(TRAINING)
    dask_worker = cluster.start_worker()
    process = started(bench, cluster)
    [worker] = children(dask_worker)
    cluster.scheduler.kill()
    out = finish(process, exit_status=1)
    assert "Error: the Dask scheduler is gone" in out
    assert "The same command goes on once there is a scheduler" in out
    wait_until_gone(worker)
    assert [status for status, _ in attempts(bench)] == ["interrupted"]
    assert "1 run: 1 done now." in bench.run("--dask", "local")
    assert [status for status, _ in attempts(bench)] == ["interrupted", "done"]


def test_what_must_end_at_once_ends_beside_its_dask_worker(bench, cluster):
    write_odd(bench, "computes")
    dask_worker = cluster.start_worker()
    process = started(bench, cluster)
    [worker] = children(dask_worker)
    process.send_signal(signal.SIGINT)
    assert "stopping at the next safe point" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    finish(process, exit_status=130)
    wait_until_gone(worker)
    assert attempts(bench) == [("interrupted", "stopped at once by a second Ctrl-C")]
    process = started(bench, cluster)
    [worker] = children(dask_worker)
    process.kill()
    process.communicate()
    wait_until_gone(worker)


def test_lines_arrive_whole_however_they_were_cut_and_then_the_end(link):
    for piece in (b"{\xc3", b"\xa9", b"}\n\xff\nhalf"):
        link.receive(piece)
    link.receive(b"", -signal.SIGTERM, "its last words")
    assert list(link.messages) == ["{é}\n", "\N{REPLACEMENT CHARACTER}\n", "half"]
    assert link.end() == Death("the worker process was killed by SIGTERM", "its last words")


def test_a_task_that_says_nothing_is_given_up_when_its_lease_is_over(link, monkeypatch):
    monkeypatch.setattr(dask_link, "SECONDS_TO_LEAVE", 0.0)
    began = time.monotonic()
    link.kill()
    assert link._task.released == [True]
    assert list(link.messages) == []
    assert time.monotonic() - began >= 0.35
    assert link.end().reason == "its task did not say that it has ended"


def test_only_a_dask_worker_that_was_heard_till_its_end_is_lost_at_once(link, clock):
    link.receive(b"{}\n")
    doubt = []
    for seconds in (0.06, 0.07, 0.3, 0.5):  # of the 0.4 s that its silence is borne
        clock.seconds = seconds
        doubt.append(link.seconds_of_doubt())
    assert doubt == pytest.approx([0, 0.33, 0.1, 0])


def test_a_process_that_is_not_wanted_any_more_is_not_started():
    """Or its task is given up at once, where that came while it was started."""
    task, begun = Task(), []

    def begin():
        begun.append(True)
        late.kill()
        return SimpleNamespace(close=lambda: None), task

    late = dask_link.DaskLink("tcp://there", 0.3, begin, lambda: None, lambda call: call())
    early = dask_link.DaskLink("tcp://there", 0.3, begin, lambda: None, lambda call: call())
    early.kill()
    early.start()
    assert begun == []
    late.start()
    assert (begun, task.released) == ([True], [True])


@pytest.fixture
def made_up(monkeypatch):
    """Workers in a cluster whose Dask workers the test names, by their addresses; nothing is started by itself."""
    found = {}
    scheduler = SimpleNamespace(identity=lambda: {"workers": found})
    client = SimpleNamespace(scheduler=scheduler, sync=lambda call, **options: call(), status="running")
    for work in ("_receive", "_watch", "_tell"):
        monkeypatch.setattr(dask.DaskWorkers, work, lambda self: None)
    monkeypatch.setattr(distributed, "Queue", lambda name, client: SimpleNamespace(name=name))

    def look(*addresses, most=None):
        found.clear()
        found.update({address: dict(_DASK_WORKER) for address in addresses})
        return dask.DaskWorkers(client, Settings(""), Path("logs"), {}, most)

    return look, found


_DASK_WORKER = {"memory_limit": 0, "status": "running", "last_seen": 1.0, "host": "a", "nthreads": 1}


def test_of_more_places_than_asked_for_those_that_are_taken_count(made_up):
    workers = made_up[0]("tcp://b", "tcp://a", most=1)
    assert [share.place for share in workers.places()] == ["tcp://a"]
    workers.start(replace(workers.places()[0], place="tcp://b"), Queue())
    assert [share.place for share in workers.places()] == ["tcp://b"]


def test_a_dask_worker_that_comes_back_elsewhere_leaves_the_places_of_the_others_as_they_are(made_up):
    look, found = made_up
    workers = look("tcp://a:1", "tcp://a:2", "tcp://a:3")
    first, second, third = workers.places()
    del found["tcp://a:1"]
    found["tcp://a:4"] = dict(_DASK_WORKER)
    workers._look()
    assert workers.places() == [second, third, replace(first, place="tcp://a:4")]
    assert [share.cpus for share in workers.places()] == [(1,), (2,), (0,)]


def test_a_scheduler_that_is_gone_as_a_worker_starts_ends_the_study_with_the_same_message(made_up, monkeypatch):
    def refuse(name, client):
        raise OSError("in <TCP (closed)>: Stream is closed")

    workers, inbox = made_up[0]("tcp://a"), Queue()
    monkeypatch.setattr(distributed, "Queue", refuse)
    workers.start(workers.places()[0], inbox)
    workers._guard(workers._later.get())
    assert inbox.get(timeout=30)[1].reason == "the Dask scheduler is gone"
    wait_for(lambda: not workers._links)
    for ask in (workers.places, lambda: workers.start(SimpleNamespace(place="tcp://a"), inbox)):
        with pytest.raises(LinstudyError, match="the Dask scheduler is gone. The same command goes on"):
            ask()


def test_a_signal_to_a_dask_worker_and_its_processes_is_no_end_of_the_study(bench, cluster):
    """As where the job ends that holds the Dask worker: all of its processes are sent one."""
    bench.write(TRAINING)
    first = cluster.start_worker()
    process = started(bench, cluster)
    os.kill(children(first)[0], signal.SIGTERM)
    first.terminate()
    cluster.start_worker()
    out = finish(process)
    assert "1 run: 1 done now." in out
    assert "stopping" not in out
    assert [status for status, _ in attempts(bench)] == ["interrupted", "done"]


def test_a_scheduler_that_is_waited_for_holds_nothing_else_up(bench, cluster, monkeypatch):
    cluster.start_worker()
    holds, put, told, inbox = threading.Event(), distributed.Queue.put, [], Queue()

    def put_later(*arguments, **options):
        told.append(threading.current_thread())
        assert holds.wait(timeout=60)
        return put(*arguments, **options)

    monkeypatch.setattr(distributed.Queue, "put", put_later)
    with dask.dask_workers(str(cluster.file), Workspace(bench.folder), bench.folder, None) as workers:
        worker = workers.start(wait_for(workers.places)[0], inbox)
        worker.send(Stop())
        assert threading.current_thread() not in told
        assert inbox.empty()
        holds.set()
        worker_said = inbox.get(timeout=60)
        worker.close()
    assert isinstance(worker_said[1], Hello)


def test_dask_workers_have_the_processors_of_their_threads_beside_each_other():
    threads = [("tcp://a:1", "a", 2), ("tcp://b:1", "b", 4), ("tcp://a:2", "a", 1)]
    found = {address: {"host": host, "nthreads": count} for address, host, count in threads}
    dealt = dask._deal_processors(found, {})
    assert dealt == {"tcp://a:1": (0, 1), "tcp://a:2": (2,), "tcp://b:1": (0, 1, 2, 3)}


@pytest.mark.parametrize("text", ["", "{bad", "[]", "{}"])
def test_a_file_that_names_no_scheduler_is_told_at_once(tmp_path, text):
    (tmp_path / "scheduler.json").write_text(text)
    with pytest.raises(LinstudyError, match="is no scheduler file: it"):
        dask._find(str(tmp_path / "scheduler.json"))


def test_without_the_extra_one_sentence_says_what_to_do(bench, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    asked = dask.dask_workers("local", Workspace(bench.folder), bench.folder, None)
    with pytest.raises(LinstudyError, match=r"--dask needs `distributed`. Install it: pip install 'linstudy\[dask\]'"):
        asked.__enter__()


def test_nothing_of_dask_is_imported_unless_it_is_asked_for(bench):
    code = "import sys, linstudy.workers.dask, linstudy.cli; print({'dask', 'distributed'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
    wrong = bench.run("--dask", "local", "--memory", "1GB", exit_status=2)
    assert "a worker has the memory limit of its Dask worker" in wrong
