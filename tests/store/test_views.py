import json

import duckdb
import numpy as np
import pytest
import scipy

from linstudy import metrics
from linstudy.facts import Ending, Number, Vector
from linstudy.store.rows import RunRow
from linstudy.store.snapshot import publish


@pytest.fixture
def published(ledger, workspace):
    """A function that reads from what is published of the ledger, as it is then."""
    revision = None

    def read(sql):
        nonlocal revision
        if ledger.revision != revision:
            publish(ledger, workspace.results)
            revision = ledger.revision
        with duckdb.connect(workspace.results, read_only=True) as connection:
            return connection.execute(sql).fetchall()

    return read


def types(published, view):
    return {name: type_ for name, type_, *_ in published(f"DESCRIBE {view}")}


def test_all_views_are_valid_on_an_empty_ledger(published):
    fixed = ("curves", "spectra", "study_runs", "growths", "probes", "rotations")
    of_trainings = ("trainings", "averages", "comparisons", "index_trends", "pretrainings", "reversals", "bounds")
    for view in ("runs", "settings", "final", *fixed, *of_trainings):
        assert published(f"FROM {view}") == []


def test_runs_has_the_fields_of_every_kind_of_spec_before_any_is_run(ledger, study, runs, published):
    empty = list(types(published, "runs"))
    assert empty[:6] == ["run_id", "setting_id", "kind", "status", "data_kind", "data_train"]
    assert empty[-12:] == [
        *("attempts", "started", "seconds", "host", "device", "fused_group", "methods", "notices", "log", "error"),
        *("tags", "diverged"),
    ]
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
        "list": "JSON",
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
    spec = {"a": {"b_c": 1, "B_c": 2}, "a_b": {"c": 3}, "status": "mine", "label": 4, "log": 5, "kind": "k"}
    ledger.register(study, [RunRow("r", "k", spec)])
    tell("r", Number(metrics.LOSS, 1.0, epoch=0, step=0, label="probe"))
    assert published("SELECT a_b_c, a_B_c_, a_b_c__, status, status_, label_, log, log_ FROM runs") == [
        (1, 2, 3, "running", "mine", 4, None, 5)
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
    ) == [("s", None, None, None, None, None, None), ("t", 1 / 11, 0.3, 7.0, 0.25, None, None)]


def test_final_says_how_its_run_stands_and_from_which_epoch_its_values_are(ledger, study, runs, tell, loss, published):
    ledger.register(study, runs)
    tell("t", *map(loss, (0, 7, 3)), Ending("interrupted"))
    assert published("SELECT run_id, status, epoch FROM final ORDER BY run_id") == [
        ("s", "planned", None),
        ("t", "interrupted", 7),
    ]
    assert published("SELECT count(*) FROM final JOIN runs USING (run_id, status)") == [(2,)]


def test_what_needs_a_diverged_run_is_diverged_too(ledger, study, runs, tell, published):
    probe = RunRow("p", "probe", {"kind": "probe"}, (("training", "t"), ("spectrum", "s")))
    ledger.register(study, [*runs, probe])
    assert published("SELECT DISTINCT diverged FROM runs") == [(False,)]
    tell("t", Ending("diverged"))
    assert published("SELECT run_id, status, diverged FROM runs ORDER BY ALL") == [
        ("p", "planned", True),
        ("s", "planned", False),
        ("t", "diverged", True),
    ]
    tell("t", Ending("done"))
    assert published("SELECT DISTINCT diverged FROM runs") == [(False,)]


def test_lists_and_objects_are_json_and_missing_ones_null(ledger, study, published):
    arguments = [{"width": 8, "list": [1], "part": {"a": 1}}, {"width": "16", "list": None, "part": None}]
    specs = [{"model": {"arguments": one}} for one in arguments]
    ledger.register(study, [RunRow(str(number), "k", spec) for number, spec in enumerate(specs)])
    assert published("SELECT model_arguments_list, model_arguments_part, model_arguments_width FROM runs") == [
        ("[1]", '{"a":1}', "8"),
        (None, None, "16"),
    ]
    assert [types(published, "runs")[f"model_arguments_{name}"] for name in ("list", "part", "width")] == [
        *("JSON", "JSON", "VARCHAR"),
    ]


def test_final_has_the_metrics_of_every_training_before_any_arrived(ledger, study, runs, published):
    ledger.register(study, runs)
    assert list(types(published, "final")) == [
        *("run_id", "status", "epoch", "train_loss", "test_loss", "train_accuracy", "test_accuracy"),
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


def _alignment_probe(run_id, target, kind="eigenfunction"):
    spec = {"kind": "probe", "task": {"kind": kind, "index": target}, "probe": {"kind": "alignment"}, "seed": 0}
    return RunRow(run_id, "probe", spec)


@pytest.fixture
def measure(ledger, study, tell):
    """A function that registers alignment probes, each with its alignments by epoch, and ends them."""

    def measure(*probes, status="done"):
        ledger.register(study, [run for run, _ in probes])
        for run, alphas in probes:
            vectors = (Vector(metrics.ALIGNMENT, row, epoch=epoch) for epoch, row in alphas.items())
            tell(run.run_id, *vectors, Ending(status))

    return measure


def test_growths_are_from_the_first_epoch_to_the_last(measure, published):
    measure((_alignment_probe("p", 2), {5: [7.0, 7.0, 7.0], 0: [4.0, 2.0, 1.0], 9: [4.0, 8.0, 1.5]}))
    assert published("SELECT j, target, alpha_start, alpha_end, growth, place, finite FROM growths ORDER BY j") == [
        (1, 2, 4.0, 4.0, 1.0, "neighbour", True),
        (2, 2, 2.0, 8.0, 4.0, "target", True),
        (3, 2, 1.0, 1.5, 1.5, "neighbour", True),
    ]


def test_neighbours_are_ten_on_each_side(measure, published):
    measure((_alignment_probe("p", 15), {0: [1.0] * 40, 1: [2.0] * 40}))
    assert published("SELECT min(j), max(j), count(*) FROM growths WHERE place = 'neighbour'") == [(5, 25, 20)]


def test_growths_take_runs_that_are_done_and_were_probed_twice(ledger, study, measure, published):
    measure((_alignment_probe("once", 1), {0: [1.0]}))
    measure((_alignment_probe("failed", 1), {0: [1.0], 1: [2.0]}), status="failed")
    ledger.register(study, [_alignment_probe("planned", 1)])
    assert published("FROM growths") == []


def test_a_task_that_is_no_eigenfunction_has_no_target(measure, published):
    measure((_alignment_probe("p", 2, kind="nad"), {0: [1.0, 1.0], 1: [2.0, 2.0]}))
    assert published("SELECT DISTINCT target, place FROM growths") == [(None, "other")]
    assert published("FROM rotations") == []


def test_rotations_compare_the_target_with_the_others(measure, published):
    growths = [8.0, 2.0, 3.0, *[1.0] * 9, 16.0]  # that of φ_13 is no neighbour's
    measure((_alignment_probe("p", 1), {0: [1.0] * 13, 1: growths}))
    assert published(
        "SELECT target, target_growth, neighbours_growth, best_neighbour_growth, best_other_growth, median_growth, "
        "share_rising, left_out FROM rotations"
    ) == [(1, 8.0, 1.0, 3.0, 16.0, 1.0, 4 / 13, False)]


@pytest.mark.parametrize(("start", "end"), [(float("nan"), 2.0), (1.0, float("inf"))])
def test_an_alignment_that_is_no_number_leaves_its_whole_run_out(measure, published, start, end):
    measure((_alignment_probe("p", 1), {0: [1.0, start, 1.0], 1: [2.0, end, 2.0]}))
    assert published("SELECT target_growth, share_rising, left_out FROM rotations") == [(None, None, True)]
    assert published("SELECT DISTINCT finite FROM growths") == [(False,)]


@pytest.mark.parametrize("noise", [0.0, 1e-9, 1.1e-7 * 1541])
def test_what_starts_as_rounding_noise_has_no_growth_and_is_not_counted(measure, published, noise):
    measure((_alignment_probe("p", 1), {0: [1541.0, 3.0, noise], 1: [3082.0, 1.5, 4.0]}))
    assert published("SELECT j, growth FROM growths ORDER BY j") == [(1, 2.0), (2, 0.5), (3, None)]
    assert published("SELECT target_growth, best_other_growth, share_rising, left_out FROM rotations") == [
        (2.0, 0.5, 0.5, False)
    ]


def test_a_target_that_starts_as_rounding_noise_is_no_seed(measure, published):
    measure((_alignment_probe("p", 2), {0: [1541.0, 1e-9], 1: [3082.0, 4.0]}))
    assert published("SELECT target_growth, left_out FROM rotations") == [(None, False)]


def test_a_kernel_of_zeros_has_no_growths(measure, published):
    measure((_alignment_probe("p", 1), {0: [0.0, 0.0], 1: [0.0, 1.0]}))
    assert published("SELECT target_growth, share_rising, left_out FROM rotations") == [(None, None, False)]


# The macros for claims


@pytest.mark.parametrize("count", [2, 3, 10, 11, 30])
def test_half_width_is_that_of_students_t(published, count):
    values = np.random.default_rng(count).normal(size=count)
    [(found,)] = published(f"SELECT half_width(value) FROM (SELECT unnest({values.tolist()}) AS value)")
    low, high = scipy.stats.t.interval(0.95, count - 1, loc=values.mean(), scale=scipy.stats.sem(values))
    assert found == pytest.approx((high - low) / 2, rel=2e-3)


def test_half_width_of_one_value_is_unknown(published):
    assert published("SELECT half_width(value) FROM (SELECT 1.0 AS value)") == [(None,)]


MEANS = [
    ([0.75, 0.75, 0.75], 0.5, True),
    ([0.6, 0.7, 0.8], 0.5, True),  # 0.7 ± 0.25
    ([0.3, 0.7, 1.1], 0.5, None),  # 0.7 ± 0.99 is not above 0
    ([0.35, 0.4, 0.45], 0.5, None),  # 0.4 ± 0.12 is not below the aim
    ([0.2, 0.25, 0.3], 0.5, False),  # 0.25 ± 0.12
    ([0.5], 0.5, True),
    ([0.4], 0.5, False),
    ([0.01], 0.0, True),
    ([0.0], 0.0, None),
    ([-0.01], 0.0, False),
    ([-0.1, 0.0, 0.05], 0.0, None),
]


def test_a_mean_reaches_an_aim_by_its_interval_or_misses_it_or_neither(published):
    for values, aim, found in MEANS:
        sql = f"SELECT reaches(value, {aim}) FROM (SELECT unnest({values}) AS value)"
        assert published(sql) == [(found,)], (values, aim)


@pytest.mark.parametrize(
    ("values", "ends"), [([0.5], (None, None)), ([0.5, 1.0], (-1.0, 1.0)), ([0.5, 0.6, 0.7], (0.352, 0.848))]
)
def test_the_ends_of_the_interval_of_a_kendalls_tau_are_ones_that_it_can_have(published, values, ends):
    [found] = published(f"SELECT lower_end(tau), upper_end(tau) FROM (SELECT unnest({values}) AS tau)")
    assert found == (ends if ends[0] is None else pytest.approx(ends, abs=1e-3))


def test_a_mean_of_nothing_decides_nothing(published):
    assert published("SELECT reaches(value, 0) FROM (SELECT NULL::DOUBLE AS value)") == [(None,)]


def test_kendall_is_the_one_of_scipy_and_pairs_of_equals_count_as_neither(published):
    x, y = np.random.default_rng(0).permutation(12), np.random.default_rng(1).normal(size=12)
    pairs = f"SELECT unnest({x.tolist()}) AS x, unnest({y.tolist()}) AS y"
    assert published(f"SELECT kendall(x, y) FROM ({pairs})")[0][0] == pytest.approx(
        scipy.stats.kendalltau(x, y).statistic
    )
    ties = "VALUES (1, 5), (2, 3), (3, 3), (4, 1)"
    assert published(f"SELECT kendall(x, y) FROM ({ties}) AS pairs (x, y)") == [(-5 / 6,)]
    assert published("SELECT kendall(x, y) FROM (VALUES (1, 5)) AS pairs (x, y)") == [(None,)]
