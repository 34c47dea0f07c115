"""What every run of one network starts with: data, labels, precision."""

import numpy as np

from linstudy.data import Dataset
from linstudy.runs.events import Emit, Fingerprint, Progress, Stopped
from linstudy.runs.job import Job
from linstudy.spec.task import Task
from linstudy.spec.train import Precision
from linstudy.tasks.kinds import label
from linstudy.tasks.labelled import Labelled


def dtype_of(precision: Precision) -> np.dtype:
    """The type of the arrays of a precision."""
    return np.dtype(np.float64 if precision == "float64" else np.float32)


def labelled(job: Job, emit: Emit, precision: Precision) -> Labelled:
    """The inputs and labels of a run's task, in the run's precision."""
    return label(job.spec.task, _loaded(job, emit), job.needed).astype(dtype_of(precision))  # type: ignore[union-attr]


def inputs_of(job: Job, emit: Emit, task: Task | None, precision: Precision) -> np.ndarray:
    """All inputs of a task, or of the data if None: the training samples, then the test samples."""
    data = _loaded(job, emit)
    made = data if task is None else label(task, data, job.needed)
    return np.concatenate([made.train_inputs, made.test_inputs]).astype(dtype_of(precision))


def _loaded(job: Job, emit: Emit) -> Dataset:
    data = job.dataset()
    emit(Fingerprint(data.fingerprint))
    return data


def progress_of(job: Job, emit: Emit, text: str, start: float = 0.0, end: float = 1.0):
    """A callback that tells how far a part of the run is, and ends the run there if it is asked to stop."""

    def report(fraction: float) -> None:
        if job.stop():
            raise Stopped
        emit(Progress(start + fraction * (end - start), text))

    return report
