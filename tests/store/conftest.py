"""A workspace with a ledger, and small facts to write."""

import pytest

from linstudy import metrics
from linstudy.facts import CHECKPOINT, Artifact, Number, Report
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


def _loss(epoch, value=0.5):
    return Number(metrics.LOSS, value, "train", epoch, None if epoch is None else 10 * epoch)


def _checkpoint(epoch, digit="0", name=CHECKPOINT, replaces=None):
    return Artifact(name, f"artifacts/{digit}", digit * 64, 8, epoch, replaces)


@pytest.fixture(scope="session")
def loss():
    """A function that makes a number of the metric `loss`."""
    return _loss


@pytest.fixture
def checkpoint():
    """A function that makes an artifact; its file is named by one digit."""
    return _checkpoint


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "study's folder")


@pytest.fixture
def ledger(workspace):
    workspace.root.mkdir()
    with Ledger.open(workspace) as ledger:
        yield ledger


@pytest.fixture
def tell(ledger):
    """A function that records facts of a new attempt at a run, and writes them."""

    def tell(run_id, *facts, **environment):
        attempt = ledger.begin(run_id, environment)
        ledger.record(Report(attempt, facts))
        ledger.flush()
        return attempt

    return tell


@pytest.fixture(scope="session")
def study():
    return StudyRow("rotation", "", "Training turns the NTK", "study: rotation\n")


@pytest.fixture(scope="session")
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
