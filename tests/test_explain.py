import copy
import json

import pytest

from linstudy.data.kinds import form
from linstudy.explain import Neighbourhood, StoredRun, roots
from linstudy.plan import NUMERICS, make_plan
from linstudy.spec.study import Point

BASE = {
    "data": {"kind": "digits"},
    "model": {"kind": "import", "factory": "nets:make", "arguments": {"width": 4}},
    "task": {"kind": "eigenfunction", "index": 5},
    "train": {"epochs": 30},
    "probes": [{"kind": "alignment", "at": ["end"]}],
}
FILES = {"nets": "a1", "nets.layers": "b2"}


def nearest(run, stored):
    """The neighbour of a run among a few."""
    return Neighbourhood(stored).nearest(run)


def runs_of(point=BASE, files=FILES):
    """The runs of a point, by kind."""
    return {run.kind: run for run in plan_of(point, files).runs.values()}


def plan_of(point, files=FILES):
    point = Point.model_validate(point, strict=False)
    return make_plan([point], lambda part, spec: files if part == "model" else "", form)


def changed(path, value):
    point = copy.deepcopy(BASE)
    node = point
    *parents, last = path.split(".")
    for name in parents:
        node = node.setdefault(name, {})
    node[last] = value
    return point


def stored(run, **changes):
    spec = run.spec.model_dump(mode="json") | changes
    return StoredRun.read(run.run_id, json.dumps(spec), run.source, {need.role: need.run_id for need in run.needs})


def explanation(new, old):
    """What is said of the training of one plan beside that of another."""
    return str(nearest(new["training"], [stored(run) for run in old.values()]))


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("train.epochs", 31, "train.epochs 31 (there 30)"),
        ("train.optimizer", {"kind": "sgd", "learning_rate": 0.1}, "train.optimizer.learning_rate 0.1 (there 0.05)"),
        ("model.arguments", {"width": 5}, 'model.arguments {"width": 5} (there {"width": 4}), another spectrum'),
        ("data.train", 9, "data.train 9 (there 1442), train.batch_size 9 (there 128), another spectrum"),
    ],
)
def test_a_new_run_is_explained_by_the_fields_in_which_it_differs(path, value, words):
    old = runs_of()
    assert explanation(runs_of(changed(path, value)), old) == f"nearest: {old['training'].run_id}, {words}"


@pytest.mark.parametrize(
    ("files", "module"),
    [({"nets": "a1", "nets.layers": "c3"}, "nets.layers"), ({"nets": "a1", "nets.layers": "b2", "new": "d4"}, "new")],
)
def test_it_is_said_which_file_changed(files, module):
    old = runs_of()
    words = explanation(runs_of(files=files), old)
    assert words == f"nearest: {old['training'].run_id}, another model {module}, another spectrum"


def test_the_run_with_the_fewest_differences_is_the_nearest():
    far, near = runs_of(changed("train", {"epochs": 7, "batch_size": 9})), runs_of(changed("train", {"epochs": 31}))
    found = nearest(runs_of()["training"], [stored(far["training"]), stored(near["training"])])
    assert found.run_id == near["training"].run_id
    assert [difference.name for difference in found.differences] == ["train.epochs"]


def test_a_run_that_differs_in_much_is_no_neighbour():
    train = {"epochs": 7, "batch_size": 9, "schedule": "constant", "precision": "float64"}
    assert nearest(runs_of()["training"], [stored(runs_of(changed("train", train))["training"])]) is None


def test_runs_of_other_kinds_are_no_neighbours():
    runs = runs_of()
    assert nearest(runs["training"], [stored(runs["spectrum"]), stored(runs["probe"])]) is None


def test_a_run_that_differs_in_nothing_is_new_by_its_numerics():
    run = runs_of()["training"]
    assert str(nearest(run, [stored(run)])) == f"nearest: {run.run_id}, computed by earlier numerics"


@pytest.mark.parametrize("path", ["train.epochs", "model.arguments", "task.index"])
def test_at_the_root_what_needs_another_run_differs_as_that_does(path):
    values = {"train.epochs": 31, "model.arguments": {"width": 5}, "task.index": 6}
    old = {run.run_id: stored(run) for run in runs_of().values()}
    by_kind = {run.kind: run for run in old.values()}
    plan = plan_of(changed(path, values[path]))
    for run in plan.runs.values():
        if run.run_id not in old:
            assert path in roots(run, by_kind[run.kind], plan, old)
            assert not any(name.startswith("needs ") for name in roots(run, by_kind[run.kind], plan, old))


def test_at_the_root_numerics_are_told_of_the_run_whose_own_they_are(monkeypatch):
    old = {run.run_id: stored(run) for run in runs_of().values()}
    by_kind = {run.kind: run for run in old.values()}
    current = NUMERICS["spectrum"]
    monkeypatch.setitem(NUMERICS, "spectrum", current + 1)
    plan = plan_of(BASE)
    for run in plan.runs.values():
        [difference] = roots(run, by_kind[run.kind], plan, old).values()
        assert (difference.name, difference.here, difference.there) == ("numerics spectrum", current + 1, current)


def test_what_is_outside_the_identity_is_no_difference():
    run = runs_of()["probe"]
    probe = run.spec.probe.model_dump(mode="json") | {"label": "late", "at": [7]}
    assert nearest(run, [stored(run, probe=probe)]).differences == ()


def test_a_spec_that_this_version_does_not_know_is_passed_over():
    assert stored(runs_of()["training"], schedule="gone") is None


@pytest.mark.parametrize("source", ["", None, "digits:1", "[1]"])
def test_sources_of_earlier_versions_are_read(source):
    run = runs_of()["training"]
    spec, needs = run.spec.model_dump_json(), {need.role: need.run_id for need in run.needs}
    names = [difference.name for difference in nearest(run, [StoredRun.read("x", spec, source, needs)]).differences]
    assert {"source model nets", "source model nets.layers"} <= set(names)
