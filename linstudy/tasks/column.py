"""Labels from a file."""

from pathlib import Path

import numpy as np

from linstudy.data import Dataset
from linstudy.spec.errors import LinstudyError
from linstudy.spec.task import ColumnTask
from linstudy.tasks.labelled import Labelled, Needed


def label(task: ColumnTask, data: Dataset, needed: Needed) -> Labelled:
    """The file's labels: one of ±1 a line, or a `.npy` vector; training samples first, both in data order."""
    values = _read(Path(task.path).expanduser())
    split, total = len(data.train_inputs), len(data.train_inputs) + len(data.test_inputs)
    if values.shape != (total,):
        raise LinstudyError(
            f"task.path {task.path}: holds {values.shape} values; the data have {split} training and "
            f"{total - split} test samples, so {total} labels are needed, the training samples' first"
        )
    if not np.isin(values, (-1, 1)).all():
        odd = values[~np.isin(values, (-1, 1))][0]
        raise LinstudyError(f"task.path {task.path}: found the label {odd:g}. Allowed: 1 and -1")
    values = values.astype(float)
    return Labelled(data.train_inputs, values[:split], data.test_inputs, values[split:])


def _read(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False) if path.suffix == ".npy" else np.loadtxt(path, ndmin=1)
    except (OSError, ValueError) as error:
        raise LinstudyError(f"task.path {path}: cannot be read as labels: {error}") from None
