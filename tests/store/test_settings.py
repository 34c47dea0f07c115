"""Settings: a row each, and the words that tell them apart."""

import duckdb
import pytest

from linstudy.facts import Ending
from linstudy.store.rows import RunRow
from linstudy.store.snapshot import publish


@pytest.fixture
def labels(ledger, workspace, study):
    """A function that registers specs, each a setting of one run, and gives their labels in that order."""

    def read(*specs, kind="training", among="settings"):
        rows = [RunRow(f"r{number}", kind, spec, setting_id=f"s{number}") for number, spec in enumerate(specs)]
        ledger.register(study, rows)
        publish(ledger, workspace.results)
        with duckdb.connect(workspace.results, read_only=True) as connection:
            found = connection.execute(f"SELECT label FROM {among} ORDER BY setting_id").fetchall()
        return [label for (label,) in found]

    return read


def spec(model=None, train=None, data=None, task=None, **other):
    return {
        "data": {"kind": "digits", "train": None, **(data or {})},
        "model": {"kind": "mlp", **(model or {})},
        "task": {"kind": "eigenfunction", **(task or {})},
        "train": {"optimizer": {"learning_rate": 0.05}, "linearize": None, **(train or {})},
        **other,
    }


def test_a_label_has_the_fields_that_differ(labels):
    fast = {"optimizer": {"learning_rate": 0.1}}
    assert labels(
        spec({"kind": "import", "arguments": {"width": 32, "depth": 2}}, fast),
        spec({"kind": "import", "arguments": {"width": 64, "depth": 2}}, fast),
        spec({"kind": "lenet"}),
    ) == [
        "import, arguments width 32, learning_rate 0.1",
        "import, arguments width 64, learning_rate 0.1",
        "lenet, learning_rate 0.05",
    ]


def test_a_field_is_named_by_as_many_parts_as_tell_it_from_the_others(labels):
    assert labels(spec(data={"seed": 1}, task={"seed": 1}), spec(data={"seed": 2}, task={"seed": 2})) == [
        "data seed 1, task seed 1",
        "data seed 2, task seed 2",
    ]


def test_a_field_that_only_some_have_is_no_difference_of_its_own(labels):
    assert labels(spec({"hidden": [100]}), spec({"kind": "lenet"})) == ["mlp", "lenet"]


def test_a_part_that_is_left_out_is_told_by_its_name(labels):
    linear = {"at": "init", "centred": False}
    later = {"at": {"epoch": 5}, "centred": False}
    assert labels(spec(), spec(train={"linearize": linear}), spec(train={"linearize": later})) == [
        "mlp, digits, eigenfunction",
        "linearize, linearize at init",
        'linearize, linearize at {"epoch":5}',
    ]


def test_a_part_that_all_have_is_told_by_its_fields_alone(labels):
    first, later = ({"linearize": {"at": at, "centred": False}} for at in ("init", {"epoch": 5}))
    assert labels(spec(train=first), spec(train=later)) == ["linearize at init", 'linearize at {"epoch":5}']
    assert labels(spec(), spec(train=first)) == ["mlp, digits, eigenfunction", "linearize"]


def test_one_setting_has_the_kinds_of_its_parts(labels):
    assert labels(spec()) == ["mlp, digits, eigenfunction"]


def test_the_seed_and_how_a_probes_epochs_were_written_are_no_difference(labels):
    specs = [spec(seed=seed, probe={"kind": "alignment", "at": [seed], "every": seed}) for seed in (0, 1)]
    found = labels(*specs, kind="probe")
    assert found == [f"setting s{number}" for number in (0, 1)]  # nothing else tells them apart


def test_settings_of_another_kind_do_not_count(ledger, labels, study):
    ledger.register(study._replace(name="other"), [RunRow("x", "nads", spec({"hidden": [1]}), setting_id="x")])
    assert labels(spec({"hidden": [2]})) == ["mlp, digits, eigenfunction"] * 2


def test_labels_are_relative_to_the_settings_that_are_asked_for(labels):
    specs = [spec({"hidden": [width]}, {"batch_size": size}) for width, size in ((1, 16), (2, 16), (2, 64))]
    assert labels(*specs) == [
        *("hidden [1], batch_size 16", "hidden [2], batch_size 16", "hidden [2], batch_size 64"),
    ]
    assert labels(*specs, among="settings_among(['s0', 's1'])") == ["hidden [1]", "hidden [2]"]
    assert labels(*specs, among="settings_among([]::VARCHAR[])") == []


def test_what_is_told_by_other_means_is_no_word_of_a_label(labels):
    """Fields by their column, and parts with all that is in them; settings may share a label that differ in these."""
    linear = {"linearize": {"at": "init", "centred": False}}
    specs = [spec({"hidden": [width]}, train) for width in (1, 2) for train in (None, linear)]
    assert labels(*specs, among="settings_among(NULL, along := ['train_linearize'])") == [
        *("hidden [1]", "hidden [1]", "hidden [2]", "hidden [2]"),
    ]
    assert (
        labels(*specs, among="settings_among(NULL, along := ['train', 'model_hidden'])")
        == ["mlp, digits, eigenfunction"] * 4
    )
    twins = [*specs, spec({"hidden": [2]}, linear)]
    assert labels(*twins, among="settings_among(NULL, along := ['train_linearize', 'model_hidden'])") == [
        *["mlp, digits, eigenfunction"] * 3,
        *("setting s3", "setting s4"),
    ]


def test_a_long_value_is_cut_short(labels):
    first, second = labels(spec(task={"direction": [1] * 100}), spec(task={"direction": [2] * 100}))
    assert first == f"direction [{'1,' * 19}…"
    assert second == f"direction [{'2,' * 19}…"


def test_a_setting_counts_its_seeds_and_runs(ledger, workspace, study, tell):
    specs = [(f"{setting}{seed}", setting, seed) for setting in "ab" for seed in range(3)]
    ledger.register(
        study, [RunRow(run_id, "training", spec(seed=seed), setting_id=setting) for run_id, setting, seed in specs]
    )
    ledger.register(study._replace(name="other"), [RunRow("old", "training", spec(seed=0))])
    for run_id, status in (("a0", "done"), ("a1", "done"), ("a2", "failed"), ("b0", "diverged")):
        tell(run_id, Ending(status))
    publish(ledger, workspace.results)
    with duckdb.connect(workspace.results, read_only=True) as connection:
        rows = connection.execute("SELECT setting_id, kind, seeds, runs, done, diverged, model_kind FROM settings")
        assert sorted(rows.fetchall()) == [("a", "training", 3, 3, 2, 0, "mlp"), ("b", "training", 3, 3, 0, 1, "mlp")]
        columns = {name for name, *_ in connection.execute("DESCRIBE settings").fetchall()}
    assert "seed" not in columns
    assert {"label", "network", "target", "train_optimizer_learning_rate", "data_seed"} <= columns


def test_settings_are_there_for_a_reader_who_attaches_the_file(ledger, workspace, study):
    ledger.register(study, [RunRow("r", "training", spec(), setting_id="s")])
    publish(ledger, workspace.results)
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{str(workspace.results).replace(chr(39), chr(39) * 2)}' AS other (READ_ONLY)")
        assert connection.execute("SELECT setting_id FROM other.settings").fetchall() == [("s",)]
