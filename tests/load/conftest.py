"""A small workspace, made in this process: every kind of run, a model of one's own with norms, data in a file."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from in_process import Told

import linstudy
from linstudy.data.kinds import form
from linstudy.data.places import Places
from linstudy.facts import Report
from linstudy.plan import make_plan
from linstudy.prepare.sources import sources
from linstudy.prepare.study import run_rows, study_row
from linstudy.spec.points import load_study
from linstudy.store.artifacts import ArtifactStore
from linstudy.store.ledger import Ledger
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace

STUDY = """
study: small
data: {kind: npz, path: samples.npz, train: 48, test: 24}
model: {kind: mlp, hidden: [8]}
task: {kind: eigenfunction, index: 3}
train: {epochs: 3, batch_size: 16}
probes: [{kind: alignment, top: 3, at: [start, end]}]
include:
  - {train.linearize: {}, probes: []}
  - {train.linearize: {at: {epoch: 2}, centred: true}, probes: []}
  - {model: {kind: import, factory: "loaded_nets:make"}, task: {kind: binary_classes}, probes: []}
  - {data: {kind: gaussian, shape: [1, 3, 3], train: 32, test: 16}, model: {kind: import, factory: "loaded_nets:make"},
     task: {kind: nad, index: 1}, train.precision: float64, probes: []}
"""

NETS = """
import equinox as eqx
import jax
import jax.numpy as jnp


class Net(eqx.Module):
    first: eqx.nn.Linear
    norm: eqx.nn.BatchNorm
    last: eqx.nn.Linear

    def __init__(self, size, key):
        one, two = jax.random.split(key)
        self.first = eqx.nn.Linear(size, 6, key=one)
        self.norm = eqx.nn.BatchNorm(6, axis_name="batch", mode="batch")
        self.last = eqx.nn.Linear(6, "scalar", key=two)

    def __call__(self, x, state):
        x, state = self.norm(self.first(x.ravel()), state)
        return self.last(jnp.tanh(x)), state


def make(input_shape, key):
    return eqx.nn.make_with_state(Net)(input_shape[0] * input_shape[1] * input_shape[2], key)
"""


@dataclass(frozen=True)
class Bench:
    """A folder with a study's files, and its results in `results`."""

    folder: Path

    @property
    def workspace(self):
        return Workspace(self.folder / "results")

    def open(self, **options):
        return linstudy.open(self.workspace.root, **{"study_folder": self.folder, **options})

    def artifact(self, run_id, name, epoch=None):
        """The path of a stored file."""
        found = self.open().sql("SELECT run_id, name, epoch, path FROM artifact").fetchall()
        [path] = [path for *key, path in found if key == [run_id, name, epoch]]
        return self.workspace.root / path

    def write_samples(self, seed=0):
        """Images of 4×4 pixels in ten classes."""
        draw = np.random.default_rng(seed)
        images, classes = draw.random((300, 4, 4)), draw.integers(0, 10, 300)
        train = dict(x_train=images[:200], y_train=classes[:200])
        np.savez(self.folder / "samples.npz", **train, x_test=images[200:], y_test=classes[200:])


@pytest.fixture(scope="session")
def run_study(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("loaded"))
    folder, workspace = bench.folder, bench.workspace
    (folder / "study.yaml").write_text(STUDY)
    (folder / "loaded_nets.py").write_text(NETS)
    bench.write_samples()
    places = Places(folder)
    places.extend_import_path()
    study = load_study(folder / "study.yaml")
    plan = make_plan(study.points, sources(places), form)
    told = Told(plan, ArtifactStore(workspace.artifacts), places)
    for run in plan.runs.values():
        told.execute(run)
    with workspace.lock(), Ledger.open(workspace) as ledger:
        ledger.register(study_row(study), run_rows(plan))
        for run_id, facts in told.facts.items():
            ledger.record(Report(ledger.begin(run_id, {}), tuple(facts)))
        ledger.flush()
        publish(ledger, workspace.results)
    return bench


@pytest.fixture
def bench(run_study, tmp_path, monkeypatch):
    """A copy of the study's folder, to be damaged, in a process that has not imported its module."""
    shutil.copytree(run_study.folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder != str(run_study.folder)])
    sys.modules.pop("loaded_nets", None)
    yield Bench(tmp_path)
    sys.modules.pop("loaded_nets", None)


@pytest.fixture
def ws(run_study):
    """The workspace, opened."""
    return run_study.open()
