"""What a worker's process settles before it imports anything heavy."""

import os

import pytest

from linstudy.workers import worker


@pytest.mark.parametrize(
    ("own", "cpus", "used"),
    [
        ({4, 7, 9}, (0, 2), {4, 9}),
        ({4, 7}, (2,), {4}),
        ({4, 7}, (1, 2, 3), {4, 7}),
    ],
)
def test_processors_are_counted_among_those_that_there_are_and_round_again(monkeypatch, own, cpus, used):
    chosen = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: own, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", lambda process, numbers: chosen.append(numbers), raising=False)
    worker._use_processors(None)
    assert not chosen
    worker._use_processors(cpus)
    assert chosen == [used]
