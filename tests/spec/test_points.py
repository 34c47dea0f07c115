import contextlib
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linstudy.data.kinds import sizes
from linstudy.plan import make_plan
from linstudy.spec.data import Cifar10Data, DigitsData
from linstudy.spec.model import LenetModel, MlpModel
from linstudy.spec.points import StudyError, load_study, unknown_sizes
from linstudy.spec.task import BinaryClassesTask, EigenfunctionTask
from linstudy.spec.train import AdamOptimizer, Linearize, SgdOptimizer, Train

HEAD = "study: a\ndata: {kind: digits}\nmodel: {kind: mlp}\n"
STUDIES = Path(__file__).parents[2] / "studies"


def epochs_and_seeds(study):
    return [(point.train.epochs, point.seed) for point in study.points]


def test_what_is_left_out_is_the_default(load):
    (point,) = load("").points
    assert point.data == DigitsData(kind="digits")
    assert point.model == MlpModel(kind="mlp")
    assert point.task == BinaryClassesTask(kind="binary_classes")
    assert point.train == Train()
    assert point.probes == ()
    assert point.seed == 0


def test_a_study_carries_its_name_title_text_and_folder(load):
    study = load("title: A title\n")
    assert (study.name, study.title, study.variant, study.folder) == ("a", "A title", "", Path("."))
    assert study.text.endswith("title: A title\n")


def test_a_sweep_is_a_product_in_the_order_of_the_file_with_every_seed(load):
    study = load("seeds: [7, 8]\nsweep:\n  train.epochs: [1, 2]\n  model: [{kind: mlp}, {kind: lenet}]\n")
    assert [(p.train.epochs, p.model.kind, p.seed) for p in study.points] == [
        (epochs, model, seed) for epochs in (1, 2) for model in ("mlp", "lenet") for seed in (7, 8)
    ]


def test_zip_pairs_its_axes_and_multiplies_the_sweep(load):
    study = load("zip: {train.epochs: [1, 2], data.train: [10, 20]}\nsweep: {model.activation: [relu, gelu]}\n")
    assert [(p.model.activation, p.train.epochs, p.data.train) for p in study.points] == [
        ("relu", 1, 10),
        ("relu", 2, 20),
        ("gelu", 1, 10),
        ("gelu", 2, 20),
    ]


def test_the_longer_of_two_paths_is_set_last(load):
    study = load(
        "sweep:\n  task.index: [3]\n  task: [{kind: eigenfunction, index: 1}, {kind: eigenfunction, index: 2}]\n"
    )
    assert [point.task for point in study.points] == [EigenfunctionTask(kind="eigenfunction", index=3)]


def test_a_seed_can_be_an_axis(load):
    assert epochs_and_seeds(load("zip: {seed: [5, 6], train.epochs: [1, 2]}\n")) == [(1, 5), (2, 6)]


def test_a_path_into_a_part_left_out_keeps_its_default_kind(load):
    (point,) = load("sweep: {train.optimizer.learning_rate: [0.1]}\n").points
    assert point.train.optimizer == SgdOptimizer(kind="sgd", learning_rate=0.1)
    (point,) = load("", "task.positive=[1]").points
    assert point.task == BinaryClassesTask(kind="binary_classes", positive=(1,))
    (point,) = load("", "train.linearize.centred=true").points
    assert point.train.linearize == Linearize(centred=True)


def test_included_points_get_every_seed_unless_they_name_one(load):
    study = load("seeds: [0, 1]\ninclude:\n  - {train.epochs: 3}\n  - {train.epochs: 4, seed: 9}\n")
    assert epochs_and_seeds(study) == [(100, 0), (100, 1), (3, 0), (3, 1), (4, 9)]


def test_included_points_are_not_swept_or_excluded(load):
    study = load("sweep: {train.epochs: [1, 2]}\nexclude: [{train.epochs: 2}]\ninclude: [{train.epochs: 2}]\n")
    assert epochs_and_seeds(study) == [(1, 0), (2, 0)]


@pytest.mark.parametrize(
    "selection",
    [
        "{train.epochs: 2, model.kind: lenet}",
        "{model: {kind: lenet}, train: {epochs: 2}}",
        "{model.kind: lenet, train: {epochs: 2, batch_size: 128}}",
        "{train.epochs: 2, model: {kind: lenet, activation: relu}}",
    ],
)
def test_exclude_drops_what_has_all_its_values_also_defaults(load, selection):
    study = load(
        f"sweep: {{train.epochs: [1, 2], model: [{{kind: mlp}}, {{kind: lenet}}]}}\nexclude:\n  - {selection}\n"
    )
    assert [(p.train.epochs, p.model.kind) for p in study.points] == [(1, "mlp"), (1, "lenet"), (2, "mlp")]


def test_exclude_can_drop_points_that_would_be_invalid(load):
    study = load(
        "sweep: {model: [{kind: mlp}, {kind: resnet}], spectrum.kernel: [empirical, infinite_width]}\n"
        "exclude: [{model.kind: resnet, spectrum.kernel: infinite_width}]\n"
    )
    assert len(study.points) == 3


@pytest.mark.parametrize(
    "text",
    [
        "sweep: {train.epochs: [5, 5]}\n",
        "sweep: {model: [{kind: mlp}, {kind: mlp, activation: relu}]}\n",
        "include: [{train.epochs: 100}]\n",
    ],
)
def test_the_same_point_twice_is_one(load, text):
    assert len(load(text).points) == 1


def test_a_profile_replaces_whole_keys(load):
    text = (
        "title: small\ntrain: {epochs: 3, batch_size: 5}\nseeds: [0, 1]\nsweep: {model.activation: [relu, gelu]}\n"
        "profiles: {paper: {title: large, data: {kind: cifar10}, train: {epochs: 4}, sweep: {}}}\n"
    )
    study = load(text, profile="paper")
    assert [(p.data, p.train, p.seed) for p in study.points] == [
        (Cifar10Data(kind="cifar10"), Train(epochs=4), seed) for seed in (0, 1)
    ]
    assert (study.title, study.variant) == ("large", "paper")
    assert len(load(text).points) == 4


def test_overrides_come_after_the_profile_in_their_order(load):
    text = "profiles: {paper: {train: {epochs: 4}}}\n"
    study = load(text, "train.epochs=5", "train.batch_size=9", "train.epochs=6", profile="paper")
    assert [point.train for point in study.points] == [Train(epochs=6, batch_size=9)]
    assert study.variant == "paper train.batch_size=9 train.epochs=6"


@pytest.mark.parametrize(
    ("overrides", "variant"),
    [
        (["train.epochs=5", "seeds=[1]"], "seeds=[1] train.epochs=5"),
        (["seeds=[1]", "train.epochs=5"], "seeds=[1] train.epochs=5"),
        (["train.epochs=05"], "train.epochs=5"),
        (["train.epochs= 5"], "train.epochs=5"),
        ([" train.epochs =5"], "train.epochs=5"),
        (["train.epochs=3", "train.epochs=5"], "train.epochs=5"),
        (["title=another"], ""),
        (["title=another", "seeds=[1]"], "seeds=[1]"),
        (["train={epochs: 5, batch_size: 2}"], "train={batch_size: 2, epochs: 5}"),
        (["train.batch_size=9", "train={epochs: 5}"], "train={epochs: 5}"),
        (["train={epochs: 5}", "train.batch_size=9"], "train.batch_size=9 train={epochs: 5}"),
        (["model.kind=lenet"], "model.kind=lenet"),
        (["data={kind: npz, path: 'a b.npz'}"], 'data={kind: npz, path: "a b.npz"}'),
        (["data={kind: npz, path: a.npz}"], "data={kind: npz, path: a.npz}"),
        (["data.train=null"], "data.train=null"),
        (["train.optimizer={kind: sgd, learning_rate: 1e-3}"], "train.optimizer={kind: sgd, learning_rate: 0.001}"),
        (["probes=[{kind: rkhs_norm, at: [end], label: '3'}]"], 'probes=[{at: [end], kind: rkhs_norm, label: "3"}]'),
    ],
)
def test_overrides_that_mean_the_same_make_one_variant(load, overrides, variant):
    assert load("train: {epochs: 7}\n", *overrides).variant == variant


def test_a_variant_is_short_and_different_ones_stay_apart(load):
    one, other = (load("", f"seeds={list(range(100))}", f"train.epochs={epochs}").variant for epochs in (1, 2))
    assert len(one) == len(other) == 100
    assert one.startswith("seeds=[0, 1, 2, 3, 4, ")
    assert one != other
    assert one[:-8] == other[:-8]


def test_a_profile_is_found_however_its_accents_are_typed(load):
    text = "profiles: {\u00e9t\u00e9: {train: {epochs: 2}}}\n"
    assert load(text, profile="e\u0301te\u0301").points[0].train.epochs == 2


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("seeds=[3, 4]", [(1, 3), (2, 3), (1, 4), (2, 4)]),
        ("sweep.train.epochs=[7]", [(7, 0)]),
        ("sweep={}", [(100, 0)]),
        ("exclude=[{train.epochs: 1}]", [(2, 0)]),
        ("include=[{train.epochs: 8}]", [(1, 0), (2, 0), (8, 0)]),
    ],
)
def test_overrides_reach_how_points_vary(load, override, expected):
    assert sorted(epochs_and_seeds(load("sweep: {train.epochs: [1, 2]}\n", override))) == sorted(expected)


def test_overrides_reach_into_lists_and_selections(load):
    (point,) = load("probes: [{kind: alignment, at: [end]}]\n", "probes.0.top=3").points
    assert point.probes[0].top == 3
    study = load("include: [{train.epochs: 3}]\n", "include.0.train.epochs=4")
    assert epochs_and_seeds(study) == [(100, 0), (4, 0)]


def test_the_kind_of_a_part_can_be_set(load):
    (point,) = load("", "model.kind=lenet", "train.optimizer={kind: adam}").points
    assert point.model == LenetModel(kind="lenet")
    assert point.train.optimizer == AdamOptimizer(kind="adam")


def test_anchors_and_merged_keys_make_points(load):
    text = "study: a\ndata: &data {kind: digits}\nmodel: {kind: mlp}\nsweep: {data: [*data, {<<: *data, train: 100}]}\n"
    assert [point.data.train for point in load(text, head="").points] == [None, 100]


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_studies_here_are_valid(path):
    study = load_study(path, sizes=sizes)
    assert study.name == path.stem
    assert study.points


LARGE = """\
task: {kind: eigenfunction, index: 50}
probes: [{kind: alignment, top: 500, at: [start, end]}, {kind: energy_concentration, every: 10}]
seeds: [0, 1, 2, 3, 4]
sweep:
  model: [{kind: mlp}, {kind: lenet}]
  task.index: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
  train.epochs: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
"""


def test_a_thousand_points_are_planned_at_once(load):
    """0.4 s in all on one core; the limit leaves room for a busy machine."""
    start = time.process_time()
    plan = make_plan(load(LARGE).points, lambda part, spec: "")
    assert time.process_time() - start < 2
    assert len(plan.runs) == 10 + 3 * 1000


def test_ten_thousand_points_are_planned_in_seconds(load):
    """1.5 s in all on one core at rest; the limit leaves room for a busy machine."""
    start = time.process_time()
    study = load(f"train: {{epochs: 0}}\nprobes: [{{kind: rkhs_norm, at: [end]}}]\nseeds: {list(range(10_000))}\n")
    plan = make_plan(study.points, lambda part, spec: "")
    assert time.process_time() - start < 10
    assert len(plan.runs) == 20_000


MUTATIONS = st.lists(
    st.tuples(
        st.integers(0, len(HEAD + LARGE)),
        st.integers(0, 6),
        st.sampled_from(
            [*":-?,[]{}#&*!|>'\"%@`\\ \n\t0~", "\0", "null", ".nan", "9" * 30, "<<", "&a", "*a", "seed", "é"]
        ),
    ),
    min_size=1,
    max_size=6,
)


@given(MUTATIONS)
@settings(deadline=5000, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_study_is_a_study_or_a_study_error(tmp_path, mutations):
    text = HEAD + LARGE.replace(", 3, 4, 5, 6, 7, 8, 9, 10]", "]")
    for place, length, new in mutations:
        text = text[:place] + new + text[place + length :]
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with contextlib.suppress(StudyError):
        assert load_study(path, sizes=sizes).points


def test_planning_imports_nothing_heavy():
    code = "import sys, linstudy.spec.points, linstudy.plan, linstudy.execute.schedule; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"jax", "numpy", "scipy", "sklearn", "duckdb", "optax", "equinox"}.isdisjoint(loaded)
    assert "linstudy.plan" in loaded


def test_sizes_can_be_unknown():
    assert unknown_sizes(DigitsData(kind="digits")) == (None, None)
