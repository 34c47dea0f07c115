import pytest

from linstudy.execute.schedule import Schedule, is_complete
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


@pytest.fixture
def plan():
    return study()


def stored(plan):
    return {run_id: run.checkpoints for run_id, run in plan.runs.items()}


def drain(schedule, outcomes=None):
    """Run all that can be run, one after the other; what is not named in `outcomes` is done."""
    order = []
    while run := schedule.start_next():
        order.append(run.run_id)
        schedule.finish(run.run_id, (outcomes or {}).get(run.run_id, "done"))
    return order


def test_runs_go_in_the_order_of_their_needs(plan):
    schedule = Schedule(plan, {}, {})
    assert drain(schedule) == list(plan.runs)
    assert schedule.count("done") == 4
    assert schedule.already == 0


def test_a_run_waits_for_what_it_needs_and_others_go_first():
    plan = study(seeds=(0, 1))
    schedule = Schedule(plan, {}, {})
    first, second = schedule.start_next(), schedule.start_next()
    assert first is not None
    assert second is not None
    assert [first.kind, second.kind] == ["spectrum", "spectrum"]
    assert schedule.start_next() is None
    schedule.finish(second.run_id, "done")
    third = schedule.start_next()
    assert third is not None
    assert [need.run_id for need in third.needs] == [second.run_id]
    assert schedule.count("running") == 2
    assert schedule.count("pending", "running") == 7


def test_what_is_done_is_not_run_again(plan):
    schedule = Schedule(plan, dict.fromkeys(plan.runs, "done"), stored(plan))
    assert schedule.start_next() is None
    assert schedule.already == 4


def test_what_is_done_is_run_again_if_asked(plan):
    schedule = Schedule(plan, dict.fromkeys(plan.runs, "done"), stored(plan), again=True)
    assert schedule.already == 0
    assert drain(schedule) == list(plan.runs)


@pytest.mark.parametrize("status", ["planned", "failed", "interrupted", "running"])
def test_what_is_not_done_is_tried_again(plan, status):
    statuses = {**dict.fromkeys(plan.runs, "done"), list(plan.runs)[2]: status}
    assert drain(Schedule(plan, statuses, stored(plan))) == [list(plan.runs)[2]]


def test_a_training_that_lacks_a_checkpoint_is_run_for_it(plan):
    network = list(plan.runs)[1]
    assert plan.runs[network].checkpoints == (10, 30)
    lacking = {**stored(plan), network: (30,)}
    schedule = Schedule(plan, dict.fromkeys(plan.runs, "done"), lacking)
    assert drain(schedule) == [network]


@pytest.mark.parametrize(
    ("status", "epochs", "expected"),
    [
        ("done", (10, 30), True),
        ("done", (0, 10, 20, 30), True),
        ("done", (30,), False),
        ("done", (), False),
        ("diverged", (), True),
        ("failed", (10, 30), False),
        ("interrupted", (10, 30), False),
        (None, (10, 30), False),
    ],
)
def test_a_run_is_complete_when_done_with_every_checkpoint_or_diverged(plan, status, epochs, expected):
    network = list(plan.runs.values())[1]
    assert is_complete(network, status, epochs) is expected


@pytest.mark.parametrize("outcome", ["failed", "diverged"])
def test_what_needs_a_run_that_left_nothing_is_blocked_and_the_rest_goes_on(outcome):
    plan = study(seeds=(0, 1))
    schedule = Schedule(plan, {}, {})
    spectrum, network, linearized, probe, *others = plan.runs
    assert drain(schedule, {network: outcome}) == [spectrum, network, *others]
    assert [schedule.states[run_id] for run_id in (linearized, probe)] == ["blocked", "blocked"]
    assert schedule.count("pending", "running") == 0


def test_what_needs_a_run_that_diverged_earlier_is_blocked_from_the_start(plan):
    spectrum, network, linearized, probe = plan.runs
    schedule = Schedule(plan, {spectrum: "done", network: "diverged"}, stored(plan))
    assert schedule.already == 1
    assert schedule.states == {spectrum: "done", network: "diverged", linearized: "blocked", probe: "blocked"}
    assert schedule.start_next() is None


def test_what_was_measured_before_stays_done_beside_a_divergence(plan):
    spectrum, network, linearized, probe = plan.runs
    statuses = {spectrum: "done", network: "done", linearized: "diverged", probe: "done"}
    assert Schedule(plan, statuses, stored(plan)).states[probe] == "done"


def test_an_interrupted_run_blocks_nothing(plan):
    schedule = Schedule(plan, {}, {})
    schedule.finish(next(iter(plan.runs)), "interrupted")
    assert schedule.count("blocked") == 0
    assert schedule.start_next() is None
