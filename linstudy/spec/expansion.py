"""From the keys of a study to its points: sweep, zip, seeds, exclude, include."""

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from linstudy.spec.document import Document, TreePath
from linstudy.spec.problems import Problem, problems_of
from linstudy.spec.report import invalid
from linstudy.spec.study import POINT_KEYS, Frame, Point, Selection
from linstudy.spec.tree import Tree, display, dotted, matches, value_at
from linstudy.spec.vocabulary import default_kind


@dataclass(frozen=True)
class Candidate:
    """A point as it was written, and what it is, or what is wrong with it."""

    tree: Tree
    point: Point | None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Assignment:
    """A value at a path of a point; `origin` is where the value was written, `axis` where the path was."""

    path: TreePath
    value: Any
    origin: TreePath
    axis: TreePath


def expand(study: Tree, frame: Frame) -> list[Candidate]:
    """The points of a study, each once: the sweep's in its order, each with every seed, then the included ones.

    Raises:
        Invalid: If axes contradict one another, a path leads nowhere, or exclude drops nothing or everything.
    """
    base = study.only({*POINT_KEYS})
    swept = [_assigned(base, assignments) for assignments in _combinations(study, frame)]
    kept = _excluded([_candidate(tree) for tree in _seeded(swept, study, frame)], study, frame)
    included = [_assigned(base, _selected(i, selection)) for i, selection in enumerate(frame.include)]
    found = _distinct([*kept, *map(_candidate, _seeded(included, study, frame))])
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
    axes = [
        [[Assignment(dotted(name), value, ("sweep", name, i), ("sweep", name))] for i, value in enumerate(values)]
        for name, values in frame.sweep.items()
    ]
    columns = [
        [Assignment(dotted(name), values[i], ("zip", name, i), ("zip", name)) for name, values in frame.zip.items()]
        for i in range(min(map(len, frame.zip.values()), default=0))
    ]
    for combination in itertools.product(*axes, *([columns] if columns else [])):
        yield sorted(itertools.chain.from_iterable(combination), key=lambda assignment: len(assignment.path))


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


def _selected(index: int, selection: Selection) -> list[Assignment]:
    assignments = [
        Assignment(dotted(name), value, ("include", index, name), ("include", index, name))
        for name, value in selection.items()
    ]
    return sorted(assignments, key=lambda assignment: len(assignment.path))


def _assigned(point: Tree, assignments: Iterable[Assignment]) -> Tree:
    for assignment in assignments:
        value = point.origin(assignment.origin)  # a profile or the command line may have replaced the axis
        axis = point.origin(assignment.axis, at_key=True)
        try:
            point = assign(point, assignment.path, assignment.value, value.document, value.path, axis.path)
        except LookupError:
            problem = Problem(assignment.axis, f"there is no {display(assignment.path)} in the study", at_key=True)
            raise invalid(point, problem) from None
    return point


def _seeded(points: Iterable[Tree], study: Tree, frame: Frame) -> Iterator[Tree]:
    """Every point with every seed; a point that names its seed has only that one."""
    for point in points:
        if point.has(("seed",)):
            yield point
            continue
        for index, seed in enumerate(frame.seeds):
            origin = study.origin(("seeds", index))
            yield point.replace(("seed",), seed, origin.document, origin=origin.path, axis=origin.path)


def _candidate(tree: Tree) -> Candidate:
    try:
        return Candidate(tree, Point.model_validate_json(json.dumps(tree.value)))
    except ValidationError as error:
        return Candidate(tree, None, tuple(problems_of(error, Point, tree)))


def _excluded(candidates: list[Candidate], study: Tree, frame: Frame) -> list[Candidate]:
    """The candidates that no selection of `exclude` matches, defaults counted as if they were written."""
    complete = [_complete(candidate) for candidate in candidates] if frame.exclude else []
    dropped: set[int] = set()
    for position, selection in enumerate(frame.exclude):
        matched = {index for index, value in enumerate(complete) if _is_selected(value, selection)}
        if not matched and all(candidate.point for candidate in candidates):
            raise invalid(study, Problem(("exclude", position), "matches no point of the study; drop it or correct it"))
        dropped |= matched
    return [candidate for index, candidate in enumerate(candidates) if index not in dropped]


def _complete(candidate: Candidate) -> Any:
    return candidate.point.model_dump(mode="json") if candidate.point else candidate.tree.value


def _is_selected(value: Any, selection: Selection) -> bool:
    return all(matches(part, value_at(value, dotted(name), ...)) for name, part in selection.items())


def _distinct(candidates: Iterable[Candidate]) -> list[Candidate]:
    by_content: dict[str, Candidate] = {}
    for candidate in candidates:
        by_content.setdefault(json.dumps(_complete(candidate), sort_keys=True), candidate)
    return list(by_content.values())
