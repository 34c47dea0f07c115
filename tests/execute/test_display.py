from types import SimpleNamespace

import pytest

from linstudy.execute import display
from linstudy.execute.display import PlainDisplay
from linstudy.plan import make_plan
from linstudy.spec.study import Point

ERROR = "the worker process was killed by SIGKILL"


@pytest.fixture
def runs():
    parts = {"data": {"kind": "digits"}, "model": {"kind": "mlp"}, "task": {"kind": "binary_classes"}}
    points = [Point.model_validate({**parts, "train": {}, "seed": seed}, strict=False) for seed in range(3)]
    return list(make_plan(points, lambda part, spec: "").runs.values())


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when the test says so."""
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(display.time, "monotonic", lambda: now.seconds)
    return now


@pytest.fixture
def lines():
    return []


@pytest.fixture
def plain(lines, clock):
    return PlainDisplay(lines.append)


def test_each_run_of_a_group_has_its_first_and_its_last_line(plain, lines, runs):
    plain.started(runs)
    for run in runs:
        plain.finished(run, "done", None, 2.0)
    assert [line.split()[:2] for line in lines] == [
        *(["running", run.run_id] for run in runs),
        *(["done", run.run_id] for run in runs),
    ]


def test_a_group_tells_of_its_progress_as_often_as_one_run(plain, lines, runs, clock):
    plain.started(runs)
    del lines[:]
    for second in range(1, 91):
        clock.seconds = second
        for run in runs:
            plain.progressed(run, second / 180, f"epoch {second}")
    # One run of three has told of its epoch, the two others are one behind.
    assert [line.split("epoch ")[1] for line in lines] == [
        "30  2 min 34 s left",
        "60  2 min 02 s left",
        "90  1 min 31 s left",
    ]


def test_a_group_that_failed_is_told_of_once(plain, lines, runs):
    plain.started(runs)
    del lines[:]
    for run in runs:
        plain.parted(run, ERROR)
    [line] = lines
    assert line.startswith("3 runs like training ")
    assert line.endswith(f"failed together, so each is tried alone\n    {ERROR}")


def test_runs_of_two_groups_are_kept_apart(plain, lines, runs, clock):
    plain.started(runs[:2])
    plain.started(runs[2:])
    plain.finished(runs[0], "done", None, 1.0)
    plain.parted(runs[1], ERROR)
    clock.seconds = 40.0
    plain.progressed(runs[2], 0.5, "epoch 1")
    assert lines[-1].endswith("epoch 1  40 s left")
