"""Runs chosen by SQL before anything of them is stored."""

import pytest

from linstudy.facts import Ending
from linstudy.store.query import QueryError
from linstudy.store.rows import RunRow, StudyRow
from linstudy.store.selection import selected
from linstudy.store.snapshot import publish

STUDY = StudyRow("a", "", "", "study: a")


def training(run_id, model, index, **further):
    task = {"kind": "eigenfunction", "index": index}
    return RunRow(run_id, "training", {"kind": "training", "model": model, "task": task, "seed": 0, **further})


RUNS = [
    training("mlp 5", {"kind": "mlp", "hidden": [4]}, 5),
    training("mlp 500", {"kind": "mlp", "hidden": [4]}, 500),
    training("lenet 5", {"kind": "lenet"}, 5),
    training("own", {"kind": "import", "factory": "a:b", "arguments": {"depth": 3}}, 5),
]


@pytest.mark.parametrize(
    ("condition", "chosen"),
    [
        ("model_kind <> 'lenet' AND task_index <= 100", {"mlp 5", "own"}),
        ("model_arguments_depth = 3", {"own"}),
        ("status = 'planned' -- nothing is stored", {"mlp 5", "mlp 500", "lenet 5", "own"}),
        ("attempts > 0", set()),
        ("run_id IN (SELECT run_id FROM runs ORDER BY task_index DESC LIMIT 1)", {"mlp 500"}),
        ("data_kind = 'digits'", set()),
    ],
)
def test_a_condition_is_over_the_columns_of_runs(tmp_path, condition, chosen):
    assert selected(tmp_path / "results.duckdb", STUDY, RUNS, condition) == chosen


def test_the_status_is_what_is_published(workspace, ledger, tell):
    ledger.register(STUDY, [*RUNS[:2], training("another study's", {"kind": "mlp"}, 5)])
    tell("mlp 5", Ending("failed", "odd"))
    tell("another study's", Ending("failed", "odd"))
    tell("mlp 500", Ending("done"))
    publish(ledger, workspace.results)
    before = workspace.results.read_bytes()
    assert selected(workspace.results, STUDY, RUNS, "status = 'failed'") == {"mlp 5"}
    assert selected(workspace.results, STUDY, RUNS, "status = 'planned'") == {"lenet 5", "own"}
    assert workspace.results.read_bytes() == before


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("modle_kind = 'mlp'", 'column "modle_kind" not found'),
        ("task_index <", "syntax error"),
        ("true; DROP TABLE run", "syntax error"),
        ("true) ; DROP TABLE run; SELECT (1", "one statement is expected, 3 arrived"),
        ("seed IN (SELECT seed FROM read_csv('seeds.csv'))", "disabled"),
    ],
)
def test_what_is_wrong_or_reaches_outside_is_refused(tmp_path, monkeypatch, condition, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seeds.csv").write_text("seed\n0\n")
    with pytest.raises(QueryError, match=message):
        selected(tmp_path / "results.duckdb", STUDY, RUNS, condition)
