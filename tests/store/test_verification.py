"""Stored files against their hashes, and two results of one run against each other."""

import math
import os

import numpy as np
import pytest

from linstudy.facts import CHECKPOINT, RESUME, Ending, Report
from linstudy.store.artifacts import ArtifactStore
from linstudy.store.comparison import relative_difference
from linstudy.store.ledger import Ledger
from linstudy.store.query import open_published
from linstudy.store.snapshot import publish
from linstudy.store.verification import verify


@pytest.fixture
def store(workspace, study, runs):
    """Of three files of two runs; one of them is a state to go on from."""
    store = ArtifactStore(workspace.artifacts)
    with workspace.lock(), Ledger.open(workspace) as ledger:
        ledger.register(study, runs)
        shared = store.save(CHECKPOINT, {"weight": np.zeros(3)}, 0)
        state = store.save(RESUME, {"weight": np.ones(3)}, 1, owner="t")
        for run_id, facts in (("s", [shared, Ending("done")]), ("t", [shared, state])):
            ledger.record(Report(ledger.begin(run_id, {}), tuple(facts)))
        ledger.record(Report(2, (store.save(CHECKPOINT, {"weight": np.ones(4)}, 1),)))
        ledger.flush()
        publish(ledger, workspace.results)
    return store


def checked(workspace, store, *runs, passing=True):
    with open_published(workspace.results) as ask:
        return verify(ask, runs or ("s", "t"), store, passing=passing)


def test_files_are_right_missing_or_damaged(workspace, store):
    found = checked(workspace, store)
    assert (found.files, found.counts, found.wrong) == (3, {"right": 3}, ())
    with open_published(workspace.results) as ask:
        [(shared,), (own,)] = ask("SELECT DISTINCT path FROM artifact WHERE name = 'checkpoint' ORDER BY epoch").rows
    status = store.file(shared).stat()
    content = bytearray(store.file(shared).read_bytes())
    content[-1] ^= 1
    store.file(shared).write_bytes(content)
    os.utime(store.file(shared), ns=(status.st_atime_ns, status.st_mtime_ns))
    store.file(own).unlink()
    found = checked(workspace, store)
    assert found.counts == {"right": 1, "missing": 1, "damaged": 1}
    assert sorted(found.wrong) == [("damaged", shared, "spectrum s", 1), ("missing", own, "training t", 0)]
    assert found.studies == ("rotation",)
    assert checked(workspace, store, "s").counts == {"damaged": 1}


def test_states_that_a_study_replaces_meanwhile_are_left_out(workspace, store):
    assert checked(workspace, store, passing=False).files == 2


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        ([1.0, -4.0], [1.0, -4.0], 0.0),
        ([1.0, -4.0], [1.5, -4.0], 0.125),
        ([0.0], [2.0], 1.0),
        ([np.nan, 1.0], [np.nan, 1.0], 0.0),
        ([np.nan, 1.0], [np.nan, 1.5], 1 / 3),
        ([np.nan, 1.0], [1.0, np.nan], math.inf),
        ([1.0, 2.0], [1.0], math.inf),
        ([], [], 0.0),
    ],
)
def test_the_relative_difference_of_arrays(one, other, difference):
    assert relative_difference(np.array(one), np.array(other)) == pytest.approx(difference)


def test_arrays_of_another_type_differ_and_whole_numbers_are_compared():
    assert relative_difference(np.array([1.0]), np.array([1.0], np.float32)) == math.inf
    assert relative_difference(np.array([2, 4], np.uint8), np.array([4, 4], np.uint8)) == pytest.approx(0.5)
