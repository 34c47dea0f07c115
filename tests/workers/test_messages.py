"""What arrives of what was said, whatever else is written to the channel."""

import io
import json
import threading
from dataclasses import replace

import numpy as np
import pytest

from linstudy import metrics
from linstudy.facts import Artifact, Ending, Number, Progress, Report, Vector
from linstudy.history import Leg
from linstudy.workers.messages import (
    ArtifactReference,
    Assignment,
    Garbled,
    Hello,
    Help,
    Interrupt,
    Leaving,
    Release,
    Sender,
    Start,
    Stop,
    receive,
)

ASSIGNMENT = Assignment(
    3,
    "r1",
    {"kind": "training", "train": {"epochs": 2}},
    "digits:1",
    4,
    (Leg(None, (0, 2)), Leg(4, (7,))),
    (
        ArtifactReference("self", "checkpoint", 2, "artifacts/0", "ab"),
        ArtifactReference("nads", "nads", None, "p", "c"),
    ),
    {"spectrum": "f"},
)
MESSAGES = [
    Start("r1-3.log", (ASSIGNMENT,)),
    Start("", ()),
    Help(replace(ASSIGNMENT, may_be_helped=True), "4f"),
    Release(),
    Stop(),
    Hello("cpu: cpu", {"jax": "0.10.2"}),
    Interrupt("SIGTERM"),
    Leaving(),
    Report(3, (Number(metrics.LOSS, 0.5, "train", 1, 2), Progress(0.5, "half"), Ending("failed", "no", "é\n", ("a",)))),
]


def said(*messages):
    """The text of a channel."""
    stream = io.StringIO()
    sender = Sender(stream)
    for message in messages:
        sender.send(message)
    return stream.getvalue()


def heard(text):
    return list(receive(io.StringIO(text)))


def lines(count):
    """Messages that differ, one a line."""
    return [line + "\n" for line in said(*(Interrupt(f"S{number}") for number in range(count))).split("\n") if line]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_arrives_as_it_was(message):
    assert heard(said(message)) == [message]


def test_a_vector_arrives_to_the_bit():
    values = np.array([1 / 3, -0.0, 5e-324, np.nan])
    [report] = heard(said(Report(1, (Vector(metrics.GAPS, values, epoch=2),))))
    [found] = report.facts
    assert (report.attempt, found.metric, found.epoch) == (1, metrics.GAPS, 2)
    assert found.values.tobytes() == values.tobytes()


def test_messages_are_numbered_from_zero():
    assert [json.loads(line)["number"] for line in lines(4)] == [0, 1, 2, 3]


GARBAGE = [
    "a library's warning\n",
    "{\n",
    "5\n",
    "[1, 2]\n",
    "null\n",
    '"number"\n',
    '{"number": 0}\n',
    '{"message": "Stop"}\n',
    '{"number": "x", "message": "Stop"}\n',
    '{"number": 1, "message": "Explode"}\n',
    '{"number": 1, "message": "Interrupt"}\n',
    '{"number": 1, "message": "Report", "attempt": 1, "facts": [{"fact": "Ending", "outcome": "won"}]}\n',
    '{"number": 1, "message": "Report", "attempt": 1, "facts": [{"fact": "Number", "metric": "x", "value": 1}]}\n',
    "\x00\ufffd\n",
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_what_is_no_message_is_told_as_such_and_the_rest_arrives(garbage):
    first, second = lines(2)
    before, odd, after = heard(first + garbage + second)
    assert [before, after] == [Interrupt("S0"), Interrupt("S1")]
    assert isinstance(odd, Garbled)
    assert not odd.is_gap
    assert odd.text.startswith(garbage.strip()[:200])


def test_what_was_printed_without_an_end_of_line_does_not_touch_the_next_message():
    stream = io.StringIO()
    sender = Sender(stream)
    sender.send(Stop())
    stream.write("half a line")
    sender.send(Interrupt("SIGINT"))
    stop, odd, interrupt = heard(stream.getvalue())
    assert (stop, interrupt) == (Stop(), Interrupt("SIGINT"))
    assert odd.text.startswith("half a line")


def test_empty_lines_are_nothing():
    assert heard("\n  \n\r\n" + said(Stop()) + "\n\n") == [Stop()]


def test_a_message_that_never_arrives_is_a_gap_told_once():
    first, _, _, fourth, fifth = lines(5)
    found = heard(first + fourth + fifth)
    assert found == [
        Interrupt("S0"),
        Garbled("message 1 never arrived", is_gap=True),
        Interrupt("S3"),
        Interrupt("S4"),
    ]


def test_a_first_message_that_never_arrives_is_a_gap():
    assert heard("".join(lines(3)[1:]))[0] == Garbled("message 0 never arrived", is_gap=True)


@pytest.mark.parametrize("cut", [1, 10, 30])
def test_a_message_cut_in_two_is_a_gap_that_says_what_came(cut):
    first, second, third = lines(3)
    odd, gap = [one for one in heard(first + second[:cut] + "\n" + third) if isinstance(one, Garbled)]
    assert not odd.is_gap
    assert gap.is_gap
    assert gap.text.startswith(f"message 1 never arrived; what came was {second[:cut].strip()}")


def test_a_message_written_into_another_is_a_gap():
    first, second, third = lines(3)
    found = heard(first + second[:15] + "printed" + second[15:] + third)
    assert [one.is_gap for one in found if isinstance(one, Garbled)] == [False, True]
    assert found[-1] == Interrupt("S2")


def test_a_message_that_comes_twice_is_a_gap():
    first, second = lines(2)
    assert [isinstance(one, Garbled) and one.is_gap for one in heard(first + first + second)].count(True) == 1


def test_a_message_cut_at_the_end_of_the_channel_does_not_arrive():
    first, second = lines(2)
    assert [type(one) for one in heard(first + second[:-5])] == [Interrupt, Garbled]


def test_messages_of_several_threads_arrive_whole_and_in_the_order_of_each():
    stream = io.StringIO()
    sender, barrier = Sender(stream), threading.Barrier(4)

    def send(thread):
        barrier.wait()
        for count in range(200):
            sender.send(Report(thread, (Progress(count / 200, "x" * count),)))

    threads = [threading.Thread(target=send, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = heard(stream.getvalue())
    assert len(found) == 800
    assert not any(isinstance(one, Garbled) for one in found)
    for thread in range(4):
        counts = [len(one.facts[0].text) for one in found if one.attempt == thread]
        assert counts == list(range(200))


def test_a_message_that_cannot_be_written_has_no_number():
    stream = io.StringIO()
    sender = Sender(stream)
    with pytest.raises(TypeError):
        sender.send(Report(1, (Artifact("a", "p", "s", np.int64(3)),)))
    sender.send(Stop())
    assert heard(stream.getvalue()) == [Stop()]
