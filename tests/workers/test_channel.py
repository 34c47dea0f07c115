"""The worker's end of the channel."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest

from linstudy.workers.channel import SECONDS_TO_STOP, Channel
from linstudy.workers.messages import Assignment, Help, Interrupt, Leaving, Release, Sender, receive


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


WORKER = """
import signal, sys
from linstudy.workers.channel import Channel
from linstudy.workers import channel
channel.SECONDS_TO_STOP = 0.2
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
Channel((0, 1), [signal.SIGTERM], may_leave=sys.argv[1] == "True")
print("begins", file=sys.stderr, flush=True)
signal.pause()
"""


@pytest.fixture
def worker():
    """A function that starts a process with a channel to it."""
    with contextlib.ExitStack() as stack:

        def start(may_leave):
            words = [sys.executable, "-c", WORKER, str(may_leave)]
            pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
            process = stack.enter_context(subprocess.Popen(words, text=True, **pipes))
            stack.callback(process.kill)
            assert process.stderr.readline() == "begins\n"
            return process

        yield start


@pytest.mark.parametrize(("may_leave", "message"), [(True, Leaving()), (False, Interrupt("SIGTERM"))])
def test_a_signal_ends_the_study_or_this_place_alone(worker, may_leave, message):
    process = worker(may_leave)
    process.send_signal(signal.SIGTERM)
    assert next(receive(process.stdout)) == message
    if may_leave:  # its place may be there still, for another
        assert process.wait(timeout=60) == 0
    else:
        assert process.poll() is None


def test_a_worker_ends_that_was_told_something_which_never_arrived(worker):
    process = worker(False)
    sender = Sender(process.stdin)
    sender.send(Release())
    sender._sent += 1
    sender.send(Release())
    assert process.wait(timeout=60) == 0
