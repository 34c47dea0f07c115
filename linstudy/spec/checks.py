"""What the fields of a point must be to each other, beyond what each must be alone."""

from collections import Counter
from collections.abc import Callable, Iterator

from linstudy.spec.data import Data
from linstudy.spec.problems import Problem
from linstudy.spec.study import Point
from linstudy.spec.task import DirectionTask, EigenfunctionTask

DEFAULT_TOP = 1000
Sizes = Callable[[Data], tuple[int | None, int | None]]


def point_problems(point: Point, sizes: Sizes) -> Iterator[Problem]:
    """Contradictions within a point. `sizes` gives the samples of train and test, None where only the data can tell."""
    train_size, test_size = sizes(point.data)
    samples = train_size + test_size if train_size is not None and test_size is not None else None
    yield from _spectrum(point, samples)
    yield from _task(point, samples)
    yield from _linearize(point)
    yield from _probes(point, train_size, samples)


def kept_eigenvectors(point: Point, samples: int | None) -> int:
    """How many eigenvectors the point's spectrum keeps, as far as is known."""
    top = point.spectrum.top or DEFAULT_TOP
    return min(top, samples) if samples is not None else top


def _spectrum(point: Point, samples: int | None) -> Iterator[Problem]:
    top = point.spectrum.top
    if top is not None and samples is not None and top > samples:
        yield Problem(
            ("spectrum", "top"), f"{top} eigenvectors of a Gram of {samples} samples. Allowed: 1 to {samples}"
        )
    if point.spectrum.kernel == "infinite_width" and point.model.kind not in ("mlp", "lenet"):
        yield Problem(
            ("spectrum", "kernel"),
            f'"infinite_width" has no closed form here for the model "{point.model.kind}". '
            "Write kernel: empirical, or use the model mlp or lenet",
        )


def _task(point: Point, samples: int | None) -> Iterator[Problem]:
    task, kept = point.task, kept_eigenvectors(point, samples)
    if isinstance(task, EigenfunctionTask) and task.index > kept:
        yield Problem(
            ("task", "index"),
            f"{task.index} is beyond the {kept} eigenvectors that the spectrum keeps. Write at most {kept}, or raise spectrum.top",
        )
    if isinstance(task, DirectionTask) != (point.data.kind == "gaussian") and task.kind != "random_labels":
        yield Problem(
            ("task", "kind"),
            f'"{task.kind}" does not fit the data "{point.data.kind}": nad and linear_predictor draw their inputs '
            "from gaussian data, which has no labels for other tasks than random_labels",
        )


def _linearize(point: Point) -> Iterator[Problem]:
    linearize = point.train.linearize
    if linearize is None or linearize.at == "init":
        return
    if linearize.at.epoch > point.train.epochs:
        yield Problem(
            ("train", "linearize", "at", "epoch"),
            f"epoch {linearize.at.epoch} is after the training's end. Allowed: 0 to {point.train.epochs} (train.epochs)",
        )


def _probes(point: Point, train_size: int | None, samples: int | None) -> Iterator[Problem]:
    names = Counter((probe.kind, probe.label) for probe in point.probes)
    kept = kept_eigenvectors(point, samples)
    for position, probe in enumerate(point.probes):
        path = ("probes", position)
        if names[(probe.kind, probe.label)] > 1:
            yield Problem(path, f'two probes "{probe.kind}" have the label "{probe.label}": give each its own label')
        for moment, epoch in enumerate(probe.at):
            if isinstance(epoch, int) and epoch > point.train.epochs:
                yield Problem(
                    (*path, "at", moment),
                    f"epoch {epoch} is after the training's end. Allowed: 0 to {point.train.epochs}",
                )
        size = train_size if "samples" in type(probe).model_fields else None
        asked = getattr(probe, "samples", None)
        if asked is not None and size is not None and asked > size:
            yield Problem((*path, "samples"), f"{asked} of {size} training samples. Allowed: 1 to {size}")
        limit = (asked or size) if "samples" in type(probe).model_fields else kept
        top = getattr(probe, "top", None)
        if top is not None and limit is not None and top > limit:
            yield Problem((*path, "top"), f"{top} eigenvectors, where there are {limit}. Allowed: 1 to {limit}")
