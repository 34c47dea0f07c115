import pytest

from linstudy.execute.summary import Summary

NONE = dict.fromkeys(("already", "done", "diverged", "failed", "blocked"), 0)


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"total": 1, "interrupted": True}, "1 run: interrupted."),
        ({"total": 1, "done": 1, "interrupted": False}, "1 run: 1 done now."),
        ({"total": 3, "done": 1, "already": 1, "interrupted": True}, "3 runs: 1 done before, 1 done now, interrupted."),
        ({"total": 2, "failed": 1, "blocked": 1, "interrupted": False}, "2 runs: 1 failed, 1 blocked by these."),
    ],
)
def test_a_summary_is_a_sentence(counts, text):
    assert str(Summary(**{**NONE, **counts})) == text
