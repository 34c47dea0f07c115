"""Seconds of runs: by those of their setting, by those like them, and by their operations; and what is said of them."""

import pytest
from pydantic import TypeAdapter

from linstudy.estimate.estimates import Estimate, Estimator, Machine, Timing, form_of
from linstudy.estimate.rates import BANDWIDTH, EFFICIENCY, PEAK, PROCESS, START, seconds
from linstudy.estimate.text import describe_estimate, describe_total
from linstudy.estimate.work import Work
from linstudy.plan import make_plan
from linstudy.resources import Resources
from linstudy.spec.data import DataForm
from linstudy.spec.study import Point

POINT = TypeAdapter(Point)
FORM = DataForm(50_000, 10_000, (3, 32, 32), 10)
MACHINE = Machine(2, Resources())


def runs(*points, model="lenet", **given):
    """The runs of points of CIFAR-10's form."""
    parts = {"data": {"kind": "cifar10"}, "model": {"kind": model}, **given}
    made = [POINT.validate_python({**parts, **point}, strict=False) for point in points or [{}]]
    return list(make_plan(made, lambda part, spec: "", lambda data: FORM).runs.values())


def estimator(*timings, machine=MACHINE):
    return Estimator(machine, lambda spec: form_of(spec, lambda data: FORM), timings)


def test_operations_take_the_time_of_their_rate_on_all_cores():
    work = Work({"training": 4 * PEAK * EFFICIENCY["training"]}, read=BANDWIDTH, calls=0.5)
    assert [seconds(work, cores) for cores in (1, 2, 4)] == [5.5, 3.5, 2.5]


def test_without_stored_runs_operations_tell():
    [run] = runs(train={"epochs": 200})
    [found] = estimator()([run]).values()
    assert found.basis == "counted"
    assert 1000 < found.seconds < 3000  # measured: 33 to 45 minutes
    assert found.memory > PROCESS + 8 * 60_000 * 3072
    assert found.disk == 4 * 2 * (76 * 6 + 151 * 16 + 1025 * 120 + 121 * 84 + 85)


def test_a_run_takes_as_long_as_those_of_its_setting():
    one, other = runs({"seed": 0}, {"seed": 1})
    found = estimator(Timing(one.setting_id, one.spec, 77.0))([other])[other.run_id]
    assert (found.seconds, found.basis) == (77.0, "stored")


def test_runs_like_it_scale_by_their_operations():
    known, near, far, other = (
        *runs({"train": {"epochs": 100}}, {"train": {"epochs": 200}}, {"train": {"epochs": 5000}}),
        *runs(model="mlp"),
    )
    counted = estimator()([known, near])
    slow = estimator(Timing(known.setting_id, known.spec, 3 * counted[known.run_id].seconds))
    found = slow([near, far, other])
    assert found[near.run_id].seconds == pytest.approx(3 * counted[near.run_id].seconds)
    assert [found[run.run_id].basis for run in (near, far, other)] == ["like", "counted", "counted"]


def test_runs_that_train_together_make_one_gram():
    points = [{"task": {"kind": "random_labels", "seed": seed}} for seed in range(70)]
    several = runs(*points, train={"epochs": 100, "linearize": {"space": "function"}})
    times = [estimate.seconds for estimate in estimator()(several).values()]
    assert len(set(times)) == 2
    assert [index for index, time in enumerate(times) if time == max(times)] == [0, 64]  # 64 at most go together
    assert sum(times[:10]) < 1000  # measured: 10 in 430 s
    assert min(times) > START


def test_a_share_of_what_trained_together_calibrates_as_one_alone_does():
    linear = {"train": {"epochs": 100, "linearize": {"space": "function"}}}
    one, other = runs(
        {"task": {"kind": "random_labels", "seed": 0}}, {"task": {"kind": "random_labels", "seed": 1}}, **linear
    )
    counted = estimator()([one, other])
    first, second = (counted[run.run_id].seconds for run in (one, other))
    found = estimator(Timing(one.setting_id, one.spec, (first + second) / 2, together=2))([other])
    assert found[other.run_id].seconds == pytest.approx(first)


def test_of_accelerators_operations_tell_nothing_but_stored_runs_do():
    one, near = runs({"train": {"epochs": 100}}, {"train": {"epochs": 200}})
    fast = Machine(None, Resources())
    assert estimator(machine=fast)([one])[one.run_id].seconds is None
    found = estimator(Timing(one.setting_id, one.spec, 10.0), machine=fast)([near])[near.run_id]
    assert found.basis == "like"
    assert found.seconds == pytest.approx(20, rel=0.1)


def test_a_model_of_the_users_is_unknown_until_it_was_run():
    given = {"model": {"kind": "import", "factory": "nets:make"}}
    one, other = runs({"seed": 0, **given}, {"seed": 1, **given})
    assert estimator()([one])[one.run_id] == Estimate()
    found = estimator(Timing(one.setting_id, one.spec, 5.0))([other])[other.run_id]
    assert (found.seconds, found.memory, found.basis) == (5.0, None, "stored")


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(240, 1.23e9, 34_200_000, basis="counted"), "~4 min, 1.2 GB, 34 MB of files"),
        (Estimate(0.2, 5e8, 0, basis="stored"), "~1 s, 500 MB"),
        (Estimate(None, 5e8, 1500), "time unknown, 500 MB, 2 kB of files"),
        (Estimate(), "time unknown"),
    ],
)
def test_an_estimate_in_words(estimate, text):
    assert describe_estimate(estimate) == text


def test_a_total_in_words():
    known = [Estimate(6000, 17e9, 10**9, 12 * 10**9, "counted"), Estimate(5400, 10**9, 4 * 10**8, 0, "like")]
    assert describe_total(known) == (
        "about 3 h 10 min on this machine, peak 17 GB, 1.4 GB of files, 12 GB of scratch "
        "(1 by stored runs like them, 1 by operations)"
    )
    assert describe_total([known[1], Estimate(), Estimate()]).endswith("(1 by stored runs like them, 2 runs unknown)")
    assert describe_total([Estimate()]) == "time unknown (1 run unknown)"
    assert describe_total([]) == ""
