import copy
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linstudy import plan as planning
from linstudy.data.kinds import form
from linstudy.plan import describe, fusion_key, make_plan
from linstudy.spec.errors import LinstudyError
from linstudy.spec.study import Point

BASE = {
    "data": {"kind": "digits"},
    "model": {"kind": "lenet"},
    "task": {"kind": "eigenfunction", "index": 5},
    "train": {"epochs": 30},
    "probes": [{"kind": "alignment", "at": ["start", "end"]}],
    "seed": 0,
}
"""A training with a spectrum below it and a probe above it."""


def embedded(part, spec):
    return ""


def plan(*points, identify=embedded):
    return make_plan([Point.model_validate(point, strict=False) for point in points], identify, form)


def changed(path, value, base=BASE):
    """The base with another value at a dotted path."""
    point = copy.deepcopy(base)
    *parents, last = path.split(".")
    node = point
    for name in parents:
        node = node[int(name)] if isinstance(node, list) else node.setdefault(name, {})
    node[last] = value
    return point


def ids(*points, identify=embedded):
    """The one id of each kind of run."""
    runs = plan(*points, identify=identify).runs.values()
    assert len({run.kind for run in runs}) == len(runs)
    return {run.kind: run.run_id for run in runs}


def of_kind(found, kind):
    return [run for run in found.runs.values() if run.kind == kind]


# What runs there are


def test_some_runs_come_with_all_that_they_need_and_keep_what_others_ask_of_them():
    found = plan(
        {**BASE, "train": {"epochs": 30, "linearize": {"at": {"epoch": 7}}}},
        {**BASE, "task": {"kind": "binary_classes"}, "probes": []},
    )
    kinds = [run.kind for run in found.runs.values()]
    assert kinds == ["spectrum", "training", "training", "probe", "training"]
    spectrum, anchor, linear, probe, other = found.runs
    assert list(found.with_needs([linear]).runs) == [spectrum, anchor, linear]
    assert list(found.with_needs([probe]).runs) == [spectrum, anchor, linear, probe]
    assert list(found.with_needs([other, spectrum]).runs) == [spectrum, other]
    assert found.with_needs([]).runs == {}
    assert found.with_needs(found.runs) == found
    assert found.with_needs([anchor]).runs[anchor].checkpoints == (7, 30), "the linearization is to come"


def test_dependencies_follow_from_the_words():
    spectrum, training, probe = plan(BASE).runs.values()
    assert (spectrum.kind, training.kind, probe.kind) == ("spectrum", "training", "probe")
    assert spectrum.needs == ()
    assert [(need.role, need.run_id) for need in training.needs] == [("spectrum", spectrum.run_id)]
    assert [(need.role, need.run_id) for need in probe.needs] == [
        ("training", training.run_id),
        ("spectrum", spectrum.run_id),
    ]


@pytest.mark.parametrize(
    ("task", "kinds"),
    [
        ({"kind": "binary_classes"}, ["training"]),
        ({"kind": "random_labels"}, ["training"]),
        ({"kind": "linear_predictor", "direction": [1.0]}, ["training"]),
        ({"kind": "column", "path": "a.txt"}, ["training"]),
        ({"kind": "eigenfunction", "index": 1}, ["spectrum", "training"]),
        ({"kind": "nad", "index": 1}, ["nads", "training"]),
    ],
)
def test_a_task_brings_what_it_needs(task, kinds):
    assert [run.kind for run in plan({**BASE, "task": task, "probes": []}).runs.values()] == kinds


def test_the_alignment_probe_brings_the_spectrum_and_others_do_not():
    classes = {**BASE, "task": {"kind": "binary_classes"}}
    assert [run.kind for run in plan(classes).runs.values()] == ["training", "spectrum", "probe"]
    other = {**classes, "probes": [{"kind": "rkhs_norm", "at": ["end"]}]}
    assert [run.kind for run in plan(other).runs.values()] == ["training", "probe"]


def test_a_linearization_at_an_epoch_needs_the_same_training_not_linearized():
    anchored = changed("train.linearize", {"at": {"epoch": 10}, "centred": True})
    found = plan(anchored)
    network, linearized = of_kind(found, "training")
    assert network.run_id == ids(BASE)["training"]
    assert network.checkpoints == (10, 30)
    assert network.spec.model_dump()["train"]["linearize"] is None
    assert [(need.role, need.run_id, need.epochs) for need in linearized.needs if need.role == "anchor"] == [
        ("anchor", network.run_id, (10,))
    ]
    assert len(of_kind(plan(changed("train.linearize", {"at": "init"})), "training")) == 1


@pytest.mark.parametrize("kind", ["alignment", "rkhs_norm"])
def test_a_probe_needs_what_its_training_needs(kind):
    """Its labels and its anchor are made again."""
    point = changed("train.linearize", {"at": {"epoch": 10}})
    found = plan({**point, "probes": [{"kind": kind, "at": ["end"]}]})
    (probe,) = of_kind(found, "probe")
    network, linearized = of_kind(found, "training")
    assert {need.role: need.run_id for need in probe.needs} == {
        "training": linearized.run_id,
        "anchor": network.run_id,
        "spectrum": of_kind(found, "spectrum")[0].run_id,
    }
    nad = {**BASE, "task": {"kind": "nad", "index": 1}, "probes": [{"kind": kind, "at": ["end"]}]}
    assert "nads" in {need.role for need in of_kind(plan(nad), "probe")[0].needs}


def test_every_run_comes_after_what_it_needs():
    anchored = changed("train.linearize", {"at": {"epoch": 10}})
    seen = set()
    for run_id, run in plan(anchored, BASE, changed("seed", 1, anchored)).runs.items():
        assert {need.run_id for need in run.needs} <= seen
        seen.add(run_id)


def test_a_training_keeps_its_end_and_the_epochs_that_others_read():
    probes = [{"kind": "rkhs_norm", "at": [3, "end"]}, {"kind": "alignment", "at": ["start"], "every": 20}]
    (training,) = of_kind(plan({**BASE, "probes": probes}), "training")
    assert training.checkpoints == (0, 3, 20, 30)
    (training,) = of_kind(plan({**BASE, "probes": []}), "training")
    assert training.checkpoints == (30,)


def test_points_share_the_checkpoints_they_ask_for():
    other = {**BASE, "probes": [{"kind": "rkhs_norm", "at": [7]}]}
    for points in [(BASE, other), (other, BASE)]:
        (training,) = of_kind(plan(*points), "training")
        assert training.checkpoints == (0, 7, 30)


# What makes it the same run

GOLDEN = [
    "02f8133053597a6f",  # spectrum
    "5967d69e14fc4913",  # training
    "b5b62a1bd7eeea30",  # training
    "8e0bf443ed13785d",  # probe
    "a9bcd429a83b4e89",  # nads
    "3d9c71ca1b116b3c",  # training
]


def test_the_ids_are_those_of_every_earlier_version():
    """Stored results are found by them: if these change, bump NUMERICS only where results did, else mend the change."""
    point = changed("train.linearize", {"at": {"epoch": 10}, "centred": True})
    point["train"]["optimizer"] = {"kind": "adam", "learning_rate": 0.01}
    nad = {"data": {"kind": "gaussian"}, "model": {"kind": "mlp"}, "task": {"kind": "nad", "index": 2}, "seed": 3}
    assert list(plan(point, nad, identify=lambda part, spec: f"the {part}").runs) == GOLDEN


def test_the_same_point_in_two_studies_is_one_run():
    assert list(plan(BASE, copy.deepcopy(BASE)).runs) == list(plan(BASE).runs)


DEFAULTS = {
    "data.seed": 0,
    "data.train": 1442,
    "data.test": 355,
    "model.activation": "relu",
    "train.optimizer": {"kind": "sgd"},
    "train.schedule": "linear",
    "train.batch_size": 128,
    "train.linearize": None,
    "train.precision": "float32",
    "spectrum": {},
    "spectrum.top": 1000,
    "spectrum.kernel": "empirical",
    "spectrum.precision": "float32",
    "probes.0.top": 1000,
    "probes.0.label": "",
}
OPTIMIZER_DEFAULTS = {"learning_rate": 0.05, "momentum": 0.9}


@given(st.sets(st.sampled_from(sorted(DEFAULTS))), st.sets(st.sampled_from(sorted(OPTIMIZER_DEFAULTS))))
def test_defaults_spelled_out_or_left_out_give_the_same_ids(names, optimizer):
    point = BASE
    for name in sorted(names):
        point = changed(name, copy.deepcopy(DEFAULTS[name]), point)
    if optimizer:
        spelled = {"kind": "sgd", **{name: OPTIMIZER_DEFAULTS[name] for name in optimizer}}
        point = changed("train.optimizer", spelled, point)
    assert ids(point) == ids(BASE)


CLASSES = {**BASE, "task": {"kind": "binary_classes"}, "probes": [{"kind": "spectrum_summary", "at": ["end"]}]}
CIFAR100 = changed("data.kind", "cifar100", CLASSES)
FEW = {**BASE, "data": {"kind": "digits", "train": 50, "test": 20}}
NPZ = {**BASE, "data": {"kind": "npz", "path": "a.npz"}}


@pytest.mark.parametrize(
    ("path", "one", "other", "base"),
    [
        ("data.train", None, 1442, CLASSES),
        ("task.positive", None, [0, 1, 2, 3, 4], CLASSES),
        ("task.positive", [3, 1, 2, 0, 4, 4], [0, 1, 2, 3, 4], CLASSES),
        ("task.positive", None, list(range(50)), CIFAR100),
        ("train.batch_size", 1442, 2000, CLASSES),
        ("probes.0.samples", None, 1442, CLASSES),
        ("spectrum.top", None, 1000, BASE),
        ("spectrum.top", None, 70, FEW),
        ("probes.0.top", None, 70, FEW),
        ("spectrum.top", None, 1000, NPZ),
    ],
)
def test_what_is_left_out_is_what_it_means(path, one, other, base):
    assert ids(changed(path, one, base)) == ids(changed(path, other, base))
    assert ids(changed(path, one, base)) != ids(changed(path, [7] if path.endswith("positive") else 7, base))


def test_what_only_the_data_can_tell_stays_open():
    classes = {**NPZ, "task": {"kind": "binary_classes"}, "probes": []}
    assert ids(classes) != ids(changed("data.train", 1442, classes))
    assert ids(classes) != ids(changed("task.positive", [0, 1, 2, 3, 4], classes))


def test_how_many_eigenvectors_can_be_named_trains_nothing_anew_where_all_are_computed():
    named = changed("spectrum.top", 30, FEW)
    assert {kind for kind, run_id in ids(FEW).items() if ids(named)[kind] != run_id} == {"probe"}
    assert of_kind(plan(FEW), "spectrum")[0].spec.spectrum.top == 70
    assert of_kind(plan(named), "probe")[0].spec.probe.top == 30


def predictor(**fields):
    return {**BASE, "data": {"kind": "gaussian"}, "task": {"kind": "linear_predictor", **fields}, "probes": []}


@pytest.mark.parametrize("direction", [[1.0, 0.0], [1, -0.0]])
def test_equal_numbers_are_one(direction):
    assert ids(predictor(direction=[1, 0])) == ids(predictor(direction=direction, margin=1))
    assert ids(predictor(direction=[1, 0])) != ids(predictor(direction=[1, 1e-9]))


def imported(factory="nets:make", **arguments):
    return {**CLASSES, "model": {"kind": "import", "factory": factory, "arguments": arguments}}


def test_values_that_a_users_factory_can_tell_apart_are_two():
    assert ids(imported(depth=8)) != ids(imported(depth=8.0))
    assert ids(imported(factor=0.0)) != ids(imported(factor=-0.0))
    assert ids(imported(flag=True)) != ids(imported(flag=1))
    assert ids(imported(file="na\u00efve")) != ids(imported(file="nai\u0308ve")), "two files in most folders"


# What a task that makes its inputs brings

NAD_POINT = {
    "data": {"kind": "gaussian"},
    "model": {"kind": "mlp"},
    "task": {"kind": "nad", "index": 1},
    "probes": [{"kind": "alignment", "at": ["start"]}],
}


def test_a_spectrum_is_one_of_the_inputs_that_its_task_makes():
    found = plan(NAD_POINT)
    [spectrum], [nads] = of_kind(found, "spectrum"), of_kind(found, "nads")
    assert spectrum.spec.task == of_kind(found, "training")[0].spec.task
    assert [(need.role, need.run_id) for need in spectrum.needs] == [("nads", nads.run_id)]
    assert ids(NAD_POINT)["spectrum"] != ids(changed("task.margin", 2.0, NAD_POINT))["spectrum"]
    assert of_kind(plan(BASE), "spectrum")[0].spec.task is None


@pytest.mark.parametrize(("path", "value"), [("data.train", 7), ("data.test", 7), ("data.seed", 7), ("task.index", 2)])
def test_nads_are_those_of_a_model_and_a_shape(path, value):
    other = ids(changed(path, value, NAD_POINT))
    assert other["nads"] == ids(NAD_POINT)["nads"]
    assert other["training"] != ids(NAD_POINT)["training"]


@pytest.mark.parametrize(("path", "value"), [("data.shape", [7]), ("model.hidden", [7]), ("seed", 7)])
def test_other_models_and_shapes_have_other_nads(path, value):
    assert ids(changed(path, value, NAD_POINT))["nads"] != ids(NAD_POINT)["nads"]


def test_nads_of_inputs_whose_shape_is_unknown_are_refused():
    with pytest.raises(LinstudyError, match=r"nads: the shape of npz inputs is not known\. Write data"):
        plan({**NAD_POINT, "data": {"kind": "npz", "path": "a.npz"}})


def test_a_spectrum_of_infinite_width_has_no_seed():
    infinite = {**BASE, "spectrum": {"kernel": "infinite_width"}}
    one, other = ids(infinite), ids(changed("seed", 1, infinite))
    assert one["spectrum"] == other["spectrum"]
    assert one["training"] != other["training"]
    assert ids(BASE)["spectrum"] != ids(changed("seed", 1))["spectrum"]


def shuffled(node, order):
    if isinstance(node, dict):
        items = list(node.items())
        order.shuffle(items)
        return {key: shuffled(value, order) for key, value in items}
    return [shuffled(value, order) for value in node] if isinstance(node, list) else node


@given(st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(order):
    arguments = {"depth": 3, "width": 4, "options": {"a": 1, "b": [1, 2]}}
    point = changed("model", {"kind": "import", "factory": "nets:make", "arguments": arguments})
    assert ids(shuffled(point, order)) == ids(point)
    assert ids(point) != ids(changed("model.arguments.options.b", [2, 1], point))


EVERY, ABOVE, PROBE = {"spectrum", "training", "probe"}, {"training", "probe"}, {"probe"}


@pytest.mark.parametrize(
    ("path", "value", "kinds"),
    [
        ("seed", 1, EVERY),
        ("data.seed", 1, EVERY),
        ("data.train", 100, EVERY),
        ("data.test", 100, EVERY),
        ("data.kind", "mnist", EVERY),
        ("model.activation", "gelu", EVERY),
        ("model.kind", "mlp", EVERY),
        ("spectrum.top", 100, EVERY),
        ("spectrum.kernel", "infinite_width", EVERY),
        ("spectrum.precision", "float64", EVERY),
        ("task.index", 6, ABOVE),
        ("train.epochs", 31, ABOVE),
        ("train.optimizer", {"kind": "adam"}, ABOVE),
        ("train.optimizer", {"kind": "sgd", "learning_rate": 0.1}, ABOVE),
        ("train.optimizer", {"kind": "sgd", "momentum": 0.0}, ABOVE),
        ("train.schedule", "constant", ABOVE),
        ("train.batch_size", 64, ABOVE),
        ("train.precision", "float64", ABOVE),
        ("train.linearize", {}, ABOVE),
        ("train.linearize", {"centred": True}, ABOVE),
        ("train.linearize", {"batch_norm": "initial"}, ABOVE),
        ("train.linearize", {"space": "parameters"}, ABOVE),
        ("probes.0.top", 3, PROBE),
        ("probes.0.label", "late", set()),
        ("probes.0.at", ["end"], PROBE),
        ("probes.0.every", 7, PROBE),
        ("probes.0.kind", "energy_concentration", PROBE),
    ],
)
def test_a_field_changes_the_ids_of_the_runs_that_depend_on_it_and_no_others(path, value, kinds):
    before, after = ids(BASE), ids(changed(path, value))
    assert {kind for kind in before if before[kind] != after[kind]} == kinds


def test_the_settings_of_the_spectrum_leave_trainings_alone_that_do_not_need_it():
    classes = {**BASE, "task": {"kind": "binary_classes"}}
    before, after = ids(classes), ids(changed("spectrum.top", 100, classes))
    assert before["training"] == after["training"]
    assert before["probe"] != after["probe"]


def test_probes_and_checkpoints_are_no_part_of_a_training():
    probes = [[], [{"kind": "rkhs_norm", "every": 2}], [{"kind": "alignment", "at": [3]}]]
    assert {of_kind(plan({**BASE, "probes": some}), "training")[0].run_id for some in probes} == {ids(BASE)["training"]}


def test_a_probe_is_known_by_its_epochs_however_they_are_said():
    said = [{"at": ["start", 15, "end"]}, {"at": [30, 0, 15]}, {"every": 15}, {"every": 15, "at": ["start"]}]
    assert len({ids(changed("probes", [{"kind": "alignment", **epochs}]))["probe"] for epochs in said}) == 1


def test_every_seed_of_data_model_and_task_is_a_run_of_its_own():
    random_labels = {**BASE, "task": {"kind": "random_labels"}, "probes": []}
    points = [changed(path, 1, random_labels) for path in ("seed", "data.seed", "task.seed")]
    assert len(plan(random_labels, *points).runs) == 4


def test_where_data_lie_is_no_part_of_an_id_and_their_content_is():
    here, there = ({**BASE, "data": {"kind": "npz", "path": path}} for path in ("a.npz", "/other/b.npz"))
    assert ids(here) == ids(there)
    for part, kinds in [("data", EVERY), ("model", EVERY), ("task", ABOVE)]:
        after = ids(here, identify=lambda asked, spec, part=part: "content" if asked == part else "")
        assert {kind for kind in after if after[kind] != ids(here)[kind]} == kinds


def test_where_a_column_of_labels_lies_is_no_part_of_an_id():
    here, there = ({**BASE, "task": {"kind": "column", "path": path}} for path in ("a.txt", "/other/b.txt"))
    assert ids(here) == ids(there)
    assert ids(here) != ids(here, identify=lambda part, spec: "labels" if part == "task" else "")


def test_the_stored_spec_is_complete():
    (training,) = of_kind(plan({**BASE, "data": {"kind": "npz", "path": "a.npz"}}), "training")
    stored = training.spec.model_dump(mode="json")
    assert stored["data"]["path"] == "a.npz"
    assert stored["train"]["optimizer"] == {"kind": "sgd", "learning_rate": 0.05, "momentum": 0.9}


@pytest.mark.parametrize("kind", ["spectrum", "training", "probe"])
def test_new_numerics_of_a_kind_make_its_runs_and_those_above_new(monkeypatch, kind):
    before = ids(BASE)
    monkeypatch.setitem(planning.NUMERICS, kind, planning.NUMERICS[kind] + 1)
    above = list(before)[list(before).index(kind) :]
    after = ids(BASE)
    assert [kind for kind in before if before[kind] != after[kind]] == above


def test_an_id_says_by_which_numerics_a_run_was_computed(monkeypatch):
    [run] = of_kind(plan(BASE), "training")
    needs = [need.run_id for need in run.needs]
    current = planning.NUMERICS["training"]
    assert planning.numerics_of(run.run_id, run.spec, needs, run.source) == current
    monkeypatch.setitem(planning.NUMERICS, "training", current + 2)
    assert planning.numerics_of(run.run_id, run.spec, needs, run.source) == current
    assert planning.numerics_of("0" * 16, run.spec, needs, run.source) is None


def test_each_version_of_the_numerics_is_told_in_words():
    """From those of version 0.1 on: a new one cannot be without."""
    assert {kind: max(words) for kind, words in planning.CHANGES.items()} == planning.NUMERICS


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3), st.booleans()), min_size=1, max_size=8))
def test_a_plan_has_every_run_once_whatever_the_order_of_points(settings):
    points = []
    for seed, index, linearized in settings:
        point = changed("seed", seed, changed("task.index", index))
        points.append(changed("train.linearize", {"at": {"epoch": 3}}, point) if linearized else point)
    once = plan(*points).runs
    again = plan(*random.Random(0).sample(points, len(points)), *points).runs
    assert set(again) == set(once)
    assert {run_id: run.checkpoints for run_id, run in again.items()} == {
        run_id: run.checkpoints for run_id, run in once.items()
    }
    assert len(of_kind(plan(*points), "spectrum")) == len({seed for seed, *_ in settings})


# What may train as one program

NETWORK = {**BASE, "probes": []}
LINEAR = changed("train.linearize", {}, NETWORK)
GAUSSIAN = {**LINEAR, "data": {"kind": "gaussian"}}
NAD, OTHER_NAD = ({**GAUSSIAN, "task": {"kind": "nad", "index": index}} for index in (1, 2))
BY_PARAMETERS = changed("train.linearize", {"space": "parameters"}, NETWORK)
ANCHORED = changed("train.linearize", {"at": {"epoch": 3}}, NETWORK)
FAST = {"kind": "sgd", "learning_rate": 0.5}


def key_of(point):
    return fusion_key(of_kind(plan(point), "training")[-1].spec)


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        (NETWORK, changed("seed", 1, NETWORK), True),
        (NETWORK, changed("task.index", 6, NETWORK), True),
        (NETWORK, changed("task", {"kind": "random_labels"}, NETWORK), True),
        (NETWORK, changed("train.optimizer", FAST, NETWORK), True),
        (NETWORK, changed("train.optimizer", {**FAST, "momentum": 0.0}, NETWORK), False),
        (NETWORK, changed("train.optimizer", {"kind": "adam"}, NETWORK), False),
        (NETWORK, changed("train.epochs", 31, NETWORK), False),
        (NETWORK, changed("train.precision", "float64", NETWORK), False),
        (NETWORK, changed("model.kind", "mlp", NETWORK), False),
        (NETWORK, changed("data.seed", 1, NETWORK), False),
        (NETWORK, LINEAR, False),
        (LINEAR, changed("task.index", 6, LINEAR), True),
        (LINEAR, changed("train.optimizer", FAST, LINEAR), True),
        (LINEAR, changed("seed", 1, LINEAR), False),
        (LINEAR, changed("train.linearize", {"centred": True}, LINEAR), False),
        (NAD, OTHER_NAD, False),
        (NAD, changed("train.optimizer", FAST, NAD), True),
        (BY_PARAMETERS, changed("seed", 1, BY_PARAMETERS), True),
        (changed("train.linearize", None, NAD), changed("train.linearize", None, OTHER_NAD), True),
    ],
)
def test_what_may_train_together(one, other, together):
    assert (key_of(one) == key_of(other)) is together


def test_a_linearization_at_a_checkpoint_and_other_kinds_of_run_are_alone():
    assert key_of(ANCHORED) is None
    assert [fusion_key(run.spec) for run in plan(BASE).runs.values() if run.kind != "training"] == [None, None]
    assert key_of(changed("train.linearize", {"at": {"epoch": 3}, "space": "parameters"}, NETWORK)) is not None


DIGITS = "digits(train=1442, test=355)"


def test_a_run_is_described_by_its_kinds_and_what_is_not_default():
    point = changed("train.optimizer", {"kind": "adam", "learning_rate": 0.1})
    assert [describe(run.spec) for run in plan(point).runs.values()] == [
        f"spectrum {DIGITS} lenet top=1000 seed=0",
        f"training {DIGITS} lenet eigenfunction(index=5) epochs=30, optimizer={{kind=adam, learning_rate=0.1}} seed=0",
        f"probe {DIGITS} lenet eigenfunction(index=5) epochs=30, optimizer={{kind=adam, learning_rate=0.1}} "
        "alignment(at=['start', 'end'], top=1000) seed=0",
    ]


# Settings


def settings(*points):
    return {run.run_id: run.setting_id for run in plan(*points).runs.values()}


def test_runs_that_differ_in_their_seed_alone_share_a_setting():
    one, other = settings(BASE), settings(changed("seed", 1))
    assert set(one).isdisjoint(other)
    assert list(one.values()) == list(other.values())
    assert len(set(one.values())) == 3


@pytest.mark.parametrize(
    ("path", "value"),
    [("train.optimizer", {"kind": "sgd", "learning_rate": 0.1}), ("data.seed", 1), ("model.activation", "gelu")],
)
def test_any_other_field_makes_another_setting(path, value):
    assert list(settings(BASE).values())[-1] != list(settings(changed(path, value)).values())[-1]


def test_nads_over_the_data_are_those_of_the_data_and_of_so_many_samples():
    over = changed("nads", {"at": "data"}, NAD_POINT)
    assert ids(over)["nads"] != ids(NAD_POINT)["nads"]
    assert ids(over)["nads"] != ids(changed("data.seed", 7, over))["nads"]
    assert ids(over)["nads"] == ids(changed("task.index", 2, over))["nads"]
    assert ids(over)["nads"] != ids(changed("nads.samples", 7, over))["nads"]
