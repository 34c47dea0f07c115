"""A whole study with four host devices, against the same with one."""

import dataclasses

import numpy as np
import pytest
from several_devices import DEVICES, FOUR
from tolerance import assert_close

pytestmark = pytest.mark.product_settings

EPOCHS = 50  # so many updates that measuring both ways is worth its time

STUDY = f"""
study: small
data: {{kind: npz, path: samples.npz, train: 64, test: 32}}
model: {{kind: import, factory: "own_model:make"}}
task: {{kind: binary_classes}}
train: {{epochs: {EPOCHS}, batch_size: 16}}
sweep:
  train.linearize: [null, {{}}]
  train.optimizer.learning_rate: [0.01, 0.02, 0.03, 0.04, 0.05, 0.06]
"""

OWN_MODEL = """
from pathlib import Path
import equinox as eqx
import jax

class Mlp(eqx.Module):
    layers: eqx.nn.MLP
    def __call__(self, x):
        return self.layers(x.ravel())

def make(input_shape, key):
    Path("devices").write_text(str(jax.local_device_count()))
    size = 1
    for extent in input_shape:
        size *= extent
    return Mlp(eqx.nn.MLP(size, "scalar", 8, 1, key=key))
"""

NUMBERS = "SELECT run_id, name, label, split, epoch, step, value FROM metric ORDER BY ALL"
METHODS = "SELECT methods->>'training', methods->>'together', count(*) FROM attempt GROUP BY ALL"


def of_devices(bench, count, monkeypatch):
    """Every metric's rows."""
    bench = dataclasses.replace(bench, folder=bench.folder / str(count))
    bench.folder.mkdir()
    bench.write(OWN_MODEL, "own_model.py")
    bench.write(STUDY)
    bench.write_samples()
    if count == DEVICES:
        monkeypatch.setenv("XLA_FLAGS", FOUR["XLA_FLAGS"])
    run = bench.run if count == DEVICES else bench.run_here
    assert "12 runs: 12 done now." in run()
    assert (bench.folder / "devices").read_text() == str(count)
    rows = bench.rows(NUMBERS)
    assert len({row[0] for row in rows}) == 12
    # networks train as one program where that was measured to be faster, as it is unless the machine is busy
    networks = [("parameters", together, 6) for together in ("6 runs", None)]
    assert set(bench.rows(METHODS)) in ({("function space", "6 runs", 6), row} for row in networks)
    return rows


def test_four_devices_give_the_rows_of_one(bench, monkeypatch):
    one, four = (of_devices(bench, count, monkeypatch) for count in (1, DEVICES))
    assert [row[:-1] for row in four] == [row[:-1] for row in one]
    for name in {row[1] for row in one}:
        values, others = (np.array([row[-1] for row in rows if row[1] == name]) for rows in (four, one))
        assert_close(values, others, rtol=1e-4)  # float32 over 200 steps
