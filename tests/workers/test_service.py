"""Attempts made in this process, as a worker makes them: what is reported of each."""

import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from linstudy import metrics
from linstudy.facts import CHECKPOINT, RESUME, Artifact, Ending, Method, Number, Progress, Report
from linstudy.history import Leg
from linstudy.resources import MemoryShortage, Resources
from linstudy.runs.job import Stopped
from linstudy.spec.errors import LinstudyError
from linstudy.store.artifacts import ArtifactError, ArtifactStore, is_passing
from linstudy.workers import service
from linstudy.workers.messages import ArtifactReference, Assignment, Help
from linstudy.workers.service import Teller
from linstudy.workers.settings import Settings

SPEC = {
    "kind": "training",
    "data": {"kind": "digits"},
    "model": {"kind": "mlp"},
    "task": {"kind": "binary_classes"},
    "train": {},
}


class Channel:
    """Keeps the reports that are sent."""

    def __init__(self):
        self.reports = []

    def send(self, message):
        self.reports.append(message)

    def facts(self, kind):
        return [(report.attempt, fact) for report in self.reports for fact in report.facts if isinstance(fact, kind)]

    def endings(self):
        """The outcome of each attempt, which ends once."""
        found = self.facts(Ending)
        assert len({attempt for attempt, _ in found}) == len(found)
        return {attempt: ending.outcome for attempt, ending in found}


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "artifacts")


@pytest.fixture
def attempt(monkeypatch, tmp_path, store):
    """A function that makes attempts in its own way to compute, and gives what was sent; attempt 7 has the seed 7."""

    def made(compute, *numbers, **assigned):
        def must_not(*_):
            raise AssertionError("several runs go together, one alone")

        alone, together = (compute, must_not) if len(numbers) == 1 else (must_not, compute)
        monkeypatch.setitem(service.KINDS, "training", lambda job: alone([job]))
        monkeypatch.setitem(service.TOGETHER, "training", together)
        fields = {"source": "", "kept": None, "legs": (), "artifacts": (), "fingerprints": {}, **assigned}
        assignments = [Assignment(number, f"r{number}", {**SPEC, "seed": number}, **fields) for number in numbers]
        channel, settings = Channel(), Settings(str(tmp_path / "artifacts"))
        service._attempt(assignments, settings, store, Resources(), lambda: False, channel)
        return channel

    return made


@pytest.mark.parametrize("numbers", [(7,), (3, 5)])
def test_what_each_run_tells_is_reported_of_its_attempt(attempt, numbers):
    def compute(jobs):
        for job in jobs:
            state = job.save(CHECKPOINT, {"weight": np.full(2, job.spec.seed)}, 1)
            job.tell(Number(metrics.LOSS, float(job.spec.seed), "train", 1, 4), state)
            job.tell(Method("training", "parameters"))

    told = attempt(compute, *numbers)
    assert [(number, fact.value) for number, fact in told.facts(Number)] == [(one, float(one)) for one in numbers]
    assert len({fact.sha256 for _, fact in told.facts(Artifact)}) == len(numbers)
    assert told.facts(Method) == [(one, Method("training", "parameters")) for one in numbers]
    assert told.endings() == dict.fromkeys(numbers, "done")
    assert {len(report.facts) for report in told.reports if isinstance(report.facts[0], Number)} == {2}


def test_one_that_diverges_ends_at_once_and_the_others_are_done(attempt):
    def compute(jobs):
        jobs[1].tell(Ending("diverged", "the loss is not finite at epoch 3"))
        jobs[1].tell(Number(metrics.LOSS, 1.0))
        jobs[0].tell(Progress(1.0))

    told = attempt(compute, 4, 5, 6)
    assert told.endings() == {4: "done", 5: "diverged", 6: "done"}
    assert [report.attempt for report in told.reports] == [5, 4, 4, 6]
    assert told.facts(Number) == []


@pytest.mark.parametrize(
    ("error", "outcome", "text"),
    [
        (Stopped(), "interrupted", "stopped on request"),
        (LinstudyError("no such labels"), "failed", "no such labels"),
        (RuntimeError("out of memory"), "failed", "RuntimeError: out of memory"),
        (SystemExit(4), "failed", "the run's own code ended the process, with exit status 4"),
    ],
)
def test_what_ends_a_group_ends_every_run_that_had_not_diverged(attempt, error, outcome, text):
    def compute(jobs):
        jobs[0].tell(Ending("diverged"))
        raise error

    told = attempt(compute, 1, 2, 3)
    assert told.endings() == {1: "diverged", 2: outcome, 3: outcome}
    assert [ending.error for _, ending in told.facts(Ending)] == [None, text, text]


def test_only_an_unexpected_error_has_a_traceback(attempt):
    def fail(error):
        def compute(jobs):
            raise error

        return compute

    [(_, unexpected)] = attempt(fail(RuntimeError("odd")), 1).facts(Ending)
    [(_, expected)] = attempt(fail(LinstudyError("wrong")), 1).facts(Ending)
    assert Path(__file__).name in unexpected.traceback
    assert expected.traceback is None


@pytest.mark.parametrize(
    ("error", "is_for_memory"),
    [
        (MemoryError(), True),
        (np._core._exceptions._ArrayMemoryError((10,), np.dtype("f8")), True),
        (MemoryShortage("a decomposition takes 7.0 GiB of memory"), True),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8589934592 bytes."), True),
        (RuntimeError("INVALID_ARGUMENT: odd"), False),
        (LinstudyError("no such labels"), False),
        (SystemExit(137), False),
    ],
)
def test_a_failure_for_want_of_memory_says_so(attempt, error, is_for_memory):
    def fail(jobs):
        raise error

    [(_, ending)] = attempt(fail, 1).facts(Ending)
    assert (ending.outcome, ending.for_memory) == ("failed", is_for_memory)


def test_a_damaged_file_is_reported_by_its_path(attempt, store):
    lost, kept = (store.save(CHECKPOINT, {"x": np.full(2, epoch)}, epoch) for epoch in (0, 1))
    store.file(lost.path).write_bytes(b"")
    references = tuple(ArtifactReference("self", one.name, one.epoch, one.path, one.sha256) for one in (lost, kept))
    found = []

    def compute(jobs):
        found.append(jobs[0].load("self", CHECKPOINT, 1))
        jobs[0].load("self", CHECKPOINT, 0)

    [(_, ending)] = attempt(compute, 1, artifacts=references).facts(Ending)
    assert (ending.outcome, ending.damaged) == ("failed", (lost.path,))
    np.testing.assert_array_equal(found[0]["x"], [1, 1])
    with pytest.raises(ArtifactError):
        store.load(lost.path, lost.sha256)


def test_an_artifact_that_was_never_stored_is_no_damage(attempt):
    [(_, ending)] = attempt(lambda jobs: jobs[0].load("anchor", CHECKPOINT, 4), 1).facts(Ending)
    assert (ending.error, ending.damaged) == (
        "anchor: checkpoint of epoch 4 is missing. Make it again: linstudy run STUDY",
        (),
    )


def test_a_job_is_what_was_assigned(attempt):
    legs, jobs = (Leg(None, (0, 3)), Leg(5, (7,))), []
    attempt(jobs.extend, 1, kept=5, legs=legs, fingerprints={"spectrum": "f"})
    [job] = jobs
    assert (job.kept, job.legs, job.fingerprints, job.spec.seed) == (5, legs, {"spectrum": "f"}, 1)


def test_a_state_to_go_on_from_is_one_runs_own_file(attempt):
    def compute(jobs):
        for job in jobs:
            for name in (CHECKPOINT, RESUME):
                job.tell(job.save(name, {"x": np.ones(2)}, 1))

    told = [artifact for _, artifact in attempt(compute, 1, 2).facts(Artifact)]
    assert [is_passing(artifact.path) for artifact in told] == [False, True, False, True]
    assert len({artifact.path for artifact in told}) == 3


@pytest.mark.parametrize(("source", "outcome"), [("digits of another day", "failed"), ("", "done")])
def test_a_run_whose_source_has_changed_is_not_made(attempt, source, outcome):
    made = []
    told = attempt(made.extend, 1, source=source)
    assert told.endings() == {1: outcome}
    assert len(made) == (outcome == "done")
    if outcome == "failed":
        assert "changed after this run was planned" in told.facts(Ending)[0][1].error


def test_progress_is_told_seldom_and_at_the_end(attempt):
    def compute(jobs):
        for epoch in range(1001):
            for job in jobs:
                job.tell(Progress(epoch / 1000))

    told = attempt(compute, 1, 2).facts(Progress)
    assert len(told) < 100
    assert [progress.fraction for _, progress in told[-2:]] == [1.0, 1.0]


def test_facts_beside_progress_are_told_always():
    channel = Channel()
    teller = Teller(1, channel)
    for epoch in range(50):
        teller.tell(Progress(epoch / 100), Number(metrics.LOSS, 1.0, epoch=epoch))
    assert [number.epoch for _, number in channel.facts(Number)] == list(range(50))
    assert len(channel.facts(Progress)) < 10


def _stops(job, token, is_released):
    raise Stopped


def _fails(job, token, is_released):
    raise LinstudyError("the file is not here")


@pytest.mark.parametrize(
    ("assist", "ending"),
    [
        (lambda job, token, is_released: job.tell(Number(metrics.LOSS, 1.0)), Ending("done")),
        (_stops, Ending("interrupted", "stopped on request")),
        (_fails, Ending("failed", "the file is not here")),
    ],
)
def test_of_help_nothing_is_reported_but_its_end(monkeypatch, tmp_path, store, assist, ending):
    monkeypatch.setitem(service.ASSISTS, "training", assist)
    channel = SimpleNamespace(sender=Channel(), stopping=threading.Event(), released=threading.Event())
    command = Help(Assignment(7, "r7", {**SPEC, "seed": 7}, "", None, (), (), {}), "4f")
    service._help(command, Settings(str(tmp_path / "artifacts")), store, Resources(), channel)
    [report] = channel.sender.reports
    assert report == Report(7, (ending,))
