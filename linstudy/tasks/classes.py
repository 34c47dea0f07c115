"""Labels from the classes of the data."""

import numpy as np

from linstudy.data import Dataset, Places
from linstudy.spec.errors import LinstudyError
from linstudy.spec.task import BinaryClassesTask
from linstudy.tasks.labelled import Labelled, Needed, signs


def label(task: BinaryClassesTask, data: Dataset, needed: Needed, places: Places) -> Labelled:
    """+1 for the positive classes (the first half unless said), −1 for the others."""
    count = len(data.classes)
    if count < 2:
        raise LinstudyError(
            f"task binary_classes: needs data of at least two classes, these have {count or 'none'}; "
            "choose other data, or a task that brings its own labels, such as random_labels"
        )
    positive = task.positive if task.positive is not None else tuple(range(count // 2))
    if unknown := [index for index in positive if index >= count]:
        raise LinstudyError(
            f"task.positive: there is no class {unknown[0]}. Allowed: 0 to {count - 1}, for {', '.join(data.classes)}"
        )
    train, test = (signs(np.isin(labels, positive) - 0.5) for labels in (data.train_labels, data.test_labels))
    return Labelled(data.train_inputs, train, data.test_inputs, test)
