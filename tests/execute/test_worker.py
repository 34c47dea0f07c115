"""One command to a worker, served in this process: what is told of each run."""

import threading

import numpy as np
import pytest
from linstudy.runs.events import Chose, Diverged, Measured, Produced, Progress, Stopped

from linstudy import metrics
from linstudy.execute import worker
from linstudy.execute.messages import Assignment, Chosen, Finished, Progressed, Row, RunCommand, Stored
from linstudy.spec.errors import LinstudyError
from linstudy.store.artifacts import ArtifactStore

SPEC = {
    "kind": "training",
    "data": {"kind": "digits"},
    "model": {"kind": "mlp"},
    "task": {"kind": "binary_classes"},
    "train": {},
}


@pytest.fixture
def serve(monkeypatch, tmp_path):
    """A function that gives runs to a worker with its own way to compute, and returns what it told."""

    def served(compute, seeds):
        def must_not(*_):
            raise AssertionError("several runs go together, one alone")

        alone, together = (compute, must_not) if len(seeds) == 1 else (must_not, compute)
        monkeypatch.setitem(worker.KINDS, "training", lambda job, emit: alone([job], [emit]))
        monkeypatch.setitem(worker.TOGETHER, "training", together)
        told = []
        command = RunCommand(tuple(Assignment(f"r{seed}", {**SPEC, "seed": seed}, (), ()) for seed in seeds), None)
        worker._serve(command, ArtifactStore(tmp_path / "artifacts"), threading.Event(), told.append)
        return told

    return served


def endings(told):
    return {message.run_id: message.outcome for message in told if isinstance(message, Finished)}


@pytest.mark.parametrize("seeds", [(7,), (3, 5)])
def test_what_each_run_emits_is_told_under_its_id(serve, seeds):
    def compute(jobs, emits):
        for job, emit in zip(jobs, emits, strict=True):
            emit(Measured(metrics.LOSS, float(job.spec.seed), "train", 1, 4))
            emit(Produced("checkpoint", {"weight": np.full(2, job.spec.seed)}, 1))
            emit(Chose("training", "together" if len(jobs) > 1 else "alone"))

    told = serve(compute, seeds)
    assert {m.run_id: m.value for m in told if isinstance(m, Row)} == {f"r{seed}": float(seed) for seed in seeds}
    assert len({m.sha256 for m in told if isinstance(m, Stored)}) == len(seeds)
    assert {m.how for m in told if isinstance(m, Chosen)} == {"together" if len(seeds) > 1 else "alone"}
    assert endings(told) == {f"r{seed}": "done" for seed in seeds}


def test_one_that_diverges_ends_at_once_and_the_others_are_done(serve):
    def compute(jobs, emits):
        emits[1](Diverged(3))
        emits[0](Progress(1.0))

    told = serve(compute, (0, 1, 2))
    assert endings(told) == {"r0": "done", "r1": "diverged", "r2": "done"}
    assert [type(message) for message in told] == [Finished, Progressed, Finished, Finished]


@pytest.mark.parametrize(
    ("error", "outcome", "text"),
    [
        (Stopped(), "interrupted", "stopped on request"),
        (LinstudyError("no such labels"), "failed", "no such labels"),
        (RuntimeError("out of memory"), "failed", "RuntimeError: out of memory"),
    ],
)
def test_what_ends_a_group_ends_every_run_that_had_not_diverged(serve, error, outcome, text):
    def compute(jobs, emits):
        emits[0](Diverged(1))
        raise error

    told = serve(compute, (0, 1, 2))
    assert endings(told) == {"r0": "diverged", "r1": outcome, "r2": outcome}
    assert [m.error for m in told if isinstance(m, Finished)] == [None, text, text]


def test_progress_is_told_seldom_and_at_the_end(serve):
    def compute(jobs, emits):
        for epoch in range(1001):
            for emit in emits:
                emit(Progress(epoch / 1000))

    told = [message for message in serve(compute, (0, 1)) if isinstance(message, Progressed)]
    assert len(told) < 100
    assert [message.fraction for message in told[-2:]] == [1.0, 1.0]
