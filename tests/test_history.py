"""Where a run goes on: closed cases, and a model of a training that is stopped, killed and extended."""

from dataclasses import replace

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from linstudy import metrics
from linstudy.facts import (
    CHECKPOINT,
    RESUME,
    Artifact,
    Ending,
    Fingerprint,
    Method,
    Notice,
    Number,
    Progress,
    Vector,
)
from linstudy.history import (
    RESUMPTIONS,
    Leg,
    Resumption,
    Stored,
    is_complete,
    resume_probe,
    resume_training,
    resumption,
)
from linstudy.plan import NUMERICS, make_plan
from linstudy.spec.study import Point


def artifact(name, epoch, replaces=None):
    return Artifact(name, f"artifacts/{name}/{epoch}", "ab", 1, epoch, replaces)


def loss(epoch):
    return Number(metrics.LOSS, 0.5, "train", epoch, epoch)


def holding(*checkpoints, resume=(), told=None, status="interrupted"):
    """What is stored of a training."""
    own = [*(artifact(CHECKPOINT, epoch) for epoch in checkpoints), *(artifact(RESUME, epoch) for epoch in resume)]
    return Stored(status, {(one.name, one.epoch): one for one in own}, told)


@pytest.mark.parametrize(
    ("stored", "asked", "expected"),
    [
        (holding(), (3,), Resumption(None, (Leg(None, (3,)),))),
        (holding(), (3, 0, 1), Resumption(None, (Leg(None, (0, 1, 3)),))),
        (holding(told=2), (3,), Resumption(None, (Leg(None, (3,)),))),
        (holding(0), (0, 3), Resumption(0, (Leg(0, (3,)),))),
        (holding(0, resume=[2], told=2), (0, 3), Resumption(2, (Leg(2, (3,)),))),
        (holding(0, resume=[2], told=7), (0, 9), Resumption(2, (Leg(2, (9,)),))),
        (holding(resume=[2]), (2, 9), Resumption(2, (Leg(2, (2, 9)),))),
        (holding(0, 9), (0, 4, 9), Resumption(9, (Leg(0, (4,)),))),
        (holding(9), (4, 9), Resumption(9, (Leg(None, (4,)),))),
        (holding(3, 6, 9), (1, 3, 4, 5, 6, 8, 9), Resumption(9, (Leg(None, (1,)), Leg(3, (4, 5)), Leg(6, (8,))))),
        (holding(3, 6), (1, 7, 9), Resumption(6, (Leg(None, (1,)), Leg(6, (7, 9))))),
        (holding(0, 9, resume=[3]), (0, 2, 4, 9), Resumption(9, (Leg(0, (2,)), Leg(3, (4,))))),
        (holding(0, 4, 9), (4, 9), Resumption(9, ())),
        (holding(0, 12), (0, 9), Resumption(0, (Leg(0, (9,)),))),
    ],
)
def test_a_training_makes_what_is_missing_from_the_nearest_state_before_it(stored, asked, expected):
    assert resume_training(stored, asked) == expected


@pytest.mark.parametrize(
    ("told", "asked", "expected"),
    [
        (None, (0, 4), Resumption(None, (Leg(None, (0, 4)),))),
        (0, (4, 0, 9), Resumption(0, (Leg(None, (4, 9)),))),
        (9, (0, 4, 9), Resumption(9, ())),
        (5, (0, 9), Resumption(5, (Leg(None, (9,)),))),
    ],
)
def test_a_probe_goes_on_after_the_last_epoch_that_it_told(told, asked, expected):
    assert resume_probe(Stored(told=told), asked) == expected


def test_every_kind_of_run_says_how_it_goes_on():
    assert RESUMPTIONS.keys() == NUMERICS.keys()


PARTS = {
    "data": {"kind": "digits"},
    "model": {"kind": "mlp"},
    "task": {"kind": "eigenfunction", "index": 5},
    "train": {"epochs": 30},
    "probes": [{"kind": "alignment", "at": ["start", 10]}],
    "seed": 0,
}


@pytest.fixture
def runs():
    """A spectrum, the training that needs it, and its probe."""
    return list(make_plan([Point.model_validate(PARTS, strict=False)], lambda part, spec: "").runs.values())


def test_a_run_goes_on_as_its_kind_does(runs):
    spectrum, training, probe = runs
    stored = holding(0, resume=[7], told=7)
    assert resumption(spectrum, stored) == Resumption()
    assert resumption(training, stored) == resume_training(stored, (0, 10, 30))
    assert resumption(probe, stored) == resume_probe(stored, (0, 10))


@pytest.mark.parametrize(
    ("status", "epochs", "expected"),
    [
        ("done", (0, 10, 30), True),
        ("done", (0, 10, 20, 30), True),
        ("done", (10, 30), False),
        ("done", (), False),
        ("diverged", (), True),
        ("planned", (0, 10, 30), False),
        ("running", (0, 10, 30), False),
        ("failed", (0, 10, 30), False),
        ("interrupted", (0, 10, 30), False),
    ],
)
def test_a_run_is_complete_when_done_with_every_checkpoint_or_diverged(runs, status, epochs, expected):
    _, training, probe = runs
    assert is_complete(training, holding(*epochs, status=status)) is expected
    assert is_complete(probe, Stored(status)) is (status in ("done", "diverged"))


def test_a_state_to_go_on_from_is_no_checkpoint_that_was_asked_for(runs):
    assert not is_complete(runs[1], holding(0, 10, resume=[30], status="done"))


def test_what_is_stored_after_each_kind_of_fact():
    stored = holding(0, resume=[2], told=2, status="running")
    assert stored.after(loss(3)).told == stored.after(Vector(metrics.GAPS, [1.0], epoch=3)).told == 3
    assert stored.after(loss(1)).told == 2
    assert Stored().after(loss(0)).told == 0
    assert stored.after(Number(metrics.TRACE, 1.0)) == stored
    assert stored.after(Fingerprint("f")).fingerprint == "f"
    assert set(stored.after(artifact(CHECKPOINT, 3)).artifacts) == {(CHECKPOINT, 0), (RESUME, 2), (CHECKPOINT, 3)}
    assert set(stored.after(artifact(RESUME, 3, replaces=2)).artifacts) == {(CHECKPOINT, 0), (RESUME, 3)}
    assert set(stored.after(artifact(RESUME, 3)).artifacts) == {(CHECKPOINT, 0), (RESUME, 2), (RESUME, 3)}
    for fact in (Progress(0.5), Method("gram", "structured"), Notice("odd")):
        assert stored.after(fact) == stored


@pytest.mark.parametrize("outcome", ["failed", "interrupted"])
def test_a_run_that_is_not_over_keeps_what_it_can_go_on_from(outcome):
    stored = holding(0, resume=[2], told=2)
    assert stored.after(Ending(outcome)) == replace(stored, status=outcome)
    for final in ("done", "diverged"):
        over = stored.after(Ending(final))
        assert (over.status, set(over.artifacts), over.told) == (final, {(CHECKPOINT, 0)}, 2)


def test_a_fact_leaves_what_was_stored_before_as_it_was():
    stored = holding(0, told=0)
    stored.after(artifact(CHECKPOINT, 1)).after(loss(1)).after(Ending("done"))
    assert stored == holding(0, told=0)


def test_lost_files_are_no_longer_stored():
    stored = holding(0, 2, resume=[3], told=3, status="done")
    lost = stored.without(["artifacts/checkpoint/2", "artifacts/resume/3", "artifacts/none"])
    assert lost == holding(0, told=3, status="done")


def test_a_run_whose_only_result_is_lost_is_to_be_made():
    one = Stored("done", {("spectrum", None): artifact("spectrum", None)}, fingerprint="f")
    assert one.without(["artifacts/spectrum/None"]) == Stored("planned", fingerprint="f")
    assert one.without(["artifacts/other"]) == one


@pytest.mark.parametrize(
    ("kept", "expected"), [(None, Stored("interrupted")), (2, holding(0, 2, told=2)), (9, holding(0, 2, told=5))]
)
def test_cutting_forgets_what_lies_after(kept, expected):
    assert holding(0, 2, told=5).cut(kept) == expected


def test_cutting_what_has_no_numbers_makes_none():
    assert holding(0).cut(3).told is None


class Training(RuleBasedStateMachine):
    """A training of some epochs, with a worker that makes what it is told and a ledger that is written now and then.

    A worker that is killed loses what was told since the last writing, one that is stopped leaves a state. Each epoch's
    numbers go with the state after it, as one report.

    Attributes:
        go_on: What says how the run goes on.
        stored, rows: What the ledger holds; `rows` are the epochs of numbers, one entry a row.
        run: The training, with the checkpoints that are asked for so far.
    """

    go_on = staticmethod(resumption)

    @initialize(epochs=st.integers(1, 12))
    def plan(self, epochs):
        self.epochs, self.asked = epochs, {epochs}
        point = Point.model_validate({**PARTS, "train": {"epochs": epochs}, "probes": []}, strict=False)
        [_, self.run] = make_plan([point], lambda part, spec: "").runs.values()
        self.stored, self.rows = Stored(), []

    @rule(data=st.data())
    def ask_for_another_epoch(self, data):
        """Another study needs it: also of a training that is done."""
        self.asked |= {data.draw(st.integers(0, self.epochs))}
        self.run = replace(self.run, checkpoints=tuple(sorted(self.asked)))

    @rule(data=st.data())
    def lose_a_file(self, data):
        own = [one.path for one in self.stored.artifacts.values()]
        if own:
            self.stored = self.stored.without([data.draw(st.sampled_from(own))])

    @precondition(lambda self: not is_complete(self.run, self.stored))
    @rule(data=st.data(), period=st.sampled_from([1, 2, 3, 99]))
    def stop_somewhere(self, data, period):
        """Ctrl-C: the worker leaves a state after the epoch that it is in."""
        self.attempt(stop=data.draw(st.integers(0, 2 * self.epochs)), period=period)

    @precondition(lambda self: not is_complete(self.run, self.stored))
    @rule(data=st.data(), period=st.sampled_from([1, 2, 3, 99]), unwritten=st.integers(0, 4))
    def kill_somewhere(self, data, period, unwritten):
        self.attempt(kill=data.draw(st.integers(0, 2 * self.epochs)), period=period, unwritten=unwritten)

    @precondition(lambda self: not is_complete(self.run, self.stored))
    @rule(period=st.sampled_from([1, 2, 3, 99]))
    def run_to_the_end(self, period):
        self.attempt(period=period)
        assert self.stored.status == "done"
        assert is_complete(self.run, self.stored)
        assert self.rows == list(range(self.epochs + 1))

    def attempt(self, *, stop=None, kill=None, period=99, unwritten=0):
        """One attempt, as `Records.begin`, a worker and the ledger make it together."""
        before = self.stored
        how = self.go_on(self.run, before)
        self.stored = replace(before.cut(how.kept), status="running")
        self.cut_rows(-1 if how.kept is None else how.kept)
        reports, trained = self.reports(how, stop, kill, period)
        for report in reports[: max(len(reports) - unwritten, 0)]:
            self.write(report)
        if self.stored.status == "running":
            self.write([Ending("interrupted")])  # by the coordinator, or by the next one
        assert before.epochs(CHECKPOINT) <= self.stored.epochs(CHECKPOINT), "a checkpoint was lost"
        self.check_that_nothing_was_trained_in_vain(before, trained)

    def cut_rows(self, last):
        self.rows = [epoch for epoch in self.rows if epoch <= last]

    def reports(self, how, stop, kill, period):
        """What a worker tells, and the epochs that it trains; `stop` and `kill` count these."""
        reports, trained = [], []
        for leg in how.legs:
            rolling = leg.start if (RESUME, leg.start) in self.stored.artifacts else None
            if leg.start is not None and leg.start in leg.make:
                reports.append([artifact(CHECKPOINT, leg.start)])
            first = 0 if leg.start is None else leg.start + 1
            for epoch in range(first, leg.make[-1] + 1):
                if kill is not None and len(trained) >= kill:
                    return reports, trained
                trained.append(epoch)
                stops = stop is not None and len(trained) > stop
                report = [loss(epoch)] if how.kept is None or epoch > how.kept else []
                if epoch in leg.make:
                    report.append(artifact(CHECKPOINT, epoch))
                elif stops or epoch % period == 0:
                    report.append(artifact(RESUME, epoch, replaces=rolling))
                    rolling = epoch
                reports.append(report)
                if stops and epoch != leg.make[-1]:
                    return [*reports, [Ending("interrupted")]], trained
        return [*reports, [Ending("done")]], trained

    def write(self, report):
        for fact in report:
            self.stored = self.stored.after(fact)
            if isinstance(fact, Number):
                self.rows.append(fact.epoch)

    def check_that_nothing_was_trained_in_vain(self, before, trained):
        """An epoch is needed between a checkpoint that is missing and the nearest state before it."""
        states = before.epochs(CHECKPOINT, RESUME)
        needed = set()
        for epoch in self.asked - before.epochs(CHECKPOINT):
            nearest = max((state for state in states if state <= epoch), default=-1)
            needed |= set(range(nearest + 1, epoch + 1))
        assert set(trained) <= needed
        assert len(trained) == len(set(trained)), "an epoch was trained twice"

    @invariant()
    def every_row_up_to_the_last_is_stored_once(self):
        assert self.rows == list(range(len(self.rows)))
        assert self.stored.told == (self.rows[-1] if self.rows else None)

    @invariant()
    def no_state_lies_after_the_last_row(self):
        """Or numbers of a training that goes on from it would be missing."""
        assert max(self.stored.epochs(CHECKPOINT, RESUME), default=-1) < len(self.rows)

    @invariant()
    def a_training_that_is_done_keeps_checkpoints_alone(self):
        if self.stored.status == "done":
            assert not self.stored.epochs(RESUME)

    def teardown(self):
        """Whatever happened, one more attempt completes it."""
        if hasattr(self, "run") and not is_complete(self.run, self.stored):
            self.run_to_the_end(period=2)


TestTraining = Training.TestCase
TestTraining.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)


class WithoutCutting(Training):
    """Numbers after the last state stay."""

    def cut_rows(self, last):
        pass


class FromTheBeginning(Training):
    """Every checkpoint is made from the initialization."""

    @staticmethod
    def go_on(run, stored):
        how = resumption(run, stored)
        make = tuple(epoch for leg in how.legs for epoch in leg.make)
        return Resumption(how.kept, (Leg(None, make),) if make else ())


class Forgetful(Training):
    """Nothing is kept."""

    @staticmethod
    def go_on(run, stored):
        return replace(resumption(run, stored), kept=None)


class Hasty(Training):
    """The end alone is made."""

    @staticmethod
    def go_on(run, stored):
        how = resumption(run, stored)
        return replace(how, legs=how.legs[-1:])


@pytest.mark.parametrize("wrong", [WithoutCutting, FromTheBeginning, Forgetful, Hasty])
def test_a_wrong_history_is_found_by_the_model(wrong):
    quick = settings(
        max_examples=300, deadline=None, database=None, phases=[Phase.generate], report_multiple_bugs=False
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(wrong, settings=quick)
