"""When a worker on another machine may write, and when its coordinator gives it up."""

import pytest

from linstudy.workers import lease as lease_module
from linstudy.workers.lease import LEASE, Lease, silence
from linstudy.workers.messages import Beat

BEAT = 5.0
"""Seconds between two."""


class Ended(Exception):
    pass


def end():
    raise Ended


class Time:
    """Seconds that pass when the test says so."""

    def __init__(self):
        self.now = 100.0

    def sleep(self, seconds):
        self.now += seconds


class Line:
    """Keeps what is sent; `stops_after` messages it stops the one that sends."""

    def __init__(self, stops_after=None):
        self.said, self.stops_after = [], stops_after

    def send(self, message):
        self.said.append(message)
        if len(self.said) == self.stops_after:
            raise Ended


@pytest.fixture
def time(monkeypatch):
    time = Time()
    monkeypatch.setattr(lease_module, "now", lambda: time.now)
    monkeypatch.setattr(lease_module.time, "sleep", time.sleep)
    return time


def spoken(count):
    """A lease that has said some beats, one after another."""
    line = Line(stops_after=count)
    lease = Lease(line, LEASE, end=end)
    with pytest.raises(Ended):
        lease._beat()
    assert line.said == [Beat(number) for number in range(count)]
    return lease


def test_the_first_lease_lasts_as_long_as_the_others(time):
    lease = Lease(Line(), LEASE, end=end)
    time.sleep(LEASE)
    lease.require()
    time.sleep(0.1)
    with pytest.raises(Ended):
        lease.require()


def test_a_lease_holds_from_when_the_answered_beat_was_said(time):
    lease = spoken(3)  # at 0, 5 and 10 seconds
    time.sleep(20)
    lease.renew(Beat(1))
    time.sleep(LEASE - 20 - BEAT)  # 5 + LEASE seconds have passed
    lease.require()
    time.sleep(0.1)
    with pytest.raises(Ended):
        lease.require()


def test_a_later_answer_to_an_earlier_beat_takes_nothing_back(time):
    lease = spoken(3)
    lease.renew(Beat(2))
    lease.renew(Beat(0))
    time.sleep(LEASE)
    lease.require()


@pytest.mark.parametrize("count", [7, -1])
def test_an_answer_to_a_beat_that_was_not_said_renews_nothing(time, count):
    lease = spoken(1)
    time.sleep(LEASE)
    lease.renew(Beat(count))
    time.sleep(0.1)
    with pytest.raises(Ended):
        lease.require()


def test_an_answer_counts_once(time):
    lease = spoken(1)
    lease.renew(Beat(0))
    time.sleep(LEASE + 0.1)
    lease.renew(Beat(0))
    with pytest.raises(Ended):
        lease.require()


def test_a_worker_that_is_not_answered_ends_itself_in_time(time):
    lease = Lease(Line(), LEASE, end=end)
    with pytest.raises(Ended):
        lease._watch()
    assert time.now - 100 < silence(LEASE), "before its coordinator lets another make its runs"


def test_the_coordinator_waits_longer_than_any_lease():
    assert silence(LEASE) > LEASE + BEAT
