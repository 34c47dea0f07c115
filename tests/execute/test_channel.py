"""The worker's end of the channel."""

import os

import pytest

from linstudy.execute.channel import SECONDS_TO_STOP, Channel
from linstudy.execute.messages import Assignment, Help, Leaving, Release, Sender, receive


@pytest.mark.parametrize("left", [0.0, SECONDS_TO_STOP + 0.1])
def test_a_worker_says_before_its_place_ends_that_it_is_about_to(left):
    (commands, mine), (theirs, messages) = os.pipe(), os.pipe()
    Channel((commands, messages), ()).leave_before(left)
    with os.fdopen(theirs) as stream:
        assert next(receive(stream)) == Leaving()
    # the other pipe stays open: a channel that ends takes its process with it
    assert mine


def test_what_lets_a_helper_go_does_not_outlive_its_help():
    (commands, mine), (theirs, messages) = os.pipe(), os.pipe()
    channel = Channel((commands, messages), ())
    coordinator = Sender(os.fdopen(mine, "w", closefd=False))  # see above
    assignment = Assignment(1, "r", {}, "", None, (), (), {})
    for command in (Release(), Help(assignment, "a")):
        coordinator.send(command)
    assert channel.starts.get(timeout=60) == Help(assignment, "a")
    assert not channel.released.is_set()
    coordinator.send(Release())
    assert channel.released.wait(timeout=60)
    assert not channel.stopping.is_set()
    assert theirs
