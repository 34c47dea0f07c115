"""What each worker may use."""

import pytest

from linstudy.workers import devices
from linstudy.workers.contract import Share
from linstudy.workers.devices import worker_shares


def four_accelerators():
    return ["0", "1", "2", "3"]


@pytest.fixture
def accelerated(monkeypatch):
    monkeypatch.setattr(devices, "visible_accelerators", four_accelerators)


@pytest.fixture
def processors(monkeypatch):
    """A function that says which processors this process may use, where there is no accelerator and no limit."""
    monkeypatch.setattr(devices, "visible_accelerators", list)
    monkeypatch.setattr(devices, "available_memory", lambda: None)
    return lambda *own: monkeypatch.setattr(devices.os, "sched_getaffinity", lambda pid: set(own), raising=False)


def visible(shares):
    return [share.environment["CUDA_VISIBLE_DEVICES"] for share in shares]


@pytest.mark.parametrize(
    ("workers", "expected"),
    [
        (None, ["0", "1", "2", "3"]),
        (1, ["0,1,2,3"]),
        (2, ["0,2", "1,3"]),
        (3, ["0,3", "1", "2"]),
        (6, ["0", "1", "2", "3", "0", "1"]),
    ],
)
def test_accelerators_are_dealt_out_evenly(accelerated, workers, expected):
    assert visible(worker_shares(workers, None)) == expected


@pytest.mark.parametrize(("workers", "share"), [(None, "0.900"), (1, "0.900"), (4, "0.900"), (8, "0.450")])
def test_workers_on_one_accelerator_share_its_memory(accelerated, workers, share):
    shares = worker_shares(workers, "gpu")
    assert {one.environment["XLA_PYTHON_CLIENT_MEM_FRACTION"] for one in shares} == {share}
    assert {one.environment["JAX_PLATFORMS"] for one in shares} == {"cuda"}


def test_the_cpu_leaves_accelerators_alone(accelerated, processors):
    processors(0, 1)
    assert worker_shares(2, "cpu") == [Share({"JAX_PLATFORMS": "cpu"}, cpus=(cpu,)) for cpu in (0, 1)]


def test_one_worker_has_every_processor(processors):
    processors(0, 1, 2)
    assert worker_shares(None, None) == worker_shares(1, None) == [Share()]


@pytest.mark.parametrize(
    ("workers", "own", "dealt"),
    [
        (2, (0, 1, 2, 3), [(0, 2), (1, 3)]),
        (2, (3, 5, 9), [(0, 2), (1,)]),
        (3, (4, 7, 8), [(0,), (1,), (2,)]),
        (3, (4, 7), [(0,), (1,), (2,)]),
    ],
)
def test_processors_are_dealt_out_where_there_is_no_accelerator(processors, workers, own, dealt):
    processors(*own)
    assert [share.cpus for share in worker_shares(workers, None)] == dealt


def test_the_memory_is_divided_among_the_workers(processors, monkeypatch):
    processors(0, 1)
    assert [share.memory for share in worker_shares(3, None, 9_001)] == [3_000] * 3
    monkeypatch.setattr(devices, "available_memory", lambda: 8_000)
    assert [share.memory for share in worker_shares(2, None)] == [4_000] * 2
    assert [share.memory for share in worker_shares(2, None, 6_000)] == [3_000] * 2, "what is said counts"


def test_where_processors_cannot_be_asked_for_none_are_dealt_out(processors, monkeypatch):
    monkeypatch.delattr(devices.os, "sched_getaffinity", raising=False)
    assert worker_shares(3, None) == [Share()] * 3
