import pytest

from linstudy.data.kinds import sizes
from linstudy.spec.checks import point_problems
from linstudy.spec.points import unknown_sizes
from linstudy.spec.spectrum import ALL_KEPT, Spectrum
from linstudy.spec.study import Point


def point(**parts):
    return Point.model_validate({"data": {"kind": "digits"}, "model": {"kind": "mlp"}, **parts}, strict=False)


def found(sizes=sizes, **parts):
    return {(problem.path, problem.message) for problem in point_problems(point(**parts), sizes)}


def paths(sizes=sizes, **parts):
    return {path for path, _ in found(sizes, **parts)}


@pytest.mark.parametrize(
    ("parts", "samples", "kept"),
    [
        ({}, None, 1000),
        ({}, 5000, 1000),
        ({}, 300, 300),
        ({"spectrum": {"top": 20}}, 300, 20),
        ({"spectrum": {"top": 2000}}, 5000, 2000),
        ({"spectrum": {"top": 2000}}, 300, 300),
    ],
)
def test_a_thousand_eigenvectors_can_be_named_unless_said(parts, samples, kept):
    assert point(**parts).spectrum.named(samples) == kept


@pytest.mark.parametrize(
    ("top", "samples", "kept"),
    [(None, 1500, 1500), (20, 1500, 1500), (20, 1501, 20), (None, 1501, 1000), (2000, 5000, 2000), (20, None, 20)],
)
def test_all_eigenvectors_of_few_samples_are_kept(top, samples, kept):
    assert Spectrum(top=top).kept(samples) == kept


def test_all_are_kept_only_where_all_are_computed():
    """Else the j-th pair could depend on `top`, and with it the labels of a training that does not."""
    from linstudy.tangent.spectrum import FULL_ALWAYS

    assert ALL_KEPT <= FULL_ALWAYS


def eigenfunction(index):
    return {"kind": "eigenfunction", "index": index}


@pytest.mark.parametrize(
    "parts",
    [
        {"task": eigenfunction(1000)},
        {"task": eigenfunction(1797), "spectrum": {"top": 1797}},
        {"data": {"kind": "digits", "train": 1442, "test": 355}},
        {"data": {"kind": "gaussian", "train": 10**6}, "task": {"kind": "nad", "index": 1}},
        {"data": {"kind": "gaussian"}, "task": {"kind": "random_labels"}},
        {"data": {"kind": "gaussian"}, "task": eigenfunction(5)},
        {"train": {"epochs": 4, "linearize": {"at": {"epoch": 4}}}},
        {"train": {"epochs": 0}, "probes": [{"kind": "alignment", "at": ["start", "end", 0], "every": 7}]},
        {"probes": [{"kind": "alignment", "at": ["end"]}, {"kind": "alignment", "at": ["end"], "label": "b"}]},
        {"probes": [{"kind": "energy_concentration", "at": ["end"], "top": 10, "samples": 10}]},
        {"probes": [{"kind": "alignment", "at": ["end"], "top": 1000}]},
    ],
)
def test_what_fits_is_no_problem(parts):
    assert found(**parts) == set()


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        ({"task": eigenfunction(1001)}, ("task", "index")),
        ({"task": eigenfunction(21), "spectrum": {"top": 20}}, ("task", "index")),
        ({"task": eigenfunction(31), "data": {"kind": "digits", "train": 20, "test": 10}}, ("task", "index")),
        ({"spectrum": {"top": 1798}}, ("spectrum", "top")),
        ({"spectrum": {"kernel": "infinite_width"}, "model": {"kind": "resnet"}}, ("spectrum", "kernel")),
        ({"data": {"kind": "digits", "train": 1443}}, ("data", "train")),
        ({"data": {"kind": "cifar10", "test": 10_001}}, ("data", "test")),
        ({"data": {"kind": "gaussian"}}, ("task", "kind")),
        ({"task": {"kind": "linear_predictor", "direction": [1.0]}}, ("task", "kind")),
        ({"train": {"epochs": 4, "linearize": {"at": {"epoch": 5}}}}, ("train", "linearize", "at", "epoch")),
        ({"train": {"epochs": 4}, "probes": [{"kind": "alignment", "at": [4, 5]}]}, ("probes", 0, "at", 1)),
        ({"probes": [{"kind": "alignment", "at": ["end"], "top": 1001}]}, ("probes", 0, "top")),
        ({"probes": [{"kind": "rkhs_norm", "at": ["end"], "samples": 1443}]}, ("probes", 0, "samples")),
        (
            {"probes": [{"kind": "energy_concentration", "at": ["end"], "top": 11, "samples": 10}]},
            ("probes", 0, "top"),
        ),
        ({"probes": [{"kind": "alignment", "at": ["end"]}] * 2}, ("probes", 1)),
        ({"probes": [{"kind": "alignment", "at": ["end"], "label": "b"}] * 2}, ("probes", 1)),
    ],
)
def test_what_contradicts_is_a_problem(parts, path):
    assert paths(**parts) == {path}


def test_what_only_the_data_can_tell_is_no_problem():
    npz = {"data": {"kind": "npz", "path": "a.npz"}}
    assert paths(**npz, spectrum={"top": 10**9}, task=eigenfunction(10**9)) == set()
    assert paths(unknown_sizes, data={"kind": "digits", "train": 10**9}) == set()
    assert paths(**npz, task=eigenfunction(1001)) == {("task", "index")}


GIGABYTES = {"kind": "gaussian", "train": 60_000, "test": 1}


@pytest.mark.parametrize(
    ("parts", "path", "message"),
    [
        (
            {"probes": [{"kind": "rkhs_norm", "at": ["end"]}]},
            ("probes", 0, "samples"),
            "a full decomposition of a Gram of 60,000 samples takes 80 GiB of memory. Allowed: 32 GiB. "
            "Write samples: 10000",
        ),
        (
            {"spectrum": {"top": 60_000}},
            ("spectrum", "top"),
            "a full decomposition of a Gram of 60,001 samples takes 80 GiB of memory. Allowed: 32 GiB. Write top: 1000",
        ),
    ],
)
def test_a_full_decomposition_that_is_too_large_is_refused(parts, path, message):
    assert found(data=GIGABYTES, task={"kind": "random_labels"}, **parts) == {(path, message)}


@pytest.mark.parametrize(
    "parts",
    [
        {"probes": [{"kind": "rkhs_norm", "at": ["end"], "samples": 10_000}]},
        {"probes": [{"kind": "energy_concentration", "at": ["end"]}]},
        {"probes": [{"kind": "spectrum_summary", "at": ["end"]}]},
        {"spectrum": {"top": 1000}},
    ],
)
def test_a_decomposition_of_parts_or_of_fewer_samples_is_not(parts):
    assert found(data=GIGABYTES, task={"kind": "random_labels"}, **parts) == set()
