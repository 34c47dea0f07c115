import pytest

from linstudy.spec.errors import LinstudyError
from linstudy.store.lookup import find_run, find_runs, find_setting
from linstudy.store.query import QueryError, open_published
from linstudy.store.rows import RunRow
from linstudy.store.snapshot import publish


@pytest.fixture
def ask(ledger, study, workspace):
    """Three runs, two of which begin alike, of two settings."""
    specs = [("abc1", 0, "5e1"), ("abd2", 1, "5e1"), ("0001", 0, "7e1")]
    spec = {"kind": "spectrum", "data": {"kind": "digits"}, "model": {"kind": "mlp"}}
    ledger.register(study, [RunRow(id_, "spectrum", {**spec, "seed": seed}, (), "", s) for id_, seed, s in specs])
    publish(ledger, workspace.results)
    with open_published(workspace.results) as ask:
        yield ask


@pytest.mark.parametrize(("start", "found"), [("abc", "abc1"), ("0", "0001"), ("abd2", "abd2")])
def test_a_run_is_found_by_what_no_other_begins_with(ask, start, found):
    assert find_run(ask, start) == found


def test_a_setting_of_several_runs_is_one(ask):
    assert find_setting(ask, "5") == "5e1"


@pytest.mark.parametrize(
    ("start", "problem"),
    [
        ("ab", "2 runs begin with ab: abc1, abd2. Give more digits"),
        ("f", 'no run of the workspace begins with f. All: linstudy query "FROM runs"'),
        ("", '"" is no beginning of a run\'s id'),
        ("x' OR true --", "is no beginning of a run's id"),
        ("ABC", "is no beginning of a run's id"),
    ],
)
def test_what_is_no_beginning_of_one_id_is_refused(ask, start, problem):
    with pytest.raises(LinstudyError) as raised:
        find_run(ask, start)
    assert problem in str(raised.value)


def test_runs_are_found_by_a_condition_over_their_columns(ask):
    assert find_runs(ask, "seed = 0") == ["0001", "abc1"]
    assert len(find_runs(ask, None)) == 3


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ("seed = 5", "--only: the condition holds for none of the 3 runs of the workspace"),
        ("sede = 5", '--only: Binder Error: Referenced column "sede" not found'),
    ],
)
def test_a_condition_that_is_wrong_or_never_holds_says_so(ask, condition, problem):
    with pytest.raises(LinstudyError) as raised:
        find_runs(ask, condition)
    assert problem in str(raised.value)
    assert isinstance(raised.value, QueryError) or "none" in problem
