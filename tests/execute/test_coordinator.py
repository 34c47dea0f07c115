"""What the coordinator does with what workers say: workers of this process, which say what a test tells them to."""

import errno
from dataclasses import dataclass, field

import numpy as np
import pytest
from scripted import Notes, Scripted, ScriptedWorkers

from linstudy import metrics
from linstudy.describe.plan import describe_dependants
from linstudy.estimate.estimates import Estimate
from linstudy.execute import crew
from linstudy.execute.coordinator import Coordinator, Options
from linstudy.execute.records import Records
from linstudy.facts import CHECKPOINT, Artifact, Divided, Ending, Number, Progress, Report
from linstudy.plan import make_plan
from linstudy.prepare.study import run_rows
from linstudy.spec.errors import LinstudyError
from linstudy.spec.study import Point
from linstudy.store.artifacts import ArtifactStore
from linstudy.store.ledger import Ledger
from linstudy.store.rows import StudyRow
from linstudy.store.snapshot import Publisher, publish
from linstudy.store.workspace import Workspace
from linstudy.workers.contract import Share
from linstudy.workers.messages import Garbled, Hello, Help, Interrupt, Leaving, Release

EPOCHS = 5


@dataclass
class Study:
    """A coordinator in a folder, with scripted workers."""

    workspace: Workspace
    ledger: Ledger
    plan: object
    workers: ScriptedWorkers = field(default_factory=ScriptedWorkers)
    notes: Notes = field(default_factory=Notes)
    owner: object = None
    own: object = None

    @property
    def store(self):
        return ArtifactStore(self.workspace.artifacts)

    def save(self, assignment, epoch):
        """The checkpoint of an epoch of an assigned run."""
        arrays = {"weight": np.full(3, epoch), "seed": np.array(assignment.spec["seed"])}
        return self.store.save(CHECKPOINT, arrays, epoch)

    def good(self, assignment):
        """All that a worker reports of a training or a probe that goes well."""
        for leg in assignment.legs:
            for epoch in leg.make:
                facts = [Number(metrics.LOSS, 0.5, "train", epoch, epoch)]
                if assignment.spec["kind"] == "training":
                    facts.append(self.save(assignment, epoch))
                yield Report(assignment.attempt, tuple(facts))
        yield Report(assignment.attempt, (Ending("done"),))

    def run(self, **options):
        self.ledger.recover()
        records = Records(self.ledger, self.workspace, self.plan)
        publisher = Publisher(self.ledger, self.workspace.results)
        coordinator = Coordinator(self.plan, records, self.workers, publisher, self.notes, Options(**options))
        try:
            return coordinator.run()
        finally:
            coordinator.close()
            records.close()

    def rows(self, sql):
        with self.ledger.session() as session:
            return session.execute(sql).fetchall()

    def attempts(self):
        return self.rows("SELECT status, error FROM attempt ORDER BY attempt_id")


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(Workspace(tmp_path)) as ledger:
        yield ledger


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(crew, "TICK", 0.01)


@pytest.fixture
def study(tmp_path, ledger):
    """A function that makes a study of some seeds, each with a training, and a probe of it if asked."""

    def make(*seeds, probes=()):
        parts = {
            "data": {"kind": "digits"},
            "model": {"kind": "mlp"},
            "task": {"kind": "binary_classes"},
            "train": {"epochs": EPOCHS},
            "probes": list(probes),
        }
        points = [Point.model_validate({**parts, "seed": seed}, strict=False) for seed in seeds]
        made = Study(Workspace(tmp_path), ledger, make_plan(points, lambda part, spec: ""))
        made.workers.answer = lambda worker, start: worker.say(
            *(report for one in start.attempts for report in made.good(one))
        )
        return made

    return make


PROBES = [{"kind": "rkhs_norm", "at": [0, "end"]}]


def test_a_study_is_run_in_the_order_of_its_needs_and_then_found_done(study):
    made = study(0, 1, probes=PROBES)
    assert str(made.run()) == "4 runs: 4 done now."
    kinds = [[one.spec["kind"] for one in start.attempts] for start in made.workers.started[0].starts]
    assert kinds == [["training", "training"], ["probe"], ["probe"]]
    assert str(made.run()) == "4 runs: 4 done before."
    assert len(made.workers.started) == 1
    assert made.rows("SELECT DISTINCT device, versions->>'jax' FROM attempt") == [("abacus: wood", "1")]


def test_each_worker_has_a_share_and_none_is_started_without_need(study):
    shares = [Share(cpus=(cpu,)) for cpu in range(4)]
    made = study(0, 1, probes=PROBES)
    made.workers.shares = shares[:1]
    made.run()
    assert [worker.share for worker in made.workers.started] == shares[:1]
    other = study(5, 6)
    other.workers.shares = shares
    other.run()
    assert [worker.share for worker in other.workers.started] == shares[:2]


def test_a_worker_is_told_what_is_stored_of_its_run_and_of_those_it_needs(study):
    made = study(0, probes=PROBES)
    made.run()
    training, probe = (start.attempts[0] for start in made.workers.started[0].starts)
    assert (training.kept, [leg.make for leg in training.legs]) == (None, [(0, EPOCHS)])
    assert training.artifacts == ()
    assert {(one.role, one.name, one.epoch) for one in probe.artifacts} == {
        ("training", CHECKPOINT, epoch) for epoch in (0, EPOCHS)
    }


def test_a_run_is_done_only_with_every_checkpoint_that_is_asked_of_it(study):
    made = study(0, probes=PROBES)
    made.workers.answer = lambda worker, start: worker.say(
        *(Report(one.attempt, (made.save(one, EPOCHS), Ending("done"))) for one in start.attempts)
    )
    assert str(made.run()) == "2 runs: 1 failed, 1 blocked by these."
    assert made.attempts() == [("failed", "it ended without the checkpoints of epochs 0")]


def test_a_worker_that_is_lost_fails_its_run_and_another_goes_on(study):
    made = study(0, 1, 2)
    deaths = iter([True, False, False])

    def answer(worker, start):
        if next(deaths):
            worker.leave("killed by a test", "its last words")
        else:
            worker.say(*made.good(start.attempts[0]))

    made.workers.answer = answer
    assert str(made.run(fuse=False)) == "3 runs: 2 done now, 1 failed."
    assert made.attempts() == [("failed", "killed by a test\nits last words"), ("done", None), ("done", None)]
    assert len(made.workers.started) == 2


def test_what_a_lost_worker_says_late_changes_nothing(study):
    made = study(0)
    late = []

    def answer(worker, start):
        if not late:
            late.append((worker, start.attempts[0]))
            worker.leave("lost sight of")
        else:
            first, assignment = late[0]
            first.say(Report(assignment.attempt, (Number(metrics.LOSS, 9.0, "test", 0, 0), Ending("done"))))
            worker.say(*made.good(start.attempts[0]))

    made.workers.answer = answer
    made.run()
    assert str(made.run()) == "1 run: 1 done now."
    assert made.rows("SELECT count(*) FROM metric WHERE value = 9.0") == [(0,)]


def test_a_group_that_fails_is_tried_one_by_one(study):
    made = study(0, 1, 2)

    def answer(worker, start):
        if len(start.attempts) > 1:
            worker.say(Report(start.attempts[0].attempt, (Ending("diverged"),)))
            worker.leave("no memory")
        else:
            worker.say(*made.good(start.attempts[0]))

    made.workers.answer = answer
    assert str(made.run()) == "3 runs: 2 done now, 1 diverged."
    assert [kind for kind, _ in made.notes.lines].count("parted") == 2


def test_a_gap_in_the_messages_ends_the_worker_and_nothing_more_of_it_is_believed(study):
    made = study(0, 1)
    once = iter([True, False, False])

    def answer(worker, start):
        reports = list(made.good(start.attempts[0]))
        if next(once):
            worker.say(reports[0], Garbled("message 4 never arrived", True), *reports[1:])
        else:
            worker.say(Garbled("a library's warning"), *reports)

    made.workers.answer = answer
    assert str(made.run(fuse=False)) == "2 runs: 1 done now, 1 failed."
    (status, error), done = made.attempts()
    assert (status, done[0]) == ("failed", "done")
    assert error.startswith("the worker's messages are damaged: message 4 never arrived")
    assert (made.workspace.logs / "garbled.log").read_text() == "a library's warning\n"


def test_a_damaged_file_is_made_again_by_the_run_that_made_it(study):
    made = study(0, probes=PROBES)
    reports = made.good
    broken = []

    def answer(worker, start):
        [one] = start.attempts
        if one.spec["kind"] == "probe" and not broken:
            broken.append(next(artifact.path for artifact in one.artifacts if artifact.epoch == EPOCHS))
            worker.say(Report(one.attempt, (Ending("failed", "damaged", damaged=tuple(broken)),)))
        else:
            worker.say(*reports(one))

    made.workers.answer = answer
    assert str(made.run()) == "2 runs: 2 done now."
    first, probe, again, last = (start.attempts[0] for start in made.workers.started[0].starts)
    assert [one.spec["kind"] for one in (first, probe, again, last)] == ["training", "probe", "training", "probe"]
    assert (again.kept, [(leg.start, leg.make) for leg in again.legs]) == (0, [(0, (EPOCHS,))])
    assert made.rows(
        "SELECT epoch, count(*) FROM metric WHERE run_id = (SELECT run_id FROM attempt LIMIT 1) "
        "GROUP BY epoch ORDER BY epoch"
    ) == [(0, 1), (EPOCHS, 1)]


def test_a_file_that_is_damaged_again_and_again_fails_the_run_that_reads_it(study):
    made = study(0, probes=PROBES)

    def answer(worker, start):
        [one] = start.attempts
        if one.spec["kind"] == "probe":
            paths = tuple(artifact.path for artifact in one.artifacts)
            worker.say(Report(one.attempt, (Ending("failed", "damaged", damaged=paths),)))
        else:
            worker.say(*made.good(one))

    made.workers.answer = answer
    assert str(made.run()) == "2 runs: 1 done now, 1 failed."
    assert [status for status, _ in made.attempts()] == ["done", "failed", "done", "failed"]


def test_facts_that_the_ledger_refuses_fail_their_run_and_the_others_go_on(study, monkeypatch):
    monkeypatch.setattr("linstudy.store.ledger.SECONDS_BETWEEN_FLUSHES", 0.0)
    made = study(0, 1)

    def answer(worker, start):
        [one] = start.attempts
        if one.spec["seed"] == 0:
            worker.say(Report(one.attempt, (Number(metrics.LOSS, 0.5, epoch=2**70),)))  # and computes on
        else:
            worker.say(*made.good(one))

    made.workers.answer = answer
    assert str(made.run(fuse=False)) == "2 runs: 1 done now, 1 failed."
    (status, error), done = made.attempts()
    assert (status, done) == ("failed", ("done", None))
    assert error.startswith("what it reported cannot be stored")


def test_a_worker_that_cannot_start_ends_the_study_with_its_last_words(study):
    made = study(0)

    class Dead(ScriptedWorkers):
        def start(self, share, inbox):
            worker = Scripted(self, share, inbox)
            inbox.get()  # its Hello
            worker.leave("exit status 1", "no such platform")
            return worker

    made.workers = Dead()
    with pytest.raises(LinstudyError, match="a worker could not start: exit status 1. It printed:\nno such platform"):
        made.run()


class Failing(ScriptedWorkers):
    """Elsewhere; those that `fails` says cannot start, by their number."""

    def start(self, share, inbox):
        if not self.fails(len(self.started)):
            return super().start(share, inbox)
        worker = Scripted(self, share, inbox)
        self.started.append(worker)
        inbox.get()  # its Hello
        worker.leave("exit status 233", "srun: error", is_remote=True)
        return worker


def test_a_worker_elsewhere_that_cannot_start_is_tried_again(study):
    made = study(0)
    answer, made.workers = made.workers.answer, Failing()
    made.workers.answer, made.workers.fails = answer, lambda number: number < 2
    assert str(made.run()) == "1 run: 1 done now."
    assert len(made.workers.started) == 3
    [note] = [text for kind, text in made.notes.lines if kind == "note"]
    assert note == "a worker could not start: exit status 233. It printed:\nsrun: error"


class Full(ScriptedWorkers):
    """There is room for so many processes."""

    def start(self, share, inbox):
        if len(self.started) >= self.room:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().start(share, inbox)


@pytest.mark.parametrize("room", [1, 0])
def test_a_worker_for_which_there_is_no_room_ends_a_study_that_has_no_other(study, room):
    made = study(0, 1)
    answer, made.workers = made.workers.answer, Full(shares=[Share(), Share(place="2")])
    made.workers.answer, made.workers.room = answer, room
    if room:
        assert str(made.run(fuse=False)) == "2 runs: 2 done now."
        assert len(made.workers.started) == 1
        [note] = [text for kind, text in made.notes.lines if kind == "note"]
        assert note == "no more workers could be started: [Errno 24] Too many open files. It is tried again"
    else:
        with pytest.raises(LinstudyError, match=r"no worker could be started: .*Too many open files"):
            made.run(fuse=False)


def test_workers_elsewhere_that_never_start_end_the_study(study):
    made = study(0, 1)
    made.workers = Failing(shares=[Share(), Share()])
    made.workers.fails = lambda number: True
    with pytest.raises(LinstudyError, match="a worker could not start: exit status 233"):
        made.run(fuse=False)
    assert crew.STARTS * 2 <= len(made.workers.started) <= crew.STARTS * 2 + 2


def test_a_worker_that_cannot_start_does_not_end_what_another_is_at(study):
    made = study(0, 1, 2)
    answer, made.workers = made.workers.answer, Failing(shares=[Share(place="a"), Share(place="b")])
    made.workers.answer, made.workers.fails = answer, lambda number: number != 1
    assert str(made.run(fuse=False)) == "3 runs: 3 done now."
    assert [worker.share.place for worker in made.workers.started if worker.starts] == ["b"]


def test_places_are_tried_again_once_the_last_worker_is_lost(study):
    made, failing = study(0, 1), crew.STARTS * 2
    answer, made.workers = made.workers.answer, Failing(shares=[Share(memory=1), Share(memory=2)])

    def fails(number):
        if number == failing:  # the last that is tried beside the first
            made.workers.started[0].leave("its machine is gone", is_remote=True)
        return 1 <= number <= failing

    made.workers.fails = fails
    made.workers.answer = lambda worker, start: len(made.workers.started) == 1 or answer(worker, start)
    assert str(made.run(fuse=False)) == "2 runs: 2 done now."


def test_places_may_come_and_go_while_a_study_runs(study):
    made = study(0, 1, 2)
    asked = []

    def places():
        asked.append(None)
        return [Share(memory=number) for number in range(len(asked) // 3)]  # one more every few looks

    made.workers.places = places
    answer, gone = made.workers.answer, []

    def leave_first(worker, start):
        if gone:
            answer(worker, start)
        else:
            gone.append(worker)
            worker.leave("its machine is gone", is_remote=True)

    made.workers.answer = leave_first
    assert str(made.run(fuse=False)) == "3 runs: 3 done now."
    assert len({worker.share.memory for worker in made.workers.started}) > 1


def test_a_run_whose_worker_is_lost_elsewhere_goes_on_with_another_and_keeps_its_state(study):
    made = study(0)
    first = []

    def answer(worker, start):
        [one] = start.attempts
        if not first:
            first.append(one)
            worker.say(Report(one.attempt, (Number(metrics.LOSS, 0.5, "train", 0, 0), made.save(one, 0))))
            worker.leave("nothing was heard of it for 60 s", "srun: error", is_remote=True)
        else:
            assert one.kept == 0
            worker.say(*made.good(one))

    made.workers.answer = answer
    assert str(made.run()) == "1 run: 1 done now."
    reason = "nothing was heard of it for 60 s\nsrun: error"
    assert made.attempts() == [("interrupted", reason), ("done", None)]
    assert ("moved", reason) in made.notes.lines
    assert made.rows("SELECT count(*) FROM metric WHERE epoch = 0") == [(1,)]


def test_a_run_that_loses_every_worker_fails_in_the_end(study):
    made = study(0, 1)

    def answer(worker, start):
        [one] = start.attempts
        if one.spec["seed"] == 0:
            worker.leave("exit status 137", is_remote=True)
        else:
            worker.say(*made.good(one))

    made.workers.answer = answer
    assert str(made.run(fuse=False)) == "2 runs: 1 done now, 1 failed."
    lost = [status for status, error in made.attempts() if error == "exit status 137"]
    assert lost == ["interrupted", "interrupted", "failed"]


def test_what_a_worker_that_is_given_up_still_says_changes_nothing(study):
    made = study(0)
    lost = []

    def answer(worker, start):
        [one] = start.attempts
        if not lost:
            lost.append((worker, one))
            worker.leave("nothing was heard of it for 60 s", is_remote=True)
        else:
            late, its = lost[0]
            late.say(Report(its.attempt, (Number(metrics.LOSS, 9.0, "train", 1, 1), Ending("failed", "late"))))
            worker.say(*made.good(one))

    made.workers.answer = answer
    assert str(made.run()) == "1 run: 1 done now."
    assert made.rows("SELECT count(*) FROM metric WHERE value = 9") == [(0,)]


def test_a_worker_of_another_linstudy_is_given_nothing(study):
    made = study(0)

    class Older(ScriptedWorkers):
        def start(self, share, inbox):
            worker = super().start(share, inbox)
            inbox.get()
            worker.say(Hello("cpu", {"linstudy": "0.0.1"}))
            return worker

    made.workers = Older()
    with pytest.raises(LinstudyError, match=r"linstudy is 0\.0\.1 there and .* here\. Install the same"):
        made.run()
    assert not any(worker.starts for worker in made.workers.started)


def test_a_worker_says_what_machine_it_is_on(study):
    made = study(0)

    class Elsewhere(ScriptedWorkers):
        def start(self, share, inbox):
            worker = super().start(share, inbox)
            inbox.get()
            worker.say(Hello("cpu", {}, "n7"))
            return worker

    answer, made.workers = made.workers.answer, Elsewhere()
    made.workers.answer = answer
    made.run()
    assert made.rows("SELECT host FROM attempt") == [("n7",)]


def test_a_worker_that_is_never_ready_is_not_waited_for(study, monkeypatch):
    monkeypatch.setattr(crew, "SECONDS_TO_START", 0.0)
    made = study(0)

    class Silent(ScriptedWorkers):
        def start(self, share, inbox):
            worker = super().start(share, inbox)
            inbox.get()
            return worker

    made.workers = Silent()
    with pytest.raises(LinstudyError, match="a worker could not start: the worker was not ready within 0 s"):
        made.run()


def test_a_worker_that_was_asked_to_stop_stops_the_study_and_all_workers(study):
    made = study(0, 1, 2)
    at_work = {}

    def answer(worker, start):
        at_work[worker] = start.attempts[0]
        if len(at_work) == 2:
            worker.say(Interrupt("SIGUSR1"))

    def stop(worker):
        if worker in at_work:
            worker.say(Report(at_work[worker].attempt, (Ending("interrupted", "stopped on request"),)))

    made.workers.answer, made.workers.stop = answer, stop
    made.workers.shares = [Share(), Share()]
    summary = made.run(fuse=False)
    assert summary.interrupted
    assert str(summary) == "3 runs: interrupted."
    assert made.attempts() == [("interrupted", "stopped on request")] * 2
    [note] = [text for kind, text in made.notes.lines if kind == "note"]
    assert note.startswith("SIGUSR1: stopping at the next safe point, within 60 s")


def test_a_worker_that_does_not_stop_in_time_is_killed(study):
    made = study(0)
    made.workers.answer = lambda worker, start: worker.say(Interrupt("SIGTERM"))
    assert made.run(grace=0.05).interrupted
    assert made.attempts() == [("interrupted", "did not stop within 0.05 s, and was killed")]


def test_a_study_that_was_interrupted_goes_on(study):
    made = study(0)
    good = made.workers.answer

    def half(worker, start):
        one = start.attempts[0]
        facts = (Progress(0.5), Number(metrics.LOSS, 0.5, "train", 2, 2))
        worker.say(Report(one.attempt, facts), Report(one.attempt, (resume(made, one, 2),)), Interrupt("SIGINT"))

    made.workers.answer = half
    made.run(grace=0.0)
    made.workers.answer = good
    assert str(made.run()) == "1 run: 1 done now."
    [start] = made.workers.started[-1].starts
    assert [(leg.start, leg.make) for leg in start.attempts[0].legs] == [(2, (EPOCHS,))]


def resume(made, assignment, epoch) -> Artifact:
    return made.store.save("resume", {"x": np.ones(2)}, epoch, owner=assignment.run_id)


def test_again_makes_everything_from_nothing(study):
    made = study(0, probes=PROBES)
    made.run()
    assert str(made.run(again=made.plan.runs)) == "2 runs: 2 done now."
    assert [start.attempts[0].kept for start in made.workers.started[-1].starts] == [None, None]
    assert made.rows("SELECT max(count) FROM (SELECT count(*) AS count FROM metric GROUP BY run_id, epoch)") == [(1,)]


def test_selected_runs_are_made_from_nothing_and_what_they_need_is_not(study):
    made = study(0, probes=PROBES)
    training, probe = made.plan.runs
    made.ledger.register(StudyRow("s", "", "", ""), run_rows(made.plan))
    made.run()
    publish(made.ledger, made.workspace.results)
    assert str(made.run(again={probe})) == "2 runs: 1 done before, 1 done now."
    assert made.rows("SELECT count(*) FROM attempt GROUP BY run_id ORDER BY ALL") == [(1,), (2,)]
    [told] = describe_dependants({training}, made.workspace)
    assert told == f"1 done run stays as it is, though what it needs is run anew: probe {probe}"
    assert list(describe_dependants({training, probe}, made.workspace)) == []
    for checkpoint in made.workspace.artifacts.glob("*/*.safetensors"):
        checkpoint.unlink()
    assert str(made.run(again={probe})) == "2 runs: 2 done now.", "what is missing is made"


def test_a_run_that_makes_a_lost_file_again_is_not_started_twice_for_another(study):
    """Two probes find two files of one training missing, the second one while the first is made again."""
    made = study(0, probes=[{"kind": "rkhs_norm", "at": [0]}, {"kind": "spectrum_summary", "at": ["end"]}])
    at_work, failed = {}, set()

    def fail(worker):
        one = at_work.pop(worker)
        failed.add(one.run_id)
        [path] = [artifact.path for artifact in one.artifacts if artifact.epoch in one.spec["epochs"]]
        made.store.delete(path)
        worker.say(Report(one.attempt, (Ending("failed", "missing", damaged=(path,)),)))

    def answer(worker, start):
        [one] = start.attempts
        if one.spec["kind"] == "training":
            assert not (trainings := [own for own in at_work.values() if own.spec["kind"] == "training"]), trainings
            if failed and len(failed) < 2:  # the other probe fails first
                at_work[worker] = one
                [other] = [own for own in at_work if own is not worker]
                fail(other)
                del at_work[worker]
            worker.say(*made.good(one))
        elif len(failed) == 2:
            worker.say(*made.good(one))
        else:
            at_work[worker] = one
            if len(at_work) == 2:
                fail(worker)

    made.workers.answer = answer
    made.workers.shares = [Share(), Share()]
    assert str(made.run()) == "3 runs: 3 done now."


def test_a_run_whose_place_is_lost_is_made_in_one_that_came_meanwhile(study):
    made = study(0)
    made.workers.shares = [Share(place="a")]
    good = made.workers.answer

    def answer(worker, start):
        if worker.share.place == "a":
            made.workers.shares = [Share(place="b")]
            worker.leave("no power", is_remote=True)
        else:
            good(worker, start)

    made.workers.answer = answer
    assert str(made.run()) == "1 run: 1 done now."
    assert made.attempts() == [("interrupted", "no power"), ("done", None)]
    assert ("moved", "no power") in made.notes.lines


def test_a_worker_is_started_in_a_place_that_comes_while_another_is_there_no_more(study):
    made = study(0, 1)
    made.workers.shares = [Share(place="a")]
    good = made.workers.answer
    waiting = []

    def answer(worker, start):
        if worker.share.place == "a":
            made.workers.shares = [Share(place="b")]
            waiting.append((worker, start))
        else:
            good(worker, start)
            good(*waiting.pop())

    made.workers.answer = answer
    assert str(made.run(fuse=False)) == "2 runs: 2 done now."
    assert [worker.share.place for worker in made.workers.started] == ["a", "b"]


def test_a_worker_that_is_lost_as_it_starts_in_the_last_place_ends_no_study(study):
    made = study(0)

    class Brief(ScriptedWorkers):
        def start(self, share, inbox):
            worker = super().start(share, inbox)
            if len(self.started) == 1:
                inbox.get()  # its Hello
                self.shares = []
                worker.leave("no power", is_remote=True)
            return worker

        def places(self):
            if not self.shares and self.left:
                self.shares = [Share(place="later")]
                return []
            return self.shares

    good, made.workers = made.workers.answer, Brief()
    made.workers.answer = good
    assert str(made.run()) == "1 run: 1 done now."
    assert made.attempts() == [("done", None)]


def test_a_worker_whose_place_is_about_to_end_stops_and_is_given_nothing_more(study):
    made = study(0, 1)
    made.workers.shares = [Share(place="brief")]
    good = made.workers.answer

    def answer(worker, start):
        if worker.share.place == "brief":
            worker.at = start.attempts[0].attempt
            worker.say(Leaving())
        else:
            good(worker, start)

    def stop(worker):
        made.workers.shares = [Share(place="brief"), Share(place="long")]
        worker.say(Report(worker.at, (Ending("interrupted", "stopped on request"),)))

    made.workers.answer, made.workers.stop = answer, stop
    assert str(made.run(fuse=False)) == "2 runs: 2 done now."
    reason = "stopped before the end of its worker's place"
    assert made.attempts() == [("interrupted", reason), ("done", None), ("done", None)]
    assert [len(worker.starts) for worker in made.workers.started] == [1, 2]


GIB = 2**30


def by_place(made):
    """The seeds that each place's workers were given, in order."""
    given = {}
    for worker in made.workers.started:
        given.setdefault(worker.share.place, []).extend(
            one.spec["seed"] for start in worker.starts for one in start.attempts
        )
    return given


def test_a_run_goes_to_a_worker_that_has_the_memory_that_it_takes(study):
    made = study(0, 1, 2, 3)
    small, large = Share(memory=2 * GIB, place="small"), Share(memory=8 * GIB, place="large")
    made.workers.shares = [small, large]
    takes = [1, 6, 1, 5]
    estimates = {run.run_id: Estimate(memory=takes[run.spec.seed] * GIB) for run in made.plan.runs.values()}
    waiting, good = [], made.workers.answer

    def answer(worker, start):
        """The large worker ends its first run after the small one has had all that fits it."""
        if worker.share is large and start.attempts[0].spec["seed"] == 1:
            waiting.append((worker, start))
        else:
            good(worker, start)
        if waiting and by_place(made).get("small") == [0, 2]:
            good(*waiting.pop())

    made.workers.answer = answer
    assert str(made.run(fuse=False, estimates=estimates)) == "4 runs: 4 done now."
    assert by_place(made) == {"small": [0, 2], "large": [1, 3]}


def test_a_run_that_fits_no_worker_goes_to_the_one_with_the_most_memory(study):
    made = study(0, 1)
    made.workers.shares = [Share(memory=2 * GIB, place="small"), Share(memory=4 * GIB, place="large")]
    estimates = {run_id: Estimate(memory=100 * GIB) for run_id in made.plan.runs}
    assert str(made.run(fuse=False, estimates=estimates)) == "2 runs: 2 done now."
    assert by_place(made) == {"small": [], "large": [0, 1]}


def test_a_run_is_not_kept_for_a_worker_that_is_there_no_more(study):
    made = study(0, 1)
    small, large = Share(memory=2 * GIB, place="small"), Share(memory=8 * GIB, place="large")
    made.workers.shares = [small, large]
    estimates = {run_id: Estimate(memory=6 * GIB) for run_id in made.plan.runs}
    good = made.workers.answer

    def answer(worker, start):
        if worker.share is large:
            made.workers.shares = [small]
            worker.leave("its machine is gone", is_remote=True)
        else:
            good(worker, start)

    made.workers.answer = answer
    assert str(made.run(fuse=False, estimates=estimates)) == "2 runs: 2 done now."
    assert by_place(made) == {"small": [0, 1], "large": [0]}


def test_a_worker_with_the_memory_is_started_where_others_have_nothing_to_do(study):
    """Its first one ends as it runs what only it can; the other worker has nothing to do all the time."""
    made = study(0, 1)
    small, large = Share(memory=2 * GIB, place="small"), Share(memory=8 * GIB, place="large")
    made.workers.shares = [small, large]
    estimates = {run_id: Estimate(memory=6 * GIB) for run_id in made.plan.runs}
    good, ends = made.workers.answer, iter([True, False, False])
    made.workers.answer = lambda worker, start: worker.leave("a fault") if next(ends) else good(worker, start)
    assert str(made.run(fuse=False, estimates=estimates)) == "2 runs: 1 done now, 1 failed."
    assert by_place(made) == {"small": [], "large": [0, 1]}


def dies_below(made, memory, ending):
    """Workers end runs as they should with at least so much memory, else by `ending`."""
    good = made.workers.answer

    def answer(worker, start):
        if worker.share.memory < memory:
            ending(worker, start)
        else:
            good(worker, start)

    made.workers.answer = answer


KILLED = "the worker process was killed by SIGKILL"


def is_killed(worker, start):
    worker.leave(KILLED, for_memory=True, is_remote=True)


def says_so(worker, start):
    worker.say(*(Report(one.attempt, (Ending("failed", KILLED, for_memory=True),)) for one in start.attempts))


@pytest.mark.parametrize("ending", [is_killed, says_so])
def test_a_run_that_dies_of_memory_is_tried_once_more_where_there_is_more(study, ending):
    made = study(0)
    made.workers.shares = [Share(memory=2 * GIB, place="small")]
    dies_below(made, 4 * GIB, ending)

    def places():  # the larger one comes once the first has been given something
        more = [Share(memory=4 * GIB, place="large")] if any(worker.starts for worker in made.workers.started) else []
        return [*made.workers.shares, *more]

    made.workers.places = places
    assert str(made.run()) == "1 run: 1 done now."
    assert made.attempts() == [("failed", KILLED), ("done", None)]
    assert ("moved", KILLED, "a worker with more memory than 2.1 GB") in made.notes.lines


def test_what_one_run_of_a_setting_took_the_others_are_taken_to_take(study):
    made = study(0, 1, 2, 3)
    made.workers.shares = [Share(memory=4 * GIB, place="large"), Share(memory=2 * GIB, place="small")]
    dies_below(made, 4 * GIB, says_so)
    assert str(made.run(fuse=False)) == "4 runs: 4 done now."
    assert len(by_place(made)["small"]) == 1
    assert [status for status, _ in made.attempts()].count("failed") == 1


@pytest.mark.parametrize("ending", [is_killed, says_so])
def test_among_equal_workers_a_run_that_dies_of_memory_ends_as_others_do(study, ending):
    made = study(0)
    made.workers.shares = [Share(memory=2 * GIB)] * 2
    dies_below(made, 4 * GIB, ending)
    assert str(made.run()) == "1 run: 1 failed."
    tries = 3 if ending is is_killed else 1
    assert [kind for kind, *_ in made.notes.lines].count("started") == tries


def test_a_run_that_dies_of_memory_everywhere_is_moved_for_it_once(study):
    made = study(0)
    made.workers.shares = [Share(memory=memory * GIB) for memory in (1, 2, 4)]
    dies_below(made, 100 * GIB, says_so)
    made.workers.places = lambda: made.workers.shares[: 1 + len(made.notes.lines)]
    assert str(made.run()) == "1 run: 1 failed."
    assert made.attempts() == [("failed", KILLED)] * 2


def helped(made, answer_help):
    """Let there be two workers; the one that gets a run says that it is divided, and what then comes is the test's."""
    made.workers.shares = [Share(cpus=(cpu,)) for cpu in range(2)]

    def answer(worker, start):
        [made.own], made.owner = start.attempts, worker
        worker.say(Report(made.own.attempt, (Divided("4f", 2),)))

    made.workers.answer = answer
    made.workers.help = answer_help


def test_a_worker_with_nothing_to_do_helps_and_nothing_is_recorded_of_it(study):
    made, told = study(0), []

    def answer_help(worker, command):
        told.append(command)
        worker.say(Report(command.assignment.attempt, (Ending("done"),)))
        made.owner.say(*made.good(made.own))

    helped(made, answer_help)
    assert str(made.run()) == "1 run: 1 done now."
    [command] = told
    assert made.own.may_be_helped
    assert command == Help(made.own, "4f")
    assert made.attempts() == [("done", None)]
    assert ("done", None) in made.notes.lines


def test_a_helper_is_let_go_when_a_run_is_ready_for_it(study):
    """The training ends while its helper still works: the probe goes to the owner, which is free first."""
    made, told = study(0, probes=PROBES), []

    def answer_help(worker, command):
        told.append(type(command))
        if isinstance(command, Release):
            worker.say(Report(made.own.attempt, (Ending("interrupted", "stopped on request"),)))
        else:
            made.workers.answer = lambda worker, start: worker.say(*made.good(start.attempts[0]))
            made.owner.say(*made.good(made.own))

    helped(made, answer_help)
    assert str(made.run()) == "2 runs: 2 done now."
    assert told == [Help, Release]


def test_a_lost_helper_is_no_loss_of_the_run(study):
    made, told = study(0), []

    def answer_help(worker, command):
        told.append(command)
        worker.leave("killed by SIGKILL")
        if len(told) == 3:
            made.owner.say(*made.good(made.own))

    helped(made, answer_help)
    assert str(made.run()) == "1 run: 1 done now."
    assert len(told) == 3  # after which no more are sent
    assert made.attempts() == [("done", None)]


def test_nobody_is_told_that_it_may_be_helped_while_runs_are_ready(study):
    made = study(0, 1)
    made.workers.shares = [Share(cpus=(cpu,)) for cpu in range(2)]
    made.run(fuse=False)
    alone = study(2)
    alone.run()
    each = [worker.starts[0].attempts[0] for worker in made.workers.started]
    assert {one.attempt: one.may_be_helped for one in each} == {1: False, 2: True}
    assert not alone.workers.started[0].starts[0].attempts[0].may_be_helped
