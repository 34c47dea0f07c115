"""What every run of one network starts with: data, labels, precision."""

from collections.abc import Callable

import numpy as np

from linstudy.facts import Method, Progress
from linstudy.runs.job import Job, Stopped
from linstudy.spec.task import Task
from linstudy.spec.train import Precision
from linstudy.tasks.kinds import label
from linstudy.tasks.labelled import Labelled


def dtype_of(precision: Precision) -> np.dtype:
    """The type of the arrays of a precision."""
    return np.dtype(np.float64 if precision == "float64" else np.float32)


def label_data(job: Job, precision: Precision) -> Labelled:
    """The inputs and labels of a run's task, in the run's precision."""
    return label(job.spec.task, job.dataset(), job.needed, job.places).astype(dtype_of(precision))  # type: ignore[union-attr]


def inputs_of(job: Job, task: Task | None, precision: Precision) -> np.ndarray:
    """All inputs of a task, or of the data if None: the training samples, then the test samples."""
    data = job.dataset()
    made = data if task is None else label(task, data, job.needed, job.places)
    return np.concatenate([made.train_inputs, made.test_inputs]).astype(dtype_of(precision))


IN_FILE = Method("gram storage", "memory-mapped file")


def gram_room(job: Job, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Room for a Gram that this attempt alone needs; where it is a file, that is told."""
    room = job.resources.array(shape, dtype)
    if isinstance(room, np.memmap):
        job.tell(IN_FILE)
    return room


def progress_of(job: Job, text: str, start: float = 0.0, end: float = 1.0) -> Callable[[float], None]:
    """A callback that tells how far a part of the run is, and ends the run there if it is asked to stop."""

    def report(fraction: float) -> None:
        if job.stop():
            raise Stopped
        job.tell(Progress(start + fraction * (end - start), text))

    return report
