"""Linear predictors: Gaussian inputs moved along one direction by their label.

Source: arXiv:2106.06770, appendix C.1.
"""

import math

import numpy as np
from jaxtyping import Float

from linstudy.data import Dataset, Places
from linstudy.spec.errors import LinstudyError
from linstudy.spec.task import DirectionTask, LinearPredictorTask, NadTask
from linstudy.tasks.labelled import Labelled, Needed, coin_flips


def label_nad(task: NadTask, data: Dataset, needed: Needed, places: Places) -> Labelled:
    """The linear predictor along the j-th neural anisotropy direction."""
    directions = needed("nads")["directions"]
    if task.index > len(directions):
        raise LinstudyError(f"task.index: {task.index} is beyond the {len(directions)} directions of the inputs")
    return _along(directions[task.index - 1], task, data)


def label_linear_predictor(task: LinearPredictorTask, data: Dataset, needed: Needed, places: Places) -> Labelled:
    """The linear predictor along the direction of the task."""
    size = math.prod(data.train_inputs.shape[1:])
    if len(task.direction) != size:
        raise LinstudyError(f"task.direction: has {len(task.direction)} entries, the inputs have {size}")
    direction = np.asarray(task.direction)
    return _along(direction / np.linalg.norm(direction), task, data)


def _along(direction: Float[np.ndarray, " inputs"], task: DirectionTask, data: Dataset) -> Labelled:
    train_labels, test_labels = coin_flips(data, name="direction", seed=0)
    return Labelled(
        moved(data.train_inputs, train_labels, direction, task.margin),
        train_labels,
        moved(data.test_inputs, test_labels, direction, task.margin),
        test_labels,
    )


def moved(
    inputs: Float[np.ndarray, "samples ..."],
    labels: Float[np.ndarray, " samples"],
    direction: Float[np.ndarray, " inputs"],
    margin: float,
) -> Float[np.ndarray, "samples ..."]:
    """margin·y·u + (I − uuᵀ)w for each sample w with label y, and the unit vector u."""
    flat = inputs.reshape(len(inputs), -1)
    along = margin * labels - flat @ direction
    return (flat + along[:, None] * direction).reshape(inputs.shape).astype(inputs.dtype)
