import pytest

from linstudy.execute.schedule import GROUP, Schedule
from linstudy.plan import make_plan
from linstudy.spec.study import Point


def study(*, seeds=(0,), epoch=10):
    """For each seed: a spectrum, a network, its linearization at an epoch, and a probe of that."""
    parts = {
        "data": {"kind": "digits"},
        "model": {"kind": "mlp"},
        "task": {"kind": "eigenfunction", "index": 5},
        "train": {"epochs": 30, "linearize": {"at": {"epoch": epoch}}},
        "probes": [{"kind": "alignment", "at": ["start", "end"]}],
    }
    points = [Point.model_validate({**parts, "seed": seed}, strict=False) for seed in seeds]
    return make_plan(points, lambda part, spec: "")


def sweep(*, seeds=(0,), tasks=("binary_classes",), probes=()):
    """Trainings that need nothing, and their probes."""
    parts = {"data": {"kind": "digits"}, "model": {"kind": "mlp"}, "train": {"epochs": 3}, "probes": list(probes)}
    points = [
        Point.model_validate({**parts, "task": {"kind": task}, "seed": seed}, strict=False)
        for task in tasks
        for seed in seeds
    ]
    return make_plan(points, lambda part, spec: "")


def by_task(spec):
    """A key that trainings of one task share."""
    return spec.task.kind if spec.kind == "training" else None


@pytest.fixture
def plan():
    return study()


def drain(schedule, outcomes=None):
    """Run all that can be run, one after the other; what is not named in `outcomes` is done."""
    order = []
    while started := schedule.start_next():
        [run] = started
        order.append(run.run_id)
        schedule.finish(run.run_id, (outcomes or {}).get(run.run_id, "done"))
    return order


def test_runs_go_in_the_order_of_their_needs(plan):
    schedule = Schedule(plan)
    assert drain(schedule) == list(plan.runs)
    assert schedule.count("done") == 4
    assert schedule.already == 0


def test_a_run_waits_for_what_it_needs_and_others_go_first():
    plan = study(seeds=(0, 1))
    schedule = Schedule(plan)
    [first], [second] = schedule.start_next(), schedule.start_next()
    assert [first.kind, second.kind] == ["spectrum", "spectrum"]
    assert schedule.start_next() == []
    schedule.finish(second.run_id, "done")
    [third] = schedule.start_next()
    assert [need.run_id for need in third.needs] == [second.run_id]
    assert schedule.count("running") == 2
    assert schedule.count("pending", "running") == 7


def test_what_the_longest_chain_waits_for_goes_first():
    plan = study(seeds=(0, 1))
    kinds = [plan.runs[run_id].kind for run_id in drain(Schedule(plan))]
    assert kinds == ["spectrum"] * 2 + ["training"] * 4 + ["probe"] * 2


def test_what_is_done_is_not_run_again(plan):
    schedule = Schedule(plan, plan.runs)
    assert schedule.start_next() == []
    assert schedule.already == 4


@pytest.mark.parametrize("position", range(4))
def test_what_is_not_done_is_run_alone(plan, position):
    [left] = list(plan.runs)[position : position + 1]
    assert drain(Schedule(plan, plan.runs.keys() - {left})) == [left]


@pytest.mark.parametrize("outcome", ["failed", "diverged"])
def test_what_needs_a_run_that_left_nothing_is_blocked_and_the_rest_goes_on(outcome):
    plan = study(seeds=(0, 1))
    schedule = Schedule(plan)
    spectrum, network, linearized, probe, *others = plan.runs
    assert set(drain(schedule, {network: outcome})) == {spectrum, network, *others}
    assert [schedule.states[run_id] for run_id in (linearized, probe)] == ["blocked", "blocked"]
    assert schedule.count("pending", "running") == 0


def test_what_needs_a_run_that_diverged_earlier_is_blocked_from_the_start(plan):
    spectrum, network, linearized, probe = plan.runs
    schedule = Schedule(plan, {spectrum, network}, {network})
    assert schedule.already == 1
    assert schedule.states == {spectrum: "done", network: "diverged", linearized: "blocked", probe: "blocked"}
    assert schedule.start_next() == []


def test_what_was_measured_before_stays_done_beside_a_divergence(plan):
    spectrum, network, linearized, probe = plan.runs
    states = Schedule(plan, plan.runs, {linearized}).states
    assert states == {spectrum: "done", network: "done", linearized: "diverged", probe: "done"}


def test_an_interrupted_run_blocks_nothing(plan):
    schedule = Schedule(plan)
    schedule.finish(next(iter(plan.runs)), "interrupted")
    assert schedule.count("blocked") == 0
    assert schedule.start_next() == []


def ids(runs):
    return [run.run_id for run in runs]


def test_ready_runs_of_one_key_start_together_and_others_do_not():
    plan = sweep(seeds=range(5), tasks=("binary_classes", "random_labels"))
    everything = list(plan.runs)
    schedule = Schedule(plan, key=by_task)
    assert ids(schedule.start_next()) == everything[:5]
    assert schedule.count("running") == 5
    assert ids(schedule.start_next()) == everything[5:]
    assert schedule.start_next() == []


def test_without_a_key_every_run_starts_alone():
    schedule = Schedule(sweep(seeds=range(3)))
    assert [len(schedule.start_next()) for _ in range(4)] == [1, 1, 1, 0]


def test_a_run_that_is_not_ready_does_not_hold_up_those_of_its_key():
    plan = study(seeds=(0, 1))
    schedule = Schedule(plan, key=by_task)
    [first], [second] = schedule.start_next(), schedule.start_next()
    schedule.finish(first.run_id, "done")
    [network] = schedule.start_next()
    schedule.finish(second.run_id, "done")
    schedule.finish(network.run_id, "done")
    # The linearization of the first seed is ready along with the network of the second, which has more before it.
    started = schedule.start_next()
    assert [run.spec.train.linearize is None for run in started] == [True, False]
    assert [run.spec.seed for run in started] == [1, 0]


@pytest.mark.parametrize(
    ("runs", "workers", "sizes"),
    [(5, 1, [5]), (5, 2, [3, 2]), (6, 4, [2, 2, 1, 1]), (2, 4, [1, 1]), (GROUP + 3, 1, [GROUP, 3])],
)
def test_what_can_go_together_is_spread_over_the_workers_that_have_nothing_to_do(runs, workers, sizes):
    schedule = Schedule(sweep(seeds=range(runs)), key=by_task)
    started = [schedule.start_next(max(workers - busy, 1)) for busy in range(len(sizes))]
    assert [len(group) for group in started] == sizes
    assert schedule.start_next() == []


def test_a_run_that_is_parted_from_its_group_goes_alone():
    plan = sweep(seeds=range(4))
    schedule = Schedule(plan, key=by_task)
    for run in (group := schedule.start_next()):
        schedule.part(run.run_id)
    assert schedule.count("pending") == 4
    assert drain(schedule) == ids(group)


def test_runs_that_can_go_together_go_before_those_that_cannot():
    plan = sweep(seeds=range(2), tasks=("binary_classes", "random_labels"))
    schedule = Schedule(plan, key=lambda spec: "together" if spec.task.kind == "random_labels" else None)
    assert [[run.spec.task.kind for run in schedule.start_next()] for _ in range(3)] == [
        ["random_labels", "random_labels"],
        ["binary_classes"],
        ["binary_classes"],
    ]


def test_what_needs_a_run_that_is_opened_again_waits_for_it(plan):
    spectrum, network, linearized, probe = plan.runs
    schedule = Schedule(plan, {spectrum, network})
    assert ids(schedule.start_next()) == [linearized]
    schedule.reopen(network)
    schedule.reopen(linearized)
    assert drain(schedule) == [network, linearized, probe]


def test_what_waits_again_for_what_it_needs_does_not_start_with_those_of_its_key():
    plan = study(seeds=(0, 1))
    first, second = list(plan.runs)[:4], list(plan.runs)[4:]
    schedule = Schedule(plan, {first[0], second[0]}, key=by_task)
    schedule.reopen(second[0])
    assert ids(schedule.start_next()) == [second[0]]
    assert ids(schedule.start_next()) == [first[1]]
    assert schedule.start_next() == []
    schedule.finish(second[0], "done")
    assert ids(schedule.start_next()) == [second[1]]


def test_counts_are_those_of_the_states():
    plan = study(seeds=(0, 1, 2))
    schedule = Schedule(plan, key=by_task)
    outcomes = iter(["done", "failed", "done", "diverged", "done", "done"])
    while started := schedule.start_next():
        for run in started:
            schedule.finish(run.run_id, next(outcomes, "done"))
        found = list(schedule.states.values())
        for state in ("done", "diverged", "pending", "running", "failed", "blocked", "interrupted"):
            assert schedule.count(state) == found.count(state)
    assert schedule.count("pending", "running") == 0


def test_what_is_ready_waits_for_a_worker_alone():
    schedule = Schedule(study(seeds=(0, 1)))
    assert (schedule.has_ready(), schedule.count_ready()) == (True, 2)  # the spectra: the other runs wait for them
    schedule.start_next()
    assert (schedule.has_ready(), schedule.count_ready()) == (True, 1)
    schedule.start_next()
    assert (schedule.has_ready(), schedule.count_ready()) == (False, 0)
