"""The table of the kinds of task."""

from collections.abc import Callable

from linstudy.data import Dataset, Places
from linstudy.data.places import HERE
from linstudy.spec.task import Task
from linstudy.tasks import classes, column, direction, eigenfunction, random_labels
from linstudy.tasks.labelled import Labelled, Needed

KINDS: dict[str, Callable[..., Labelled]] = {
    "binary_classes": classes.label,
    "eigenfunction": eigenfunction.label,
    "nad": direction.label_nad,
    "linear_predictor": direction.label_linear_predictor,
    "random_labels": random_labels.label,
    "column": column.label,
}


def label(task: Task, data: Dataset, needed: Needed, places: Places = HERE) -> Labelled:
    """The inputs and labels of a task on a data set."""
    return KINDS[task.kind](task, data, needed, places)
