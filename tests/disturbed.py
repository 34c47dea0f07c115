"""Studies that tests disturb: a long training, models that do odd things, and what is compared afterwards."""

TRAINING = """
study: training
data: {kind: npz, path: samples.npz, train: 64, test: 32}
model: {kind: mlp, hidden: [8]}
train: {epochs: 300, batch_size: 16}
"""
ODD_MODEL = """
import ctypes
import os
import sys
import time

import equinox as eqx
import jax


class Linear(eqx.Module):
    layer: eqx.nn.Linear

    def __call__(self, x):
        return self.layer(x.ravel())


def write_to_every_descriptor():
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b'{"message": "Nothing like that"}\\n\\x02\\x0a\\x0f')
        except OSError:
            pass


def end_at_once():
    print("the last words", flush=True)
    os._exit(3)


def fail_at_length():
    raise ValueError("x" * 5_000_000)


ODDITIES = {
    "well": lambda: None,
    "reads": input,
    "writes": write_to_every_descriptor,
    "exits": lambda: sys.exit(4),
    "ends": end_at_once,
    "prints": lambda: print("y" * 10_000_000),
    "long": fail_at_length,
    "closes": lambda: os.closerange(3, 1000),
    "hangs": lambda: time.sleep(600),
    "computes": lambda: ctypes.PyDLL(None).sleep(600),  # no other Python code of the process can run
}


def make(input_shape, key, oddity):
    ODDITIES[oddity]()
    size = 1
    for length in input_shape:
        size *= length
    return Linear(eqx.nn.Linear(size, "scalar", key=key))
"""
ODD_STUDY = """
study: odd
data: {kind: npz, path: samples.npz, train: 32, test: 16}
model: {kind: import, factory: "odd_model:make", arguments: {oddity: well}}
train: {epochs: 2, batch_size: 16}
sweep: {model.arguments.oddity: [ODDITIES]}
"""
CONTENT = (
    "SELECT run_id, name, label, split, epoch, step, value FROM metric ORDER BY ALL",
    "SELECT run_id, name, label, split, epoch, value FROM vector ORDER BY ALL",
    "SELECT run_id, name, epoch, sha256 FROM artifact ORDER BY ALL",
)


def write_odd(bench, *oddities):
    bench.write(ODD_MODEL, "odd_model.py")
    bench.write(ODD_STUDY.replace("ODDITIES", ", ".join(oddities)))


def content(bench):
    return [bench.rows(sql) for sql in CONTENT]
