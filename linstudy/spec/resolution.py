"""What a point leaves open, in the place of what it leaves out."""

from functools import singledispatch
from typing import Any

from linstudy.spec.base import Spec
from linstudy.spec.data import DataForm
from linstudy.spec.nads import DEFAULT_SAMPLES, Nads
from linstudy.spec.probe import AlignmentProbe, GramProbe
from linstudy.spec.spectrum import Spectrum
from linstudy.spec.study import Point
from linstudy.spec.task import BinaryClassesTask
from linstudy.spec.train import Train


def resolve(point: Point, form: DataForm) -> Point:
    """The point that says in full what this one means: sizes, classes, how many of all there are.

    Two points that mean the same give the same one, as far as it is known without loading data.
    """
    sizes = {"train": form.train, "test": form.test}
    changes = {name: _with(part, _meaning(part, point, form)) for name, part in point if isinstance(part, Spec)}
    probes = tuple(_with(probe, _meaning(probe, point, form)) for probe in point.probes)
    return _with(point, {**changes, "data": _with(point.data, sizes), "probes": probes})


def _with(spec: Any, changes: dict[str, Any]) -> Any:
    known = {name: value for name, value in changes.items() if value is not None}
    return spec if all(getattr(spec, name) is value for name, value in known.items()) else spec.model_copy(update=known)


@singledispatch
def _meaning(part: Spec, point: Point, form: DataForm) -> dict[str, Any]:
    """The fields of a part that mean something else than they say; None where only the data can tell."""
    return {}


@_meaning.register
def _(part: BinaryClassesTask, point: Point, form: DataForm) -> dict[str, Any]:
    positive = part.positive
    if positive is None and form.classes is not None:
        positive = range(form.classes // 2)
    return {"positive": None if positive is None else tuple(sorted(set(positive)))}


@_meaning.register
def _(part: Train, point: Point, form: DataForm) -> dict[str, Any]:
    return {"batch_size": None if form.train is None else min(part.batch_size, form.train)}


@_meaning.register
def _(part: Spectrum, point: Point, form: DataForm) -> dict[str, Any]:
    return {"top": part.kept(form.samples)}


@_meaning.register
def _(part: Nads, point: Point, form: DataForm) -> dict[str, Any]:
    if part.at == "origin" or part.samples is not None:
        return {}
    return {"samples": DEFAULT_SAMPLES if form.train is None else min(DEFAULT_SAMPLES, form.train)}


@_meaning.register
def _(part: AlignmentProbe, point: Point, form: DataForm) -> dict[str, Any]:
    return {"top": part.top or point.spectrum.named(form.samples)}


@_meaning.register
def _(part: GramProbe, point: Point, form: DataForm) -> dict[str, Any]:
    return {"samples": part.samples or form.train}
