"""What asks a study to stop."""

import contextlib
import os
import signal

import pytest

from linstudy.workers.signals import STOPPING, Interrupts


def send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", STOPPING, ids=lambda number: number.name)
def test_every_signal_that_asks_for_an_end_is_noted(number):
    interrupts = Interrupts()
    with interrupts.collect():
        send(number)
    assert (interrupts.first, interrupts.insists) == (number.name, False)


def test_without_a_signal_nothing_is_asked():
    interrupts = Interrupts()
    with interrupts.collect():
        pass
    assert (interrupts.first, interrupts.insists) == ("", False)


def test_a_queue_that_sends_several_signals_does_not_insist():
    interrupts = Interrupts()
    with interrupts.collect():
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGTERM, signal.SIGHUP):
            send(number)
    assert (interrupts.first, interrupts.insists) == ("SIGUSR1", False)


def test_a_second_ctrl_c_insists():
    interrupts = Interrupts()
    with interrupts.collect():
        send(signal.SIGINT)
        assert not interrupts.insists
        send(signal.SIGINT)
    assert (interrupts.first, interrupts.insists) == ("SIGINT", True)


def test_ctrl_c_after_the_announcement_of_a_queue_insists():
    interrupts = Interrupts()
    with interrupts.collect():
        send(signal.SIGTERM)
        send(signal.SIGINT)
    assert (interrupts.first, interrupts.insists) == ("SIGTERM", True)


def test_what_a_worker_was_sent_counts_as_the_first_alone():
    interrupts = Interrupts()
    for name in ("SIGINT", "SIGINT", "SIGTERM"):  # Ctrl-C may reach several workers of a group
        interrupts.note(name)
    assert (interrupts.first, interrupts.insists) == ("SIGINT", False)


def test_a_signal_that_is_ignored_stays_so():
    """As `nohup` ignores SIGHUP: a study that it started must live on."""
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        interrupts = Interrupts()
        with interrupts.collect():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            send(signal.SIGHUP)
        assert interrupts.first == ""
    finally:
        signal.signal(signal.SIGHUP, previous)


def test_the_handlers_from_before_come_back_even_after_an_error():
    before = [signal.getsignal(number) for number in STOPPING]
    with contextlib.suppress(ZeroDivisionError), Interrupts().collect():
        assert [signal.getsignal(number) for number in STOPPING] != before
        raise ZeroDivisionError
    assert [signal.getsignal(number) for number in STOPPING] == before
