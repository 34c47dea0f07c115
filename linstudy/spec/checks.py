"""What the fields of a point must be to each other, beyond what each must be alone."""

from collections.abc import Callable, Iterator

from linstudy.spec.data import Data
from linstudy.spec.document import TreePath
from linstudy.spec.model import FunctionFamily
from linstudy.spec.probe import AnyProbe, GramProbe
from linstudy.spec.problems import Problem
from linstudy.spec.spectrum import BYTES_PER_PAIR, FULL_BYTES, Kernel
from linstudy.spec.study import Point
from linstudy.spec.task import EigenfunctionTask
from linstudy.spec.vocabulary import kinds_of, specs_at

FEW_SAMPLES = 10_000
"""What a message proposes where a full decomposition is too large: 2.2 GiB, and minutes."""
NEEDS_CLASSES = ("binary_classes",)
Sizes = Callable[[Data], tuple[int | None, int | None]]


def point_problems(point: Point, sizes: Sizes) -> Iterator[Problem]:
    """Contradictions within a point.

    Args:
        sizes: Gives the samples of train and test of a data set, None where only the data can tell.
    """
    train, test = sizes(point.data)
    samples = train + test if train is not None and test is not None else None
    yield from _data(point, sizes)
    yield from _spectrum(point, samples)
    yield from _nads(point, train)
    yield from _task(point, samples)
    yield from _linearize(point)
    yield from _labels(point)
    for position, probe in enumerate(point.probes):
        for problem in _probe(probe, point, train, samples):
            yield Problem(("probes", position, *problem.path), problem.message)


def _data(point: Point, sizes: Sizes) -> Iterator[Problem]:
    whole = sizes(point.data.model_copy(update={"train": None, "test": None}))
    for split, asked, available in zip(("train", "test"), (point.data.train, point.data.test), whole, strict=True):
        if asked is not None and available is not None and asked > available:
            yield Problem(
                ("data", split),
                f"{asked} samples, where {point.data.kind} has {available} for {split}. Allowed: 1 to {available}",
            )


def _spectrum(point: Point, samples: int | None) -> Iterator[Problem]:
    top = point.spectrum.top
    if top is not None and samples is not None and top > samples:
        yield Problem(
            ("spectrum", "top"), f"{top} eigenvectors of a Gram of {samples} samples. Allowed: 1 to {samples}"
        )
    elif top is not None and samples is not None and top + 1 >= samples:
        yield from _too_large(("spectrum", "top"), samples, BYTES_PER_PAIR, "top: 1000")
    yield from _kernel(("spectrum", "kernel"), point.spectrum.kernel, point)


def _kernel(path: TreePath, kernel: Kernel, point: Point) -> Iterator[Problem]:
    if kernel == "infinite_width" and not point.model.has_infinite_width:
        yield Problem(
            path,
            f"infinite_width is not known for the model {point.model.kind}. "
            f"Write kernel: empirical, or use one of the models {', '.join(_infinitely_wide())}",
        )


def _infinitely_wide() -> Iterator[str]:
    for model in specs_at(Point, ("model",)):
        if issubclass(model, FunctionFamily) and model.has_infinite_width:
            yield from kinds_of(model)


def _task(point: Point, samples: int | None) -> Iterator[Problem]:
    task, data, kept = point.task, point.data.kind, point.spectrum.named(samples)
    if isinstance(task, EigenfunctionTask) and task.index > kept:
        yield Problem(
            ("task", "index"),
            f"{task.index} is beyond the {kept} eigenvectors that the spectrum keeps. Allowed: 1 to {kept}"
            + (f", or more with spectrum.top: {task.index}" if samples is None or task.index <= samples else ""),
        )
    if task.makes_inputs and data != "gaussian":
        yield Problem(
            ("task", "kind"), f"{task.kind} makes its inputs from Gaussian draws. Write data: {{kind: gaussian}}"
        )
    if data == "gaussian" and task.kind in NEEDS_CLASSES:
        yield Problem(
            ("task", "kind"),
            f"{task.kind} needs classes, and gaussian data has none. "
            "Use the task nad, linear_predictor, random_labels, eigenfunction or column",
        )


def _nads(point: Point, train: int | None) -> Iterator[Problem]:
    asked = point.nads.samples
    if asked is not None and train is not None and asked > train:
        yield Problem(("nads", "samples"), f"{asked} of {train} training samples. Allowed: 1 to {train}")


def _linearize(point: Point) -> Iterator[Problem]:
    epoch = point.train.anchor_epoch
    if epoch is not None:
        yield from _beyond_the_end(epoch, ("train", "linearize", "at", "epoch"), point)


def _beyond_the_end(epoch: int, path: TreePath, point: Point) -> Iterator[Problem]:
    last = point.train.epochs
    if epoch > last:
        yield Problem(path, f"epoch {epoch} is after the training's end. Allowed: 0 to {last} (train.epochs)")


def _labels(point: Point) -> Iterator[Problem]:
    seen: set[tuple[str, str]] = set()
    for position, probe in enumerate(point.probes):
        if (probe.kind, probe.label) in seen:
            what = f'with the label "{probe.label}"' if probe.label else "without a label"
            yield Problem(
                ("probes", position), f"is a second {probe.kind} probe {what}. Tell them apart, as in label: late"
            )
        seen.add((probe.kind, probe.label))


def _probe(probe: AnyProbe, point: Point, train: int | None, samples: int | None) -> Iterator[Problem]:
    for position, epoch in enumerate(probe.at):
        if isinstance(epoch, int):
            yield from _beyond_the_end(epoch, ("at", position), point)
    asked, top = getattr(probe, "samples", None), getattr(probe, "top", None)
    if asked is not None and train is not None and asked > train:
        yield Problem(("samples",), f"{asked} of {train} training samples. Allowed: 1 to {train}")
    if isinstance(probe, GramProbe):
        yield from _kernel(("kernel",), probe.kernel, point)
    if isinstance(probe, GramProbe) and (taken := asked or train) is not None:
        yield from _too_large(("samples",), taken, probe.bytes_per_pair, f"samples: {FEW_SAMPLES}")
    limit = asked or train if isinstance(probe, GramProbe) else point.spectrum.named(samples)
    if top is not None and limit is not None and top > limit:
        yield Problem(("top",), f"{top} eigenvectors, where there are {limit}. Allowed: 1 to {limit}")


def _too_large(path: TreePath, samples: int, bytes_per_pair: int, remedy: str) -> Iterator[Problem]:
    size = samples**2 * bytes_per_pair
    if size > FULL_BYTES:
        yield Problem(
            path,
            f"a full decomposition of a Gram of {samples:,} samples takes {size / 2**30:,.0f} GiB of memory. "
            f"Allowed: {FULL_BYTES / 2**30:,.0f} GiB. Write {remedy}",
        )
