"""From a study file to its points: profile, overrides, expansion, validation."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from linstudy.spec.checks import Sizes, point_problems
from linstudy.spec.document import TreePath, parse_argument, read_document
from linstudy.spec.errors import StudyError
from linstudy.spec.expansion import Candidate, assign, expand
from linstudy.spec.problems import Problem, problems_of
from linstudy.spec.report import Invalid, invalid, invalid_runs, study_error
from linstudy.spec.study import PROFILE_KEYS, STUDY_KEYS, Frame, Point
from linstudy.spec.tree import Tree, display, dotted
from linstudy.spec.vocabulary import nearest

__all__ = ["Study", "StudyError", "load_study", "unknown_sizes"]

_NAME_DEPTH = {"sweep": 1, "zip": 1, "include": 2, "exclude": 2}
"""How deep these keys hold dotted paths, each of them one name."""


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
        StudyError: With every mistake of the keys and axes, or else every mistake of the points, in the file's order.
    """
    document = read_document(path)
    file = Tree(document.tree, document)
    frame = _frame_or_error(file)
    if profile is not None and profile not in frame.profiles:
        allowed = nearest(profile, frame.profiles) if frame.profiles else "The study has none"
        raise StudyError(f'{document.source}: there is no profile "{profile}". {allowed}')
    versions: dict[str | None, tuple[Frame, tuple[Point, ...]]] = {}
    errors: list[Invalid] = []
    for name in dict.fromkeys([profile, *frame.profiles]):
        try:
            versions[name] = _version(file, name, overrides if name == profile else (), sizes)
        except Invalid as error:
            errors.append(error)
    if errors:
        raise study_error(errors)
    chosen, points = versions[profile]
    variant = " ".join([*([profile] if profile else []), *overrides])
    return Study(chosen.study, chosen.title, variant, document.text, path.parent, points)


def _frame_or_error(tree: Tree) -> Frame:
    try:
        return _frame(tree)
    except Invalid as error:
        raise study_error([error]) from None


def _version(
    file: Tree, profile: str | None, overrides: Sequence[str], sizes: Sizes
) -> tuple[Frame, tuple[Point, ...]]:
    tree = file if profile is None else _with_profile(file, profile)
    for override in overrides:
        tree = _with_override(tree, override)
    frame = _frame(tree)
    candidates = expand(tree, frame)
    problems = [(_problems(candidate, sizes), candidate.tree) for candidate in candidates]
    if any(found for found, _ in problems):
        raise invalid_runs(problems, len(candidates), profile)
    return frame, tuple(candidate.point for candidate in candidates if candidate.point is not None)


def _problems(candidate: Candidate, sizes: Sizes) -> tuple[Problem, ...]:
    return candidate.problems if candidate.point is None else tuple(point_problems(candidate.point, sizes))


def _frame(tree: Tree) -> Frame:
    problems = [
        Problem((key,), f'"{key}" is not a key of a study. {nearest(key, STUDY_KEYS)}', at_key=True)
        for key in tree.value
        if key not in STUDY_KEYS
    ]
    own = tree.only(set(Frame.model_fields))
    try:
        frame = Frame.model_validate_json(json.dumps(own.value))
    except ValidationError as error:
        raise invalid(tree, *problems, *problems_of(error, Frame, own)) from None
    if problems:
        raise invalid(tree, *problems)
    return frame


def _with_profile(file: Tree, name: str) -> Tree:
    tree = file
    for key, value in file.get(("profiles", name)).items():
        origin = ("profiles", name, key)
        if key not in PROFILE_KEYS:
            message = f'"{key}" is not a key that a profile can replace. {nearest(key, PROFILE_KEYS)}'
            raise invalid(file, Problem(origin, message, at_key=True))
        tree = tree.replace((key,), value, file.document, origin=origin, axis=origin)
    return tree


def _with_override(tree: Tree, text: str) -> Tree:
    name, equals, value = text.partition("=")
    source = f"--set {text}"
    if not equals or not name:
        raise StudyError(f"{source}: write path=value, as in --set train.epochs=10")
    path = _override_path(name)
    if path[0] not in PROFILE_KEYS:
        raise StudyError(f'{source}: "{path[0]}" is not a key that can be set. {nearest(path[0], PROFILE_KEYS)}')
    if axis := _axis_over(tree, path):
        example = value if axis[1] == name else "..."
        raise StudyError(
            f"{source}: {axis[1]} varies in the study's {axis[0]}. Write --set {display(axis)}=[{example}]"
        )
    document = parse_argument(value, source)
    try:
        return assign(tree, path, document.tree, document, path, path)
    except LookupError:
        raise StudyError(f"{source}: there is no {name} in the study") from None


def _override_path(name: str) -> TreePath:
    parts = name.split(".")
    depth = _NAME_DEPTH.get(parts[0], len(parts))
    return (*dotted(".".join(parts[:depth])), *([".".join(parts[depth:])] if parts[depth:] else []))


def _axis_over(tree: Tree, path: TreePath) -> tuple[str, str] | None:
    """The axis whose values would take the place of what is set at a path."""
    for group in ("sweep", "zip"):
        axes = tree.get((group,))
        for axis in axes if isinstance(axes, dict) else ():
            if path[: len(dotted(axis))] == dotted(axis):
                return group, axis
    return None
