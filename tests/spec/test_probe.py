import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from linstudy.spec.probe import AlignmentProbe


def epochs(last, **fields):
    return AlignmentProbe(kind="alignment", **fields).epochs(last)


@pytest.mark.parametrize(
    ("fields", "last", "expected"),
    [
        ({"at": ("start", "end")}, 100, (0, 100)),
        ({"at": (40, "start")}, 100, (0, 40)),
        ({"at": ("end", 100, 100)}, 100, (100,)),
        ({"every": 10}, 25, (0, 10, 20, 25)),
        ({"every": 10}, 20, (0, 10, 20)),
        ({"every": 100}, 25, (0, 25)),
        ({"every": 10, "at": (3,)}, 12, (0, 3, 10, 12)),
        ({"at": ("start", "end"), "every": 5}, 0, (0,)),
    ],
)
def test_epochs_are_those_named_and_every_nth_with_the_last(fields, last, expected):
    assert epochs(last, **fields) == expected


@given(st.integers(0, 200), st.integers(1, 50))
def test_every_starts_at_the_initialization_and_reaches_the_end(last, every):
    found = epochs(last, every=every)
    assert found[0] == 0
    assert found[-1] == last
    assert found == tuple(sorted(set(found)))
    assert all(epoch % every == 0 for epoch in found[:-1])


def test_a_probe_without_epochs_is_rejected():
    with pytest.raises(ValidationError, match=r"a probe needs epochs: at: \[start, end, 40\], every: 10, or both"):
        AlignmentProbe(kind="alignment")
