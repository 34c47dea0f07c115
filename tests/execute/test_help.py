"""Who helps whom, and until when: workers of this process, which do what a test says."""

from dataclasses import dataclass, field

import pytest

from linstudy.execute.crew import Attempt, Hand
from linstudy.execute.help import LOSSES, Helpers
from linstudy.facts import Divided, Ending
from linstudy.workers.contract import Share
from linstudy.workers.messages import Help, Release


class Worker:
    """Keeps what it is told."""

    def __init__(self):
        self.told = []

    def send(self, command):
        self.told.append(command)


@dataclass
class Crew:
    """Some hands."""

    hands: list = field(default_factory=list)

    def __iter__(self):
        return iter(self.hands)

    def idle(self):
        return [hand for hand in self.hands if hand.is_idle]

    def add(self, **fields):
        self.hands.append(Hand(Worker(), Share(), **fields))
        return self.hands[-1]


class Scene:
    """Two attempts, each of a worker of its own, and three workers that have nothing to do."""

    def __init__(self, runs):
        self.crew, self.notes = Crew(), []
        self.attempts = [Attempt(number, runs[number], None) for number in (0, 1)]
        for attempt in self.attempts:
            self.crew.add(attempts={attempt.number: attempt})
        self.idle = [self.crew.add(is_idle=True) for _ in range(3)]
        self.helpers = Helpers(self.crew, lambda attempt: f"assignment {attempt.number}", self.notes.append)

    def ask(self, number, parts):
        self.helpers.hear(self.attempts[number], Divided(f"token {number}", parts))

    def told(self):
        return [hand.worker.told for hand in self.idle]


@pytest.fixture
def scene(runs):
    return Scene(runs)


def help_with(number):
    return Help(f"assignment {number}", f"token {number}")


def test_nobody_helps_where_nobody_asks(scene):
    scene.helpers.send()
    assert scene.told() == [[], [], []]
    assert scene.helpers.count_wanted() == 0


def test_each_that_asks_gets_one_before_another_gets_two(scene):
    scene.ask(0, 5)
    scene.ask(1, 5)
    assert scene.helpers.count_wanted() == 10
    scene.helpers.send()
    assert scene.told() == [[help_with(0)], [help_with(1)], [help_with(0)]]
    assert not scene.crew.idle()


def test_as_many_are_let_go_as_there_are_runs_ready_and_each_once(scene):
    scene.ask(0, 5)
    scene.helpers.send()
    for _ in range(2):
        scene.helpers.release(2)
        assert scene.told() == [[help_with(0), Release()], [help_with(0), Release()], [help_with(0)]]
    scene.helpers.take_ending(scene.idle[0], Ending("done"))
    assert scene.crew.idle() == scene.idle[:1]


def test_one_that_ended_its_help_waits_until_more_is_asked_for(scene):
    scene.ask(0, 1)
    scene.helpers.send()
    for hand in scene.idle:
        scene.helpers.take_ending(hand, Ending("done"))
    scene.helpers.send()
    assert scene.told() == [[help_with(0)]] * 3
    scene.ask(0, 1)
    scene.helpers.send()
    assert scene.told() == [[help_with(0)] * 2] * 3


def test_help_ends_with_its_attempt(scene):
    scene.ask(0, 5)
    scene.ask(1, 5)
    scene.helpers.send()
    scene.helpers.keep_only([1])
    assert scene.told() == [[help_with(0), Release()], [help_with(1)], [help_with(0), Release()]]
    assert scene.helpers.count_wanted() == 3 + 5
    scene.helpers.take_ending(scene.idle[0], Ending("failed", "the file is gone"))
    assert scene.notes == []


def test_one_that_cannot_help_is_not_asked_again_and_that_is_said_once(scene):
    scene.ask(0, 5)
    scene.helpers.send()
    for hand in scene.idle[:2]:
        scene.helpers.take_ending(hand, Ending("failed", "another kind"))
    scene.helpers.send()
    assert scene.told() == [[help_with(0)]] * 3
    [note] = scene.notes
    assert note.endswith("a worker cannot help with it: another kind")
    scene.ask(1, 5)
    scene.helpers.send()
    assert scene.told() == [[help_with(0), help_with(1)]] * 2 + [[help_with(0)]]


def test_an_attempt_that_loses_its_helpers_goes_on_without(scene):
    scene.ask(0, 5)
    scene.helpers.send()
    for hand in scene.idle:
        assert scene.helpers.count_wanted() > 3
        scene.helpers.lose(hand)
    assert len(scene.idle) == LOSSES
    assert scene.helpers.count_wanted() == 3
