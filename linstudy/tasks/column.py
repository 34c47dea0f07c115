"""Labels from a file."""

from pathlib import Path

import numpy as np

from linstudy.data import Dataset, Places
from linstudy.spec.errors import LinstudyError
from linstudy.spec.task import ColumnTask
from linstudy.tasks.labelled import Labelled, Needed


def label(task: ColumnTask, data: Dataset, needed: Needed, places: Places) -> Labelled:
    """The file's label of each sample.

    One of ±1 a line, or a `.npy` vector: for the source's whole training split, then its whole test split, each in the
    source's own order.
    """
    values = _read(places.resolve(task.path))
    total = data.train_total + data.test_total
    if values.shape != (total,):
        raise LinstudyError(
            f"task.path {task.path}: holds an array of shape {values.shape}; {total} labels in one column are needed, "
            f"one for each of the {data.train_total} training and {data.test_total} test samples of the whole data, "
            "in their own order, the training samples' first"
        )
    if odd := set(values[~np.isin(values, (-1, 1))].tolist()):
        raise LinstudyError(f"task.path {task.path}: found the label {min(odd):g}. Allowed: 1 and -1")
    train, test = values[: data.train_total], values[data.train_total :]
    return Labelled(data.train_inputs, train[data.train_indices], data.test_inputs, test[data.test_indices])


def _read(path: Path) -> np.ndarray:
    try:
        values = np.load(path, allow_pickle=False) if path.suffix == ".npy" else np.loadtxt(path, ndmin=1)
        return values.astype(float)
    except (OSError, EOFError, ValueError) as error:
        raise LinstudyError(f"task.path {path}: cannot be read as labels: {error}") from None
