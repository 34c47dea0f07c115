"""Labels from fair coin flips."""

from linstudy.data import Dataset, Places
from linstudy.spec.task import RandomLabelsTask
from linstudy.tasks.labelled import Labelled, Needed, coin_flips


def label(task: RandomLabelsTask, data: Dataset, needed: Needed, places: Places) -> Labelled:
    """+1 or −1 with even odds, from the task's own seed."""
    train_labels, test_labels = coin_flips(data, name="random_labels", seed=task.seed)
    return Labelled(data.train_inputs, train_labels, data.test_inputs, test_labels)
