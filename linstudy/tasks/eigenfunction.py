"""Labels from an eigenvector of the NTK Gram."""

from collections.abc import Mapping

import numpy as np

from linstudy.data import Dataset, Places
from linstudy.spec.errors import LinstudyError
from linstudy.spec.task import EigenfunctionTask
from linstudy.tangent.spectrum import rotations
from linstudy.tasks.labelled import Labelled, LabelQuality, Needed, signs


def label(task: EigenfunctionTask, data: Dataset, needed: Needed, places: Places) -> Labelled:
    """sign φ_j: its first entries for the training samples, the remaining ones for the test samples."""
    arrays = needed("spectrum")
    eigenvectors = arrays["eigenvectors"]
    if task.index > len(eigenvectors):
        raise LinstudyError(f"task.index: {task.index} is beyond the {len(eigenvectors)} eigenvectors of the spectrum")
    labels = signs(eigenvectors[task.index - 1])
    split = len(data.train_inputs)
    return Labelled(data.train_inputs, labels[:split], data.test_inputs, labels[split:], quality(task, arrays))


def quality(task: EigenfunctionTask, arrays: Mapping[str, np.ndarray]) -> LabelQuality:
    """How well φ_j is defined, from the arrays of its spectrum."""
    samples, place = arrays["eigenvectors"].shape[1], task.index - 1
    eigenvalues, gaps, residuals = (arrays[name] for name in ("eigenvalues", "gaps", "residuals"))
    angles = rotations(eigenvalues, gaps, residuals, samples=samples, rounding=float(arrays["rounding"][0]))
    return LabelQuality(f"φ_{task.index}", float(gaps[place]), float(residuals[place]), float(angles[place]))
