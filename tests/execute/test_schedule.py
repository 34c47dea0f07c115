import heapq
import math
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linstudy.estimate.estimates import Estimate
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


def estimates(plan, seconds=lambda run: None, memory=lambda run: None):
    return {run.run_id: Estimate(seconds=seconds(run), memory=memory(run)) for run in plan.runs.values()}


def seeds(order, plan):
    return [plan.runs[run_id].spec.seed for run_id in order]


def test_what_has_the_longest_time_behind_it_goes_first():
    plan = sweep(seeds=range(4))
    takes = [1.0, 4.0, 2.0, 3.0]
    assert seeds(drain(Schedule(plan, estimates=estimates(plan, lambda run: takes[run.spec.seed]))), plan) == [
        1,
        3,
        2,
        0,
    ]


def test_the_time_of_what_waits_for_a_run_counts():
    plan = study(seeds=(0, 1))
    known = estimates(plan, lambda run: 100.0 if (run.kind, run.spec.seed) == ("probe", 1) else 1.0)
    first = drain(Schedule(plan, estimates=known))[:4]
    assert first == list(plan.runs)[4:], "all of the second seed"


def test_an_unknown_time_counts_as_the_median_of_its_kind():
    plan = sweep(seeds=range(4))
    takes = [5.0, None, 1.0, 9.0]
    known = estimates(plan, lambda run: takes[run.spec.seed])
    # the median is 5, which the first seed and the unknown one share
    assert seeds(drain(Schedule(plan, estimates=known)), plan) == [3, 0, 1, 2]


def test_an_unknown_kind_counts_as_the_median_of_all():
    plan = study()
    known = estimates(plan, lambda run: {"spectrum": 2.0, "training": 6.0}.get(run.kind))
    schedule = Schedule(plan, estimates=known)
    # by needs alone: a spectrum of 2, two trainings of 6, and a probe of the median, 6
    assert schedule._ranks[next(iter(plan.runs))][0] == -20.0


@pytest.mark.parametrize("known", [{}, None])
def test_where_no_time_is_known_the_highest_chain_goes_first(known):
    plan = study(seeds=(0, 1))
    kinds = [plan.runs[run_id].kind for run_id in drain(Schedule(plan, estimates=known))]
    assert kinds == ["spectrum"] * 2 + ["training"] * 4 + ["probe"] * 2


def test_with_times_ready_runs_of_one_key_still_start_together():
    plan = sweep(seeds=range(4), tasks=("binary_classes", "random_labels"))
    known = estimates(plan, lambda run: 1.0 + run.spec.seed + 0.5 * (run.spec.task.kind == "random_labels"))
    schedule = Schedule(plan, key=by_task, estimates=known)
    started = [schedule.start_next(), schedule.start_next()]
    assert [{run.spec.task.kind for run in group} for group in started] == [{"random_labels"}, {"binary_classes"}]
    assert [len(group) for group in started] == [4, 4]


def test_a_run_is_not_started_where_it_has_no_room():
    plan = sweep(seeds=range(4))
    schedule = Schedule(plan, key=by_task, estimates=estimates(plan, memory=lambda run: run.spec.seed))
    assert schedule.start_next(room=-1) == []
    assert seeds(ids(schedule.start_next(room=1)), plan) == [0, 1]
    assert schedule.start_next(room=1) == []
    assert seeds(ids(schedule.start_next()), plan) == [2, 3]


def test_runs_of_a_setting_take_what_is_required_for_one_of_them():
    plan = sweep(seeds=range(2), tasks=("binary_classes", "random_labels"))
    schedule = Schedule(plan, estimates=estimates(plan, memory=lambda run: 1))
    first = next(iter(plan.runs.values()))
    schedule.require_memory(first.setting_id, 3)
    schedule.require_memory(first.setting_id, 2)
    started = [run for _ in range(4) for run in schedule.start_next(room=2)]
    assert [run.spec.task.kind for run in started] == ["random_labels"] * 2
    assert [run.spec.task.kind for _ in range(2) for run in schedule.start_next(room=3)] == ["binary_classes"] * 2


def simulate(schedule, seconds, rooms):
    """When the last run ends: workers with so much room each take what the schedule gives, the smallest first.

    Checks that none has nothing to do while something is ready that fits it.
    """
    order, now, ending, free = count(), 0.0, [], sorted(rooms)
    while schedule.count("pending", "running"):
        left = []
        for room in free:
            runs = schedule.start_next(room=room if room < max(rooms) else math.inf)
            if not runs:
                assert not [one for one in ready(schedule) if schedule._peak(one) <= room or room == max(rooms)]
                left.append(room)
                continue
            took = sum(seconds[run.run_id] for run in runs)
            heapq.heappush(ending, (now + took, next(order), room, runs))
        now, _, room, runs = heapq.heappop(ending)
        free = sorted([*left, room])
        for run in runs:
            schedule.finish(run.run_id, "done")
    return now


def ready(schedule):
    states = schedule.states
    for run_id, run in schedule.plan.runs.items():
        if states[run_id] == "pending" and all(states[need.run_id] == "done" for need in run.needs):
            yield run_id


@given(st.data(), st.integers(1, 4), st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_no_worker_has_nothing_to_do_while_a_run_that_fits_it_is_ready(data, number, rooms):
    plan = study(seeds=range(number))
    drawn = st.lists(st.integers(1, 6), min_size=len(plan.runs), max_size=len(plan.runs))
    seconds = dict(zip(plan.runs, data.draw(drawn), strict=True))
    memory = dict(zip(plan.runs, data.draw(drawn), strict=True))
    known = estimates(plan, lambda run: float(seconds[run.run_id]), lambda run: memory[run.run_id])
    schedule = Schedule(plan, key=by_task if data.draw(st.booleans()) else lambda spec: None, estimates=known)
    took = simulate(schedule, seconds, rooms)
    assert schedule.count("done") == len(plan.runs)
    assert max(seconds.values()) <= took <= sum(seconds.values())


@given(st.data(), st.integers(1, 3))
def test_runs_go_after_what_they_need_whatever_they_take(data, number):
    plan = study(seeds=range(number))
    drawn = st.lists(st.one_of(st.none(), st.floats(0, 1e6)), min_size=len(plan.runs), max_size=len(plan.runs))
    seconds = dict(zip(plan.runs, data.draw(drawn), strict=True))
    order = drain(Schedule(plan, estimates=estimates(plan, lambda run: seconds[run.run_id])))
    assert sorted(order) == sorted(plan.runs)
    place = {run_id: position for position, run_id in enumerate(order)}
    assert all(place[need.run_id] < place[run_id] for run_id in order for need in plan.runs[run_id].needs)


LAST_IS_LONGEST = [1.0] * 8 + [8.0]


@pytest.mark.parametrize(
    ("takes", "by_height", "by_seconds"),
    [(LAST_IS_LONGEST, 12.0, 8.0), (LAST_IS_LONGEST[::-1], 8.0, 8.0), ([1.0] * 9, 5.0, 5.0), ([3.0, 3, 2, 2, 2], 7, 7)],
)
def test_the_longest_first_ends_earlier_or_as_early(takes, by_height, by_seconds):
    """Runs that need nothing, on two workers: the known ways of list scheduling, by hand."""
    plan = sweep(seeds=range(len(takes)))
    seconds = {run.run_id: takes[run.spec.seed] for run in plan.runs.values()}
    assert simulate(Schedule(plan), seconds, [1, 1]) == by_height
    known = estimates(plan, lambda run: seconds[run.run_id])
    assert simulate(Schedule(plan, estimates=known), seconds, [1, 1]) == by_seconds


def test_a_long_chain_is_begun_before_many_short_ones():
    """Four seeds of a chain of four runs on two workers; the last seed takes ten times as long."""
    plan = study(seeds=range(4))
    seconds = {run.run_id: 10.0 if run.spec.seed == 3 else 1.0 for run in plan.runs.values()}
    known = estimates(plan, lambda run: seconds[run.run_id])
    assert simulate(Schedule(plan, estimates=known), seconds, [1, 1]) == 40.0, "the chain's own time"
    assert simulate(Schedule(plan), seconds, [1, 1]) > 40.0


def test_what_is_ready_waits_for_a_worker_alone():
    schedule = Schedule(study(seeds=(0, 1)))
    assert (schedule.has_ready(), schedule.count_ready()) == (True, 2)  # the spectra: the other runs wait for them
    schedule.start_next()
    assert (schedule.has_ready(), schedule.count_ready()) == (True, 1)
    schedule.start_next()
    assert (schedule.has_ready(), schedule.count_ready()) == (False, 0)
