"""The values that a command line puts in the place of a study's, and the name of what comes out."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from linstudy.spec.document import Document, TreePath, parse_argument
from linstudy.spec.errors import StudyError, capped
from linstudy.spec.expansion import assign
from linstudy.spec.scalars import plain_value
from linstudy.spec.study import PROFILE_KEYS
from linstudy.spec.tree import Tree, display, dotted
from linstudy.spec.vocabulary import nearest

_NAME_DEPTH = {"sweep": 1, "zip": 1, "include": 2, "exclude": 2}
"""How deep these keys hold dotted paths, each of them one name."""

_WORDS_ALONE = ("title",)
"""Keys that change no run."""

_LONGEST_VARIANT = 100
_LONGEST_SOURCE = 80
_ASSIGNMENT = re.compile(r" (?=[\w.]+=)")
"""Where a variant's name goes on with another `path=value`."""

_SIMPLE = re.compile(r"[\w./+-][\w./+:-]*")


@dataclass(frozen=True)
class Override:
    """A text `path=value` of the command line, read."""

    path: TreePath
    name: str
    document: Document

    @property
    def source(self) -> str:
        return self.document.source


def read_override(text: str) -> Override:
    """Read `path=value`.

    Raises:
        StudyError: If it has no path, one that cannot be set, or a value that is no YAML.
    """
    source = capped(f"--set {text}", _LONGEST_SOURCE)
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals or not name:
        raise StudyError(f"{source}: write path=value, as in --set train.epochs=10")
    path = _path(name)
    if path[0] not in PROFILE_KEYS:
        key = capped(str(path[0]), _LONGEST_SOURCE)
        raise StudyError(f'{source}: "{key}" is not a key that can be set. {nearest(key, PROFILE_KEYS)}')
    return Override(path, name, parse_argument(value, source))


def apply(override: Override, tree: Tree) -> Tree:
    """The tree with an override in it.

    Raises:
        StudyError: If an axis would take its place again, or its path leads nowhere.
    """
    path, document = override.path, override.document
    if axis := _axis_over(tree, path):
        example = document.text if axis[1] == override.name else "..."
        advice = f"Write --set {display(axis)}=[{example}]"
        raise StudyError(f"{override.source}: {axis[1]} varies in the study's {axis[0]}. {advice}")
    try:
        return assign(tree, path, document.tree, document, path, path)
    except LookupError:
        raise StudyError(f"{override.source}: there is no {override.name} in the study") from None


def name_variant(profile: str | None, overrides: Iterable[Override]) -> str:
    """What tells a study with a profile and overrides from the study as it stands; one name for what means the same."""
    standing: dict[TreePath, Override] = {}
    for override in overrides:
        covered = [path for path in standing if path[: len(override.path)] == override.path]
        for path in covered:
            del standing[path]
        standing[override.path] = override
    values = sorted(f"{one.name}={_written(one.document.tree)}" for one in standing.values() if _matters(one))
    name = " ".join([*([profile] if profile else []), *values])
    if len(name) <= _LONGEST_VARIANT:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST_VARIANT - 12]}... {digest}"


def variant_arguments(variant: str) -> list[str]:
    """The arguments of a command that makes a variant; `...` stands for what a long name has lost of its end."""
    name, cut, _ = variant.partition("... ")
    words = _ASSIGNMENT.split(name) if name else []
    kept = [*words[:-1], "..."] if cut else words
    profile = ["--profile", kept.pop(0)] if words and "=" not in words[0] else []
    return [*profile, *(part for word in kept for part in (("--set", word) if "=" in word else (word,)))]


def _matters(override: Override) -> bool:
    return override.path[0] not in _WORDS_ALONE


def _written(value: Any) -> str:
    """A value as YAML on one line, the same for what is equal."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_written(part)}' for key, part in sorted(value.items()))}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, str) and _SIMPLE.fullmatch(value) and plain_value(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def _path(name: str) -> TreePath:
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
