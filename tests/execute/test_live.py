"""How long a study will still take, and what another terminal sees of it."""

import json
import time
from types import SimpleNamespace

import pytest

from linstudy.execute import live, progress
from linstudy.execute.display import Display
from linstudy.execute.live import Live, LiveFile, describe_live
from linstudy.execute.progress import Count
from linstudy.plan import make_plan
from linstudy.spec.study import Point
from linstudy.store.workspace import Workspace


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when the test says so."""
    now = SimpleNamespace(seconds=1000.0)
    for module in (progress, live):
        monkeypatch.setattr(module.time, "monotonic", lambda: now.seconds)
    return now


@pytest.fixture
def runs():
    parts = {"data": {"kind": "digits"}, "model": {"kind": "mlp"}, "task": {"kind": "binary_classes"}}
    points = [Point.model_validate({**parts, "train": {}, "seed": seed}, strict=False) for seed in range(3)]
    return list(make_plan(points, lambda part, spec: "").runs.values())


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.private.mkdir()
    return workspace


def test_time_left_begins_with_the_estimates_and_follows_what_runs_take(clock):
    count = Count(4, "abc", {"a": 100.0, "b": 100.0, "c": 100.0})
    assert (str(count), count.time_left) == ("1 of 4 runs", "about 5 min left")
    clock.seconds += 400  # four times as long as was estimated
    count.end("a")
    # (400 + 30) / (100 + 30) times the 200 s of what is left
    assert (str(count), count.time_left) == ("2 of 4 runs", "about 11 min left")
    count.progress("b", 0.5)
    count.progress("b", 0.1)  # the next stage of it
    assert count.time_left == "about 6 min left"
    count.end("b")
    count.end("b")
    count.end("c")
    assert (str(count), count.time_left) == ("4 of 4 runs", "")


def test_runs_that_were_not_made_say_nothing_about_the_pace(clock):
    count = Count(4, "abcd", dict.fromkeys("abcd", 1000.0))
    clock.seconds += 70
    count.progress("a", 0.07)
    before = count.time_left
    count.end("a", is_done=False)
    for blocked in "bc":
        count.end(blocked, is_done=False)
    assert (before, str(count), count.time_left) == ("about 1 h 06 min left", "3 of 4 runs", "about 17 min left")


def test_several_workers_share_what_is_left_and_unknown_times_are_told(clock):
    estimates = {"a": 300.0, "b": 300.0}
    assert Count(3, "abc", estimates, workers=2).time_left == "about 5 min left, and 1 of unknown time"
    assert Count(1, "a", estimates, workers=8).time_left == "about 5 min left", "one run is made by one worker"
    assert Count(3, "abc").time_left == ""


def test_runs_that_are_blocked_are_no_longer_waited_for(runs, clock):
    class Counts:
        def begin(self, count):
            self.count = count

        def add(self, *arguments): ...

        update = remove = print = add

    screen = Counts()
    display = Display(screen, estimates={run.run_id: 60.0 for run in runs})
    display.begin(3, [run.run_id for run in runs])
    display.started(runs[:1])
    display.finished(runs[0], "failed", "why", 1.0, [runs[1].run_id])
    assert str(screen.count) == "2 of 3 runs"


def test_another_terminal_sees_what_the_first_one_shows(workspace, runs, clock):
    display = Display(LiveFile(workspace.live, "small"), estimates={run.run_id: 60.0 for run in runs})
    with workspace.lock():
        assert "has told nothing yet" in " ".join(describe_live(workspace, 200))
        display.begin(3, [run.run_id for run in runs])
        display.started(runs[1:])
        clock.seconds += 5
        display.progressed(runs[1], 0.5, "epoch 5/10  loss 0.1  test 0.930")
        clock.seconds += 5
        display.note("something was said")
        lines = list(describe_live(workspace, 100))
        assert lines[0].startswith("small: process ")
        assert lines[1] == "something was said"
        assert lines[2].startswith("2 runs like training digits")
        assert lines[2].endswith("loss 0.1  test 0.930")
        assert lines[3].startswith("0 of 3 runs  about ")
        assert max(map(len, describe_live(workspace, 40))) <= 40
        display.close()
    assert list(describe_live(workspace, 80)) == ["nothing runs in this workspace"]


def test_what_is_seen_is_written_once_a_second(workspace, runs, clock):
    display = Display(LiveFile(workspace.live, "small"))
    display.begin(3, [run.run_id for run in runs])
    display.note("too soon")
    assert json.loads(workspace.live.read_text())["lines"] == []
    clock.seconds += 1
    display.note("later")
    assert json.loads(workspace.live.read_text())["lines"] == ["too soon", "later"]


def test_a_study_that_must_wait_leaves_the_file_of_the_one_that_runs(workspace):
    workspace.live.write_text(json.dumps({"study": "first", "written": 0.0}))
    display = Display(LiveFile(workspace.live, "second"))
    display.note("the workspace is in use")
    display.close()
    assert Live.read(workspace.live) == Live("first", 0.0)


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", '{"of": "another version"}'),
        *(
            json.dumps({"study": "s", "written": 0, **odd})
            for odd in ({"workers": ["a"]}, {"lines": [1]}, {"count": 2})
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_none(workspace, content):
    workspace.live.write_text(content)
    assert Live.read(workspace.live) is None


def test_a_process_that_was_killed_and_one_that_is_silent_are_told_apart(workspace):
    workspace.live.write_text(json.dumps({"study": "old", "written": time.time() - 100}))
    assert list(describe_live(workspace, 80)) == [
        "nothing runs in this workspace; a study that did has ended without a word"
    ]
    with workspace.lock():
        assert "heard of 1 min 40 s ago" in next(describe_live(workspace, 200))
