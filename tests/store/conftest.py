"""A workspace with a ledger, and small rows to write."""

import pytest

from linstudy.store.ledger import Ledger
from linstudy.store.rows import RunRow, StudyRow
from linstudy.store.workspace import Workspace

TRAINING = {
    "kind": "training",
    "data": {"kind": "digits", "seed": 0, "train": None},
    "model": {"kind": "mlp", "hidden": [100, 100]},
    "task": {"kind": "eigenfunction", "index": 50},
    "train": {"epochs": 2, "optimizer": {"kind": "sgd", "learning_rate": 0.05}, "linearize": None},
    "seed": 0,
}
SPECTRUM = {"kind": "spectrum", "data": TRAINING["data"], "model": TRAINING["model"], "seed": 0}


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "study's folder")


@pytest.fixture
def ledger(workspace):
    workspace.root.mkdir()
    with Ledger.open(workspace) as ledger:
        yield ledger


@pytest.fixture
def study():
    return StudyRow("rotation", "", "Training turns the NTK", "study: rotation\n")


@pytest.fixture
def runs():
    """A training, after the spectrum that it needs."""
    return [RunRow("s", "spectrum", SPECTRUM), RunRow("t", "training", TRAINING, (("spectrum", "s"),), "digits:1")]


@pytest.fixture
def rows(ledger):
    """A function that reads the ledger as a second connection does."""

    def read(sql, *parameters):
        with ledger.session() as session:
            return session.execute(sql, list(parameters)).fetchall()

    return read
