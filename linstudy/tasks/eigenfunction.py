"""Labels from an eigenvector of the NTK Gram."""

from linstudy.data import Dataset, Places
from linstudy.spec.errors import LinstudyError
from linstudy.spec.task import EigenfunctionTask
from linstudy.tasks.labelled import Labelled, Needed, signs


def label(task: EigenfunctionTask, data: Dataset, needed: Needed, places: Places) -> Labelled:
    """sign φ_j: its first entries for the training samples, the remaining ones for the test samples."""
    eigenvectors = needed("spectrum")["eigenvectors"]
    if task.index > len(eigenvectors):
        raise LinstudyError(f"task.index: {task.index} is beyond the {len(eigenvectors)} eigenvectors of the spectrum")
    labels = signs(eigenvectors[task.index - 1])
    split = len(data.train_inputs)
    return Labelled(data.train_inputs, labels[:split], data.test_inputs, labels[split:])
