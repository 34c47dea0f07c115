"""A coordinator's side of a worker that nothing here can end: what it is answered, and until when."""

import io
import time
from queue import Queue
from types import SimpleNamespace

import pytest

from linstudy.workers import peer as peer_module
from linstudy.workers.contract import Lost, Share
from linstudy.workers.lease import silence
from linstudy.workers.messages import Beat, Sender, Stop, receive
from linstudy.workers.peer import Death, Link, Peer
from linstudy.workers.settings import Settings

LEASE = 0.3


class Cut(Link):
    """A link to a worker that cannot be killed; the test plays the worker, which ends when the test says so."""

    def __init__(self, is_cut=False):
        self.commands, self.kills, self.is_cut = io.StringIO(), 0, is_cut
        self._lines = Queue()
        self.messages = iter(self._lines.get, None)
        self._sender = Sender(self)

    def write(self, text):
        for line in text.splitlines(keepends=True):
            self._lines.put(line)

    def flush(self):
        pass

    def say(self, *messages):
        for message in messages:
            self._sender.send(message)

    def leave(self):
        self._lines.put(None)

    def heard(self):
        """The messages it has got, after its settings."""
        _, *lines = self.commands.getvalue().splitlines(keepends=True)
        return list(receive(lines))

    def kill(self):
        self.kills += 1

    def end(self):
        return Death("it left", is_cut=self.is_cut)


@pytest.fixture
def worker(monkeypatch):
    monkeypatch.setattr(peer_module, "SECONDS_TO_LEAVE", 0)
    link, inbox = Cut(), Queue()
    yield link, inbox, Peer(link, Settings("artifacts", lease=LEASE), Share(), inbox)
    link.leave()


def test_a_worker_that_was_given_up_is_answered_no_more(worker):
    """Its lease would be renewed, and it would write beside the one that makes its runs now."""
    link, inbox, peer = worker
    link.say(Beat(0))
    given_up = inbox.get(timeout=30)
    assert given_up == (peer, Lost(f"nothing was heard of it for {silence(LEASE):g} s", "", True))
    link.say(Beat(1), Stop())
    assert inbox.get(timeout=30) == (peer, Stop()), "it is heard on, until it ends"
    assert (link.heard(), link.kills) == ([Beat(0)], 1)


def test_a_worker_that_was_killed_is_answered_no_more_and_is_lost_in_time(worker):
    """As by a launcher whose end does not reach it."""
    link, inbox, peer = worker
    link.say(Beat(0), Stop())
    assert inbox.get(timeout=30) == (peer, Stop())
    peer.kill()
    link.say(Beat(1))
    _, lost = inbox.get(timeout=30)
    assert lost.is_remote
    assert link.heard() == [Beat(0)]


def test_a_worker_of_this_machine_that_cannot_be_ended_is_waited_for_so_long_only(monkeypatch):
    """As one that waits for a disk that is gone."""
    monkeypatch.setattr(peer_module, "SECONDS_TO_LEAVE", 0.1)
    link, inbox = Cut(), Queue()
    peer = Peer(link, Settings("artifacts"), Share(), inbox)
    peer.kill()
    assert inbox.get(timeout=30) == (peer, Lost("it could not be ended"))
    monkeypatch.setattr(peer_module, "SECONDS_TO_LEAVE", 60)
    peer.close()  # which waits for nothing any more
    assert link.kills == 1
    link.leave()
    assert inbox.empty(), "it is lost once"


@pytest.mark.parametrize("is_cut", [True, False])
def test_one_whose_connection_breaks_is_lost_when_its_lease_is_over(monkeypatch, is_cut):
    slept = []
    monkeypatch.setattr(peer_module, "time", SimpleNamespace(monotonic=time.monotonic, sleep=slept.append))
    link, inbox = Cut(is_cut), Queue()
    peer = Peer(link, Settings("artifacts", lease=1000.0), Share(), inbox)
    link.say(Beat(0), Stop())
    assert inbox.get(timeout=30) == (peer, Stop())
    link.leave()
    assert inbox.get(timeout=30) == (peer, Lost("it left", "", True))
    assert slept == ([pytest.approx(1000, abs=60)] if is_cut else [])
