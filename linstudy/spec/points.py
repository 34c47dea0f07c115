"""From a study file to its points: profile, overrides, expansion, validation."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

from linstudy.spec import limits
from linstudy.spec.base import Spec
from linstudy.spec.catalogue import StudyFile
from linstudy.spec.checks import Sizes, point_problems
from linstudy.spec.count import count_points, size_problems
from linstudy.spec.document import TreePath, read_document
from linstudy.spec.errors import StudyError
from linstudy.spec.expansion import Candidate, expand
from linstudy.spec.overrides import Override, apply, name_variant, read_override
from linstudy.spec.parts import Reader
from linstudy.spec.problems import Problem, shown
from linstudy.spec.report import Invalid, invalid, invalid_runs, study_error
from linstudy.spec.study import PROFILE_KEYS, STUDY_KEYS, Frame, Point
from linstudy.spec.tree import Tree
from linstudy.spec.vocabulary import nearest

__all__ = ["Study", "StudyError", "load_study", "unknown_sizes"]

Outside = Callable[[str, Spec], Iterable[tuple[str, str]]]
"""The fields of a part of a point (data, model or task) that name what is not there, each with a message."""


@dataclass(frozen=True)
class Study:
    """A validated study: its points in order, and what was said to get them.

    `variant` is empty for the file as it stands, else it names the profile and the overrides.

    Attributes:
        trees: What is written of each point, with its places.
    """

    name: str
    title: str
    variant: str
    text: str
    file: StudyFile
    points: tuple[Point, ...]
    trees: tuple[Tree, ...]

    @property
    def folder(self) -> Path:
        """Where what it names lies."""
        return self.file.folder


@dataclass(frozen=True)
class _Version:
    """The study with a profile, or without any."""

    profile: str | None
    tree: Tree
    frame: Frame


def unknown_sizes(_: object) -> tuple[None, None]:
    """For where the sizes of data sets do not matter."""
    return None, None


def nothing_outside(part: str, spec: Spec) -> Iterable[tuple[str, str]]:
    """For where it does not matter what a study names outside of itself."""
    return ()


def load_study(
    path: Path | StudyFile,
    *,
    profile: str | None = None,
    overrides: Sequence[str] = (),
    sizes: Sizes = unknown_sizes,
    outside: Outside = nothing_outside,
) -> Study:
    """Read, expand and validate a study file.

    Every profile is validated, also those not asked for; only what is asked for is looked at outside.

    Args:
        path: Of the file; see `find_study` for names.
        profile: Name of the profile to apply.
        overrides: Texts `path=value`, applied after the profile.
        sizes: See `point_problems`.
        outside: Asked of every part of a point; what it tells is a mistake of the study like any other.

    Raises:
        StudyError: With every mistake of the keys and axes, or else every mistake of the points, in the file's order.
    """
    file = StudyFile(path) if isinstance(path, Path) else path
    document = read_document(file.path)
    asked = None if profile is None else unicodedata.normalize("NFC", profile)
    changes = [read_override(text) for text in overrides]
    versions = _versions(Tree(document.tree, document), asked, changes)
    reader = Reader(Point)
    points = {
        name: partial(_points, version, reader, sizes, outside if name == asked else nothing_outside)
        for name, version in versions.items()
    }
    found, trees = _each(points)[asked]
    chosen = versions[asked].frame
    return Study(chosen.study, chosen.title, name_variant(asked, changes), document.text, file, found, trees)


def _versions(file: Tree, asked: str | None, changes: Sequence[Override]) -> dict[str | None, _Version]:
    """The version that is asked for, with its changes, then the other profiles."""
    reader = Reader(Frame)
    frame = _each({None: partial(_file_frame, file, reader)})[None]
    if asked is not None and asked not in frame.profiles:
        allowed = nearest(asked, frame.profiles) if frame.profiles else "The study has none"
        raise StudyError(f'{file.document.source}: there is no profile "{asked}". {allowed}')
    names = dict.fromkeys([asked, *frame.profiles])
    versions = _each({name: partial(_version, file, name, changes if name == asked else (), reader) for name in names})
    total = sum(count_points(version.frame) for version in versions.values())
    if total > limits.ALL_POINTS:
        message = f"make {total:,} points with the study's own. Allowed: {limits.ALL_POINTS:,}"
        raise study_error([invalid(file, Problem(("profiles",), message, at_key=True))])
    return versions


def _each(makers: Mapping[str | None, Callable[[], Any]]) -> dict[str | None, Any]:
    """What each maker gives; the mistakes of all of them at once if any has one."""
    made: dict[str | None, Any] = {}
    errors: list[Invalid] = []
    for name, make in makers.items():
        try:
            made[name] = make()
        except Invalid as error:
            errors.append(error)
    if errors:
        raise study_error(errors)
    return made


def _version(file: Tree, profile: str | None, changes: Sequence[Override], reader: Reader[Frame]) -> _Version:
    tree = file if profile is None else _with_profile(file, profile)
    for change in changes:
        tree = apply(change, tree)
        if problems := list(_infinite_numbers(change.document.tree, change.path)):
            raise invalid(tree, *problems)
    return _Version(profile, tree, _frame(tree, reader))


def _with_profile(file: Tree, name: str) -> Tree:
    tree = file
    for key, value in file.get(("profiles", name)).items():
        origin = ("profiles", name, key)
        if key not in PROFILE_KEYS:
            message = f'"{key}" is not a key that a profile can replace. {nearest(key, PROFILE_KEYS)}'
            raise invalid(file, Problem(origin, message, at_key=True))
        tree = tree.replace((key,), value, file.document, origin=origin, axis=origin)
    return tree


def _file_frame(file: Tree, reader: Reader[Frame]) -> Frame:
    """The frame of the file as it stands, whose every number is looked at, those of the profiles too."""
    if problems := list(_infinite_numbers(file.value, ())):
        raise invalid(file, *problems)
    return _frame(file, reader)


def _frame(tree: Tree, reader: Reader[Frame]) -> Frame:
    own = tree.only(set(Frame.model_fields))
    reading = reader.read(own.value)
    problems = [*_unknown_keys(tree), *reading.problems]
    if problems or reading.spec is None:
        raise invalid(tree, *problems)
    if large := [*_repeated_seeds(reading.spec), *size_problems(tree, reading.spec)]:
        raise invalid(tree, *large)
    return reading.spec


def _unknown_keys(tree: Tree) -> Iterator[Problem]:
    for key in tree.value:
        if key not in STUDY_KEYS:
            yield Problem((key,), f'"{key}" is not a key of a study. {nearest(key, STUDY_KEYS)}', at_key=True)


def _infinite_numbers(value: Any, path: TreePath) -> Iterator[Problem]:
    """The numbers, at a path or within what is there, that are no numbers: no field takes them."""
    if isinstance(value, float) and not isfinite(value):
        yield Problem(path, f"expected a finite number, found {shown(value)}")
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in entries:
        yield from _infinite_numbers(part, (*path, key))


def _repeated_seeds(frame: Frame) -> Iterator[Problem]:
    seen: set[int] = set()
    for index, seed in enumerate(frame.seeds):
        if seed in seen:
            yield Problem(("seeds", index), f"{seed} is written twice; keep one of them")
        seen.add(seed)


def _points(
    version: _Version, reader: Reader[Point], sizes: Sizes, outside: Outside
) -> tuple[tuple[Point, ...], tuple[Tree, ...]]:
    """The points, and what is written of each."""
    candidates = expand(version.tree, version.frame, reader)
    check = _Check(sizes, outside)
    problems = [(check(candidate), candidate.tree) for candidate in candidates]
    if any(found for found, _ in problems):
        raise invalid_runs(problems, len(candidates), version.profile)
    points = tuple(candidate.reading.spec for candidate in candidates if candidate.reading.spec is not None)
    trees = tuple(candidate.tree for candidate in candidates)
    runs = sum(1 + len(point.probes) for point in points)
    if runs > limits.RUNS:
        message = f"with every point's probes, {runs:,} trainings and probes. Allowed: {limits.RUNS:,}"
        raise invalid(version.tree, Problem(("probes",), message, at_key=True))
    return points, trees


class _Check:
    """The problems of points, looked for once for all that differ in their seed alone."""

    def __init__(self, sizes: Sizes, outside: Outside):
        self._sizes, self._outside = sizes, outside
        self._by_setting: dict[frozenset[tuple[str, str]], tuple[Problem, ...]] = {}

    def __call__(self, candidate: Candidate) -> tuple[Problem, ...]:
        reading = candidate.reading
        if reading.spec is None:
            return reading.problems
        setting = frozenset((name, part.text) for name, part in reading.parts.items() if name != "seed")
        if setting not in self._by_setting:
            self._by_setting[setting] = (*point_problems(reading.spec, self._sizes), *self._lost(reading.spec))
        return self._by_setting[setting]

    def _lost(self, point: Point) -> Iterator[Problem]:
        for part in ("data", "model", "task"):
            for field, message in self._outside(part, getattr(point, part)):
                yield Problem((part, field), message)
