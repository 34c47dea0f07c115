import json

import duckdb
import pytest

from linstudy import metrics
from linstudy.facts import Ending, Number, Vector
from linstudy.store.rows import RunRow
from linstudy.store.snapshot import publish


@pytest.fixture
def published(ledger, workspace):
    """A function that publishes the ledger and reads from the result."""

    def read(sql):
        publish(ledger, workspace.results)
        with duckdb.connect(workspace.results, read_only=True) as connection:
            return connection.execute(sql).fetchall()

    return read


def types(published, view):
    return {name: type_ for name, type_, *_ in published(f"DESCRIBE {view}")}


def test_all_views_are_valid_on_an_empty_ledger(published):
    for view in ("runs", "final", "curves", "spectra", "study_runs"):
        assert published(f"FROM {view}") == []


def test_runs_has_the_fields_of_every_kind_of_spec_before_any_is_run(ledger, study, runs, published):
    empty = list(types(published, "runs"))
    assert empty[:5] == ["run_id", "kind", "status", "data_kind", "data_train"]
    assert empty[-8:] == ["attempts", "started", "seconds", "host", "device", "fused_group", "methods", "error"]
    assert {"model_kind", "task_index", "train_optimizer_learning_rate", "train_linearize", "probe_top"} <= set(empty)
    ledger.register(study, runs)
    assert list(types(published, "runs")) == empty


def test_fields_that_no_spec_class_declares_follow_the_others(ledger, study, published):
    own = {"kind": "spectrum", "model": {"kind": "import", "arguments": {"depth of it": 3}}, "seed": 0}
    ledger.register(study, [RunRow("s", "spectrum", own)])
    assert published('SELECT "model_arguments_depth of it" FROM runs') == [(3,)]


def test_a_run_is_a_row_of_its_spec(ledger, study, runs, published):
    ledger.register(study, runs)
    assert published(
        "SELECT run_id, kind, status, model_hidden, task_index, train_optimizer_kind, attempts FROM runs ORDER BY ALL"
    ) == [
        ("s", "spectrum", "planned", "[100,100]", None, None, 0),
        ("t", "training", "planned", "[100,100]", 50, "sgd", 0),
    ]


def test_columns_have_the_types_of_their_values(ledger, study, published):
    specs = [
        {
            "a": {
                "whole": 1,
                "mixed": 1,
                "real": 0.5,
                "flag": True,
                "text": "x",
                "either": "init",
                "list": [1],
                "no": None,
            }
        },
        {"a": {"whole": -2, "mixed": 0.5, "real": 2, "flag": None, "text": "7", "either": {"epoch": 4}, "list": []}},
    ]
    ledger.register(study, [RunRow(str(number), "k", spec) for number, spec in enumerate(specs)])
    found = types(published, "runs")
    assert {name: found[f"a_{name}"] for name in (*specs[0]["a"], "either_epoch")} == {
        "whole": "BIGINT",
        "mixed": "DOUBLE",
        "real": "DOUBLE",
        "flag": "BOOLEAN",
        "text": "VARCHAR",
        "either": "VARCHAR",
        "list": "VARCHAR",
        "no": "VARCHAR",
        "either_epoch": "BIGINT",
    }
    assert published(
        "SELECT a_whole, a_mixed, a_flag, a_text, a_either, a_either_epoch, a_list FROM runs ORDER BY run_id"
    ) == [
        (1, 1.0, True, "x", "init", None, "[1]"),
        (-2, 0.5, None, "7", '{"epoch":4}', 4, "[]"),
    ]


ODD = [
    "a.b",
    'q"uote',
    "it's",
    "sl/ash",
    "ti~lde",
    "$x",
    "*",
    "",
    "0",
    "é",
    "back\\slash",
    "[0]",
    "new\nline",
    "x; --",
    "select",
]


def test_odd_field_names_are_columns_like_any_other(ledger, study, published):
    arguments = {name: number for number, name in enumerate(ODD)}
    ledger.register(study, [RunRow("r", "k", {"model": {"arguments": arguments}})])
    [(text, *values)] = published("SELECT COLUMNS('^model_arguments(?s:.)*') FROM runs")
    assert values == list(range(len(ODD)))
    assert json.loads(text) == arguments


def test_names_that_collide_keep_columns_of_their_own(ledger, study, tell, published):
    spec = {"a": {"b_c": 1, "B_c": 2}, "a_b": {"c": 3}, "status": "mine", "label": 4, "kind": "k"}
    ledger.register(study, [RunRow("r", "k", spec)])
    tell("r", Number(metrics.LOSS, 1.0, epoch=0, step=0, label="probe"))
    assert published("SELECT a_b_c, a_B_c_, a_b_c__, status, status_, label_ FROM runs") == [
        (1, 2, 3, "running", "mine", 4)
    ]
    assert published("SELECT label, label_ FROM curves") == [("probe", 4)]


def test_runs_shows_the_last_attempt(ledger, study, runs, tell, published):
    ledger.register(study, runs)
    tell("t", Ending("failed", "no memory"), device="cpu")
    assert published("SELECT status, attempts, error, seconds >= 0 FROM runs WHERE run_id = 't'") == [
        ("failed", 1, "no memory", True)
    ]
    tell("t", device="gpu")
    assert published("SELECT status, attempts, error, seconds, device FROM runs WHERE run_id = 't'") == [
        ("running", 2, None, None, "gpu")
    ]


def test_final_has_the_last_value_of_every_metric(ledger, study, runs, tell, published):
    ledger.register(study, runs)
    tell(
        "t",
        *(Number(metrics.LOSS, 1.0 / (1 + epoch), "train", epoch, 10 * epoch) for epoch in (10, 0, 9)),
        *(Number(metrics.ACCURACY, step / 10, "test", 0, step) for step in (2, 3, 1)),
        Number(metrics.STEPS_TO_FIT, 3.0, epoch=0, step=0),
        Number(metrics.STEPS_TO_FIT, 7.0),
        Number(metrics.ENERGY_CONCENTRATION, 0.25, "train", 0, 0, "it's 50"),
        Number(metrics.DISTANCE_L2, 2.0, epoch=0),
        Number(metrics.DISTANCE_L2, float("nan"), epoch=1),
    )
    assert published(
        """SELECT run_id, train_loss, test_accuracy, steps_to_fit, "train_energy_concentration__it's 50",
           distance_l2, distance_cosine FROM final ORDER BY run_id"""
    ) == [("s", None, None, None, None, None, None), ("t", 1 / 11, 0.3, 7.0, 0.25, 2.0, None)]


def test_final_has_the_metrics_of_every_training_before_any_arrived(ledger, study, runs, published):
    ledger.register(study, runs)
    assert list(types(published, "final")) == [
        *("run_id", "train_loss", "test_loss", "train_accuracy", "test_accuracy"),
        *("distance_l2", "distance_cosine", "steps_to_fit"),
    ]
    assert len(published("FROM final")) == 2


def test_curves_join_numbers_with_their_run(ledger, study, runs, tell, loss, published):
    ledger.register(study, runs)
    tell("t", loss(0, 0.5), loss(1, -0.5))
    assert published("SELECT epoch, value, task_index, status FROM curves WHERE name = 'loss' ORDER BY epoch") == [
        (0, 0.5, 50, "running"),
        (1, -0.5, 50, "running"),
    ]


def test_spectra_number_their_entries_from_one(ledger, study, runs, tell, published):
    ledger.register(study, runs)
    tell("s", Vector(metrics.EIGENVALUES, (3.0, 2.0)))
    tell("t", Vector(metrics.GAPS, ()))
    assert published("SELECT run_id, model_kind, j, value FROM spectra ORDER BY j") == [
        ("s", "mlp", 1, 3.0),
        ("s", "mlp", 2, 2.0),
    ]


def test_study_runs_select_the_points_of_a_study(ledger, study, runs, published):
    ledger.register(study, runs)
    ledger.register(study._replace(name="other"), runs[1:])
    assert published("SELECT variant, run_id, model_kind FROM study_runs WHERE study = 'other'") == [("", "t", "mlp")]
