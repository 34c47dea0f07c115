"""The worker's end of the channel."""

import os

import pytest

from linstudy.execute.channel import SECONDS_TO_LEAVE, Channel
from linstudy.execute.messages import Leaving, receive


@pytest.mark.parametrize("left", [0.0, SECONDS_TO_LEAVE + 0.1])
def test_a_worker_says_before_its_place_ends_that_it_is_about_to(left):
    (commands, mine), (theirs, messages) = os.pipe(), os.pipe()
    Channel((commands, messages), ()).leave_before(left)
    with os.fdopen(theirs) as stream:
        assert next(receive(stream)) == Leaving()
    # the other pipe stays open: a channel that ends takes its process with it
    assert mine
