"""What each worker computes on."""

import pytest

from linstudy.execute import devices
from linstudy.execute.devices import worker_environments


def four_accelerators():
    return ["0", "1", "2", "3"]


@pytest.fixture
def accelerated(monkeypatch):
    monkeypatch.setattr(devices, "visible_accelerators", four_accelerators)


def visible(environments):
    return [environment["CUDA_VISIBLE_DEVICES"] for environment in environments]


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
    assert visible(worker_environments(workers, None)) == expected


@pytest.mark.parametrize(("workers", "share"), [(None, "0.900"), (1, "0.900"), (4, "0.900"), (8, "0.450")])
def test_workers_on_one_accelerator_share_its_memory(accelerated, workers, share):
    environments = worker_environments(workers, "gpu")
    assert {environment["XLA_PYTHON_CLIENT_MEM_FRACTION"] for environment in environments} == {share}
    assert {environment["JAX_PLATFORMS"] for environment in environments} == {"cuda"}


def test_the_cpu_leaves_accelerators_alone(accelerated):
    assert worker_environments(2, "cpu") == [{"JAX_PLATFORMS": "cpu"}] * 2


def test_without_accelerators_there_is_one_worker(monkeypatch):
    monkeypatch.setattr(devices, "visible_accelerators", list)
    assert worker_environments(None, None) == [{}]
    assert worker_environments(3, None) == [{}] * 3


@pytest.mark.parametrize(
    ("chosen", "expected"), [("2,5", ["2", "5"]), ("", []), ("-1", []), ("GPU-8f,GPU-1c", ["GPU-8f", "GPU-1c"])]
)
def test_a_chosen_part_of_the_accelerators_is_kept_to(monkeypatch, chosen, expected):
    monkeypatch.setattr(devices, "_has_cuda_plugin", lambda: True)
    monkeypatch.setattr(devices.shutil, "which", lambda name: name)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert devices.visible_accelerators() == expected
