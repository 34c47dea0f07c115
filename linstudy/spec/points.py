"""From a study file to its points: profile, overrides, sweep, zip, include, exclude, seeds."""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from linstudy.spec.base import Spec
from linstudy.spec.checks import Sizes, point_problems
from linstudy.spec.document import Document, TreePath, parse_value, read_document
from linstudy.spec.errors import LinstudyError
from linstudy.spec.problems import Problem, nearest, problems_of, render
from linstudy.spec.study import POINT_KEYS, PROFILE_KEYS, STUDY_KEYS, Frame, Point
from linstudy.spec.tree import Tree, display, dotted, matches

SpecType = TypeVar("SpecType", bound=Spec)


class StudyError(LinstudyError):
    """A study file that does not say what it should; one line or two for each mistake."""


@dataclass(frozen=True)
class Study:
    """A validated study: its points in order, and what was said to get them.

    `variant` is empty for the file as it stands, else it names the profile and the overrides.
    """

    name: str
    title: str
    variant: str
    text: str
    folder: Path
    points: tuple[Point, ...]


def unknown_sizes(_: object) -> tuple[None, None]:
    """For where the sizes of data sets do not matter."""
    return None, None


def load_study(
    path: Path, *, profile: str | None = None, overrides: Sequence[str] = (), sizes: Sizes = unknown_sizes
) -> Study:
    """Read, expand and validate a study file.

    Every profile is validated, also those not asked for.

    Args:
        profile: Name of the profile to apply.
        overrides: Texts `path=value`, applied after the profile.
        sizes: See `point_problems`.

    Raises:
        StudyError: With every mistake, in the order of the file.
    """
    document = read_document(path)
    base = Tree(document.tree, document)
    _reject_unknown_keys(base, STUDY_KEYS)
    frame = _validated(Frame, base.without(*POINT_KEYS))
    if profile is not None and profile not in frame.profiles:
        raise StudyError(f'{document.source}: there is no profile "{profile}". {nearest(profile, frame.profiles)}')
    chosen = _with_profile(base, profile) if profile is not None else base
    for override in overrides:
        chosen = _with_override(chosen, override)
    points = tuple(_points(chosen, sizes))
    for other in frame.profiles:
        if other != profile:
            _points(_with_profile(base, other), sizes)
    variant = " ".join([*([profile] if profile else []), *overrides])
    return Study(frame.study, frame.title, variant, document.text, path.parent, points)


def _with_profile(base: Tree, name: str) -> Tree:
    keys = base.get(("profiles", name))
    for key, value in keys.items():
        origin = ("profiles", name, key)
        if key not in PROFILE_KEYS:
            problem = Problem(
                origin, f'"{key}" cannot be replaced by a profile. {nearest(key, PROFILE_KEYS)}', at_key=True
            )
            raise StudyError(render(problem, base))
        base = base.replace((key,), value, base.document, origin)
    return base


def _with_override(base: Tree, text: str) -> Tree:
    name, equals, value_text = text.partition("=")
    if not equals or not name:
        raise StudyError(f"--set {text}: write path=value, as in --set train.epochs=10")
    document = parse_value(value_text, f"--set {text}")
    document = Document(document.source, document.text, document.tree)  # a command line has no line numbers
    head, _, rest = name.partition(".")
    path = (head, rest) if head in ("sweep", "zip") and rest else dotted(name)
    for group in ("sweep", "zip"):
        if name in (base.get((group,)) or {}):
            raise StudyError(
                f"--set {text}: {name} varies in the study's {group}. Write --set {group}.{name}=[{value_text}]"
            )
    try:
        tree = base.replace(path, document.tree, document, ())
    except LookupError:
        raise StudyError(f"--set {text}: there is no {name} in the study") from None
    _reject_unknown_keys(tree, STUDY_KEYS)
    return tree


def _points(tree: Tree, sizes: Sizes) -> list[Point]:
    frame = _validated(Frame, tree.without(*POINT_KEYS))
    points = list(_expand(tree, frame))
    report = _Report(len(points))
    valid = [point for point in (_point(tree, report, sizes) for tree in points) if point is not None]
    report.raise_if_any()
    return valid


def _expand(tree: Tree, frame: Frame) -> Iterator[Tree]:
    point = tree.without(*(key for key in Frame.model_fields))
    trees = [_assigned(point, assignments) for assignments in _assignments(tree, frame)]
    seeded = [_with_seed(tree_, tree, index) for tree_ in trees for index in range(len(frame.seeds))]
    kept = _excluded(seeded, tree, frame)
    added = [
        _assigned(point, [(dotted(path), value, ("include", position, path)) for path, value in selection.items()])
        for position, selection in enumerate(frame.include)
    ]
    for extra in added:
        kept += (
            [extra] if "seed" in extra.value else [_with_seed(extra, tree, index) for index in range(len(frame.seeds))]
        )
    if not kept:
        raise StudyError(f"{tree.document.source}: no point is left: exclude drops every one")
    return iter(_distinct(kept))


Assignment = tuple[TreePath, Any, TreePath]


def _assignments(tree: Tree, frame: Frame) -> Iterator[list[Assignment]]:
    """Every combination of the sweep's values with the zip's columns, as values at paths with their origins."""
    lengths = {path: len(values) for path, values in frame.zip.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{path} has {length}" for path, length in lengths.items())
        raise StudyError(render(Problem(("zip",), f"its axes must have one length: {told}", at_key=True), tree))
    if double := sorted(set(frame.sweep) & set(frame.zip)):
        raise StudyError(render(Problem(("zip", double[0]), "is an axis of sweep too: keep one", at_key=True), tree))
    axes = [
        [[(dotted(path), value, ("sweep", path, i))] for i, value in enumerate(values)]
        for path, values in frame.sweep.items()
    ]
    columns = [
        [(dotted(path), values[i], ("zip", path, i)) for path, values in frame.zip.items()]
        for i in range(next(iter(lengths.values()), 0))
    ]
    for combination in itertools.product(*axes, *([columns] if columns else [])):
        yield sorted(itertools.chain.from_iterable(combination), key=lambda assignment: len(assignment[0]))


def _assigned(point: Tree, assignments: Iterable[Assignment]) -> Tree:
    for path, value, origin in assignments:
        document, origin = point.origin(origin)  # a profile or an override may have replaced the axis
        try:
            point = point.replace(path, value, document, origin)
        except LookupError as error:
            raise StudyError(_unreachable(point, path, origin, error.args[0])) from None
    return point


def _unreachable(point: Tree, path: TreePath, origin: TreePath, element: object) -> str:
    here = point.document.where(origin[:-1] if isinstance(origin[-1], int) else origin, key=True)
    return f"{here}  {display(origin)}: there is no {display(path)} in the study: nothing can be set at {element}"


def _with_seed(point: Tree, tree: Tree, index: int) -> Tree:
    if "seed" in point.value:
        return point
    document, origin = tree.origin(("seeds", index))
    return point.replace(("seed",), (tree.get(("seeds",)) or [0])[index], document, origin)


def _excluded(points: list[Tree], tree: Tree, frame: Frame) -> list[Tree]:
    for position, selection in enumerate(frame.exclude):
        kept = [
            point
            for point in points
            if not all(matches(value, point.get(dotted(path))) for path, value in selection.items())
        ]
        if len(kept) == len(points):
            problem = Problem(
                ("exclude", position), "matches no point of the study: drop it, or check its paths and values"
            )
            raise StudyError(render(problem, tree))
        points = kept
    return points


def _distinct(points: list[Tree]) -> Iterator[Tree]:
    seen = set()
    for point in points:
        content = json.dumps(point.value, sort_keys=True)
        if content not in seen:
            seen.add(content)
            yield point


class _Report:
    """Mistakes by place, and how many points each spoils."""

    def __init__(self, points: int):
        self.points = points
        self.counts: dict[tuple[str, str], int] = {}

    def add(self, problems: Iterable[Problem], tree: Tree) -> bool:
        by_place: dict[str, list[str]] = {}
        for problem in problems:
            place, _, message = render(problem, tree).partition(": ")
            by_place.setdefault(place, []).append(message)
        for place, messages in by_place.items():
            entry = (place, "; or ".join(dict.fromkeys(messages)))
            self.counts[entry] = self.counts.get(entry, 0) + 1
        return bool(by_place)

    def raise_if_any(self) -> None:
        if self.counts:
            entries = sorted(self.counts.items(), key=lambda entry: _line_number(entry[0][0]))
            raise StudyError(
                "\n".join(f"{place}: {message}{self._share(count)}" for (place, message), count in entries)
            )

    def _share(self, count: int) -> str:
        if self.points == 1:
            return ""
        return f"\n    {count} of the study's {self.points} runs come from this line"


def _line_number(place: str) -> tuple[int, ...]:
    return tuple(int(part) for part in place.split("  ")[0].split(":")[1:] if part.isdigit())


def _point(tree: Tree, report: _Report, sizes: Sizes) -> Point | None:
    try:
        point = Point.model_validate_json(json.dumps(tree.value))
    except ValidationError as error:
        report.add(problems_of(error, Point, tree), tree)
        return None
    return None if report.add(point_problems(point, sizes), tree) else point


def _validated(spec: Callable[..., SpecType] | type[SpecType], tree: Tree) -> SpecType:
    try:
        return spec.model_validate_json(json.dumps(tree.value))  # type: ignore[union-attr]
    except ValidationError as error:
        report = _Report(1)
        report.add(problems_of(error, spec, tree), tree)  # type: ignore[arg-type]
        report.raise_if_any()
        raise


def _reject_unknown_keys(tree: Tree, allowed: Sequence[str]) -> None:
    report = _Report(1)
    unknown = [key for key in tree.value if key not in allowed]
    report.add(
        (Problem((key,), f'"{key}" is not a key of a study. {nearest(key, allowed)}', at_key=True) for key in unknown),
        tree,
    )
    report.raise_if_any()
