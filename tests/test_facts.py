"""What a fact may say, and that it arrives as it was said."""

import json
import math
from dataclasses import fields
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linstudy import metrics
from linstudy.facts import (
    Artifact,
    Divided,
    Ending,
    Fact,
    FactError,
    Fingerprint,
    Method,
    Notice,
    Number,
    Outcome,
    Progress,
    Report,
    Vector,
    decode,
    encode,
)
from linstudy.history import Stored
from linstudy.metrics import METRICS, Metric
from linstudy.store.entries import Entry

SCALARS, VECTORS = ([metric for metric in METRICS.values() if metric.shape == shape] for shape in ("scalar", "vector"))
EPOCHS = st.none() | st.integers(0, 10**6)
FLOATS = st.floats()  # nan and both infinities among them

FACTS = {
    Number: st.builds(Number, st.sampled_from(SCALARS), st.none() | FLOATS, st.text(), EPOCHS, EPOCHS, st.text()),
    Vector: st.builds(Vector, st.sampled_from(VECTORS), st.lists(FLOATS), st.text(), EPOCHS, st.text()),
    Artifact: st.builds(Artifact, st.text(), st.text(), st.text(), st.integers(0, 2**50), EPOCHS, EPOCHS),
    Progress: st.builds(Progress, st.floats(0, 1), st.text()),
    Fingerprint: st.builds(Fingerprint, st.text()),
    Method: st.builds(Method, st.text(), st.text()),
    Notice: st.builds(Notice, st.text()),
    Divided: st.builds(Divided, st.text(), st.integers(0, 10**6)),
    Ending: st.builds(
        Ending,
        st.sampled_from(get_args(Outcome)),
        st.none() | st.text(),
        st.none() | st.text(),
        st.lists(st.text()).map(tuple),
    ),
}
"""Every kind of fact, and how to draw one."""

LEAVES = {
    Number: ("numbers", "told"),
    Vector: ("vectors", "told"),
    Artifact: ("artifacts", "artifacts"),
    Progress: (None, None),
    Divided: (None, None),
    Fingerprint: ("fingerprint", "fingerprint"),
    Method: ("methods", None),
    Notice: ("notices", None),
    Ending: ("ending", "status"),
}
"""What changes by a fact in what waits for the ledger, and in what is known to be stored."""

EXAMPLES = {
    Number: Number(metrics.LOSS, 0.5, epoch=1),
    Vector: Vector(metrics.GAPS, (1.0,), epoch=1),
    Artifact: Artifact("checkpoint", "artifacts/0", "ab", 3, 1),
    Progress: Progress(0.5),
    Fingerprint: Fingerprint("ab"),
    Method: Method("gram", "structured"),
    Notice: Notice("odd"),
    Divided: Divided("ab", 2),
    Ending: Ending("done"),
}

each_kind = pytest.mark.parametrize("kind", get_args(Fact), ids=lambda kind: kind.__name__)


def content(fact):
    """A fact as what can be compared: arrays by their bytes."""
    values = {field.name: getattr(fact, field.name) for field in fields(fact)}
    return type(fact), {
        name: value.tobytes() if isinstance(value, np.ndarray) else value for name, value in values.items()
    }


def sent(report):
    """A report after its way through JSON."""
    return decode(json.loads(json.dumps(encode(report), allow_nan=False)))


@each_kind
@given(data=st.data())
def test_a_fact_arrives_as_it_was_told(kind, data):
    fact = data.draw(FACTS[kind])
    report = sent(Report(7, (fact,)))
    assert report.attempt == 7
    assert list(map(content, report.facts)) == [content(fact)]


@given(st.lists(st.one_of(*FACTS.values()), max_size=5))
def test_facts_that_belong_together_arrive_together_and_in_order(facts):
    assert list(map(content, sent(Report(0, tuple(facts))).facts)) == list(map(content, facts))


@each_kind
def test_every_kind_of_fact_changes_what_it_is_about_and_nothing_else(kind):
    assert FACTS.keys() == LEAVES.keys() == EXAMPLES.keys() == set(get_args(Fact))
    waiting, known = LEAVES[kind]
    entry, empty, stored = Entry(1, "t"), Entry(1, "t"), Stored()
    entry.add([EXAMPLES[kind]], now=None)
    changed = {name for name in vars(empty) if vars(entry)[name] != vars(empty)[name]} - {"has_changed"}
    assert changed == ({waiting} if waiting else set())
    assert entry.is_waiting is (waiting is not None)
    after = stored.after(EXAMPLES[kind])
    assert {name for name in vars(stored) if vars(after)[name] != vars(stored)[name]} == ({known} if known else set())


@given(FLOATS)
def test_a_number_is_finite_or_none(value):
    number = Number(metrics.LOSS, value)
    assert number.value == (value if math.isfinite(value) else None)


@given(st.lists(FLOATS))
def test_an_entry_of_a_vector_is_finite_or_nan(values):
    found = Vector(metrics.GAPS, values).values
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [value if math.isfinite(value) else math.nan for value in values])


@pytest.mark.parametrize("value", [np.float32(0.5), np.array(0.5), np.int64(1), 1, True])
def test_a_scalar_of_any_type_is_a_float(value):
    number = Number(metrics.LOSS, value)
    assert type(number.value) is float
    assert number.value == value


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Number(Metric("lost", "", "scalar", ""), 1.0), '"lost" is no declared metric. Declare it in'),
        (lambda: Vector(Metric("lost", "", "vector", ""), [1.0]), '"lost" is no declared metric'),
        (lambda: Number(Metric("loss", "bits", "scalar", "other"), 1.0), '"loss" is no declared metric'),
        (lambda: Number(metrics.GAPS, 1.0), "gaps is a vector, and a scalar arrived"),
        (lambda: Vector(metrics.LOSS, [1.0]), "loss is a scalar, and a vector arrived"),
        (lambda: Number(metrics.LOSS, np.ones(3)), r"loss is one number, and an array of shape \(3,\) arrived"),
        (lambda: Number(metrics.LOSS, [1.0]), r"loss is one number, and an array of shape \(1,\) arrived"),
        (lambda: Vector(metrics.GAPS, np.ones((2, 3))), r"gaps is a list of numbers, .* of shape \(2, 3\) arrived"),
        (lambda: Vector(metrics.GAPS, 1.0), r"gaps is a list of numbers, and an array of shape \(\) arrived"),
        (lambda: Ending("won"), 'cannot end as "won". Allowed: done, failed, interrupted, diverged'),
        (lambda: Ending("running"), 'cannot end as "running"'),
    ],
)
def test_what_no_fact_can_say_is_refused_where_it_is_said(make, message):
    with pytest.raises(FactError, match=message):
        make()


GOOD = encode(Report(1, (EXAMPLES[Number],)))


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"attempt": 1},
        {"attempt": "x", "facts": []},
        {"attempt": 1, "facts": 3},
        {"attempt": 1, "facts": [{}]},
        {"attempt": 1, "facts": [{"fact": "Miracle"}]},
        {"attempt": 1, "facts": [{**GOOD["facts"][0], "metric": "lost"}]},
        {"attempt": 1, "facts": [{**GOOD["facts"][0], "metric": "gaps"}]},
        {"attempt": 1, "facts": [{**GOOD["facts"][0], "colour": "red"}]},
        {"attempt": 1, "facts": [{"fact": "Vector", "metric": "gaps", "values": "not of base 64"}]},
        {"attempt": 1, "facts": [{"fact": "Vector", "metric": "gaps", "values": "AAAA"}]},
        {"attempt": 1, "facts": [{"fact": "Ending", "outcome": "won"}]},
    ],
)
def test_what_is_no_report_is_refused(content):
    with pytest.raises((FactError, KeyError, TypeError, ValueError)):
        decode(content)
