"""How long a study will still take, and what another terminal sees of it."""

import json
import time

import pytest

from linstudy.execute.display import Display
from linstudy.execute.live import Live, LiveFile, describe_live
from linstudy.execute.progress import Count, Group
from linstudy.store.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.private.mkdir()
    return workspace


def test_time_left_begins_with_the_estimates_and_follows_what_runs_take(runs, clock):
    first, second, third = runs
    count = Count(4, [run.run_id for run in runs], {run.run_id: 100.0 for run in runs})
    assert (str(count), count.time_left) == ("1 of 4 runs", "about 5 min left")
    group = Group([first])
    count.start(group)
    clock.seconds += 60
    assert count.time_left == "about 4 min left", "40 s of the first one"
    clock.seconds += 340  # four times as long as was estimated
    group.has_done = group.end(first)
    count.leave(group)
    count.end(first.run_id)
    count.end(first.run_id)
    # (400 + 30) / (100 + 30) times the 200 s of what is left
    assert (str(count), count.time_left) == ("2 of 4 runs", "about 11 min left")
    group = Group([second])
    count.start(group)
    for fraction in (0.0, 1.0, 0.0):  # a first stage, and the beginning of the next one
        group.progress(second, fraction, "")
    clock.seconds += 10
    group.progress(second, 0.1, "")
    assert count.time_left == "about 7 min left", "90 s, as it says itself, and 331 s"


def test_several_workers_share_what_is_left_and_unknown_times_are_told(runs, clock):
    ids = [run.run_id for run in runs]
    estimates = dict.fromkeys(ids[:2], 300.0)
    assert Count(3, ids, estimates, workers=2).time_left == "about 5 min left, and 1 of unknown time"
    assert Count(1, ids[:1], estimates, workers=8).time_left == "about 5 min left", "one run is made by one worker"
    count = Count(3, ids)
    assert count.time_left == ""
    count.start(group := Group(runs[:1]))
    for second in (0, 10):
        clock.seconds += second
        group.progress(runs[0], 0.5 * second / 10, "")
    assert count.time_left == "about 10 s left, and 2 of unknown time"


def test_runs_that_are_not_done_say_nothing_about_the_pace(runs, clock):
    display = Display(estimates={run.run_id: 1000.0 for run in runs})
    display.begin(3, [run.run_id for run in runs])
    display.started(runs[:1])
    clock.seconds += 1
    display.finished(runs[0], "failed", "why", 1.0)
    assert display._count.time_left == "about 33 min left"


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
        "nothing runs in this workspace",
        "the process that ran old is gone, as if it was killed. The same `linstudy run` goes on",
    ]
    with workspace.lock():
        assert "heard of 1 min 40 s ago" in next(describe_live(workspace, 200))


def test_what_a_group_goes_on_from_has_taken_no_time(runs, clock):
    """Its runs tell one after another where an earlier attempt has left them."""
    group = Group(runs)
    for run in runs:
        group.progress(run, 0.5, "")
        assert group.seconds_left is None
    clock.seconds += 10
    for run in runs:
        group.progress(run, 0.6, "")
    assert group.seconds_left == pytest.approx(40)
