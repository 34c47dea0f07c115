"""From the keys of a study to its points: sweep, zip, seeds, exclude, include."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from linstudy.spec.document import Document, TreePath
from linstudy.spec.parts import Reader, Reading
from linstudy.spec.problems import Problem
from linstudy.spec.report import invalid
from linstudy.spec.study import POINT_KEYS, Frame, Point, Selection
from linstudy.spec.tree import Tree, display, dotted, matches, value_at
from linstudy.spec.vocabulary import default_kind


@dataclass(frozen=True, slots=True)
class Candidate:
    """A point as it was written, and what it is, or what is wrong with it."""

    tree: Tree
    reading: Reading[Point]


@dataclass(frozen=True, slots=True)
class Assignment:
    """A value at a path of a point.

    `written` is the key of the study that says so; `origin` is where the document has the value, `axis` where the path.
    """

    path: TreePath
    value: Any
    written: TreePath
    document: Document
    origin: TreePath
    axis: TreePath


def expand(study: Tree, frame: Frame, reader: Reader[Point]) -> list[Candidate]:
    """The points of a study, each once: the sweep's in its order, each with every seed, then the included ones.

    Raises:
        Invalid: If axes contradict one another, a path leads nowhere, or exclude drops nothing or everything.
    """
    base = study.only({*POINT_KEYS})
    swept = (_assigned(base, assignments) for assignments in _combinations(study, frame))
    kept = _excluded([_candidate(tree, reader) for tree in _seeded(swept, study, frame)], study, frame)
    included = (_assigned(base, _selected(study, i, selection)) for i, selection in enumerate(frame.include))
    found = _distinct([*kept, *(_candidate(tree, reader) for tree in _seeded(included, study, frame))])
    if not found:
        raise invalid(study, Problem(("exclude",), "drops every point of the study", at_key=True))
    return found


def assign(point: Tree, path: TreePath, value: Any, document: Document, origin: TreePath, axis: TreePath) -> Tree:
    """A point with a value at a path. A part that was left out is its default, with the value in it.

    Raises:
        LookupError: See `Tree.replace`.
    """
    for length in range(1, len(path)):
        kind = default_kind(Point, path[:length])
        if kind is not None and not point.has(path[:length]):
            point = point.replace(path[:length], {"kind": kind}, document, origin=None, axis=axis)
    return point.replace(path, value, document, origin=origin, axis=axis)


def _combinations(study: Tree, frame: Frame) -> Iterator[list[Assignment]]:
    """Every combination of the sweep's values with the zip's columns, wider paths first."""
    _check_axes(study, frame)
    axes = [[(value,) for value in _axis(study, ("sweep", name), values)] for name, values in frame.sweep.items()]
    rows = [_axis(study, ("zip", name), values) for name, values in frame.zip.items()]
    columns = [list(zip(*rows, strict=True))] if rows else []
    for combination in itertools.product(*axes, *columns):
        yield sorted(itertools.chain.from_iterable(combination), key=lambda assignment: len(assignment.path))


def _axis(study: Tree, written: TreePath, values: Iterable[Any]) -> list[Assignment]:
    return [_assignment(study, written, (*written, index), value) for index, value in enumerate(values)]


def _assignment(study: Tree, written: TreePath, origin: TreePath, value: Any) -> Assignment:
    source = study.origin(origin)  # a profile or the command line may have replaced the axis
    axis = study.origin(written, at_key=True)
    return Assignment(dotted(str(written[-1])), value, written, source.document, source.path, axis.path)


def _check_axes(study: Tree, frame: Frame) -> None:
    if len({len(values) for values in frame.zip.values()}) > 1:
        lengths = ", ".join(f"{name} has {len(values)}" for name, values in frame.zip.items())
        raise invalid(study, Problem(("zip",), f"the axes need as many values as one another: {lengths}", at_key=True))
    for name in frame.zip:
        if name in frame.sweep:
            raise invalid(study, Problem(("zip", name), "is an axis of sweep too: keep one of them", at_key=True))
    for group, axes in (("sweep", frame.sweep), ("zip", frame.zip)):
        if "seed" in axes and study.has(("seeds",)):
            problem = Problem((group, "seed"), "the study has seeds too: keep one of them", at_key=True)
            raise invalid(study, problem)


def _selected(study: Tree, index: int, selection: Selection) -> list[Assignment]:
    places = {name: ("include", index, name) for name in selection}
    assignments = [_assignment(study, places[name], places[name], value) for name, value in selection.items()]
    return sorted(assignments, key=lambda assignment: len(assignment.path))


def _assigned(point: Tree, assignments: Iterable[Assignment]) -> Tree:
    for one in assignments:
        try:
            point = assign(point, one.path, one.value, one.document, one.origin, one.axis)
        except LookupError:
            problem = Problem(one.written, f"there is no {display(one.path)} in the study", at_key=True)
            raise invalid(point, problem) from None
    return point


def _seeded(points: Iterable[Tree], study: Tree, frame: Frame) -> Iterator[Tree]:
    """Every point with every seed; a point that names its seed has only that one."""
    origins = [study.origin(("seeds", index)) for index in range(len(frame.seeds))]
    for point in points:
        if point.has(("seed",)):
            yield point
            continue
        for seed, origin in zip(frame.seeds, origins, strict=True):
            yield point.replace(("seed",), seed, origin.document, origin=origin.path, axis=origin.path)


def _candidate(tree: Tree, reader: Reader[Point]) -> Candidate:
    return Candidate(tree, reader.read(tree.value))


def _excluded(candidates: list[Candidate], study: Tree, frame: Frame) -> list[Candidate]:
    """The candidates that no selection of `exclude` matches, defaults counted as if they were written."""
    complete = [_complete(candidate) for candidate in candidates] if frame.exclude else []
    dropped: set[int] = set()
    for position, selection in enumerate(frame.exclude):
        paths = [(dotted(name), part) for name, part in selection.items()]
        matched = {index for index, value in enumerate(complete) if _is_selected(value, paths)}
        if not matched and all(candidate.reading.spec for candidate in candidates):
            raise invalid(study, Problem(("exclude", position), "matches no point of the study; drop it or correct it"))
        dropped |= matched
    return [candidate for index, candidate in enumerate(candidates) if index not in dropped]


def _complete(candidate: Candidate) -> Mapping[str, Any]:
    return {name: part.complete for name, part in candidate.reading.parts.items()}


def _is_selected(value: Any, paths: Iterable[tuple[TreePath, Any]]) -> bool:
    return all(matches(part, value_at(value, path, ...)) for path, part in paths)


def _distinct(candidates: Iterable[Candidate]) -> list[Candidate]:
    by_content: dict[frozenset[tuple[str, str]], Candidate] = {}
    for candidate in candidates:
        content = frozenset((name, part.text) for name, part in candidate.reading.parts.items())
        by_content.setdefault(content, candidate)
    return list(by_content.values())
