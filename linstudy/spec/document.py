"""YAML as data, with the place of every value."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean

from linstudy.spec.errors import StudyError

Position = tuple[int, int]
TreePath = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """A parsed YAML text.

    `keys` and `values` give line and column, from 1, of the key and of the value at a path. Both are empty for a text
    from the command line.
    """

    source: str
    text: str
    tree: Any
    keys: dict[TreePath, Position] = field(default_factory=dict)
    values: dict[TreePath, Position] = field(default_factory=dict)

    def position(self, path: TreePath, *, key: bool = False) -> Position | None:
        """Where the value at a path is, or its key, or else the nearest thing around it that has a place."""
        for length in range(len(path), 0, -1):
            places = (self.keys, self.values) if key else (self.values, self.keys)
            for positions in places:
                if path[:length] in positions:
                    return positions[path[:length]]
        return None


def read_document(path: Path) -> Document:
    """Parse a YAML file that must hold a mapping.

    Raises:
        StudyError: If the file cannot be read, is not YAML, repeats a key, or is not a mapping.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise StudyError(f"{path}: there is no such file.{_neighbours(path)}") from None
    except IsADirectoryError:
        raise StudyError(f"{path}: is a folder; name one of its files.{_neighbours(path / 'study')}") from None
    except OSError as error:
        raise StudyError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise StudyError(f"{path}: is not UTF-8 text (byte {error.start + 1}); save it as UTF-8") from None
    return parse_document(text, str(path))


def parse_document(text: str, source: str) -> Document:
    """Parse a YAML text that must be a mapping; see `read_document`."""
    commented = _parse(text, source)
    if not isinstance(commented, CommentedMap):
        found = "an empty file" if commented is None else _kind(commented)
        raise StudyError(f"{source}: found {found}; a study is a mapping of keys, such as study: and data:")
    document = Document(source, text, _plain(commented))
    _record_positions(commented, (), document)
    return document


def parse_argument(text: str, source: str) -> Document:
    """Parse any YAML value from the command line, which has no lines."""
    return Document(source, text, _plain(_parse(text, source, lines=False)))


def _parse(text: str, source: str, *, lines: bool = True) -> Any:
    try:
        return YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{source}:{mark.line + 1}:{mark.column + 1} " if mark and lines else f"{source}:"
        raise StudyError(f"{place} not valid YAML: {_said(error)}") from None
    except (YAMLError, ValueError) as error:  # ruamel.yaml reports some malformed scalars as plain ValueErrors
        raise StudyError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from None


def _said(error: MarkedYAMLError) -> str:
    problem = error.problem or error.context or ""
    if isinstance(error, DuplicateKeyError):
        key = problem.split('"')[1]
        return f'"{key}" is written twice; keep one of them'
    return problem.removeprefix("but ")


def _plain(node: Any) -> Any:
    if isinstance(node, CommentedMap):
        return {_key(key): _plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [_plain(value) for value in node]
    if isinstance(node, bool | ScalarBoolean):
        return bool(node)
    for scalar in (int, float, str):
        if isinstance(node, scalar):
            return scalar(node)
    return None if node is None else str(node)  # dates and tagged values: text is what a study can hold


def _key(key: Any) -> str:
    return "null" if key is None else str(key).lower() if isinstance(key, bool) else str(key)


def _record_positions(node: Any, path: TreePath, document: Document) -> None:
    if isinstance(node, CommentedMap):
        places = node.lc.data or {}  # a merged key (`<<`) has no place of its own
        for key, value in node.items():
            here = (*path, _key(key))
            if key in places:
                line, column, value_line, value_column = places[key]
                document.keys[here] = (line + 1, column + 1)
                if value is not None:  # an empty value's place is that of whatever comes next
                    document.values[here] = (value_line + 1, value_column + 1)
            _record_positions(value, here, document)
    elif isinstance(node, CommentedSeq):
        places = node.lc.data or {}  # nor have the entries of a list with a tag
        for index, value in enumerate(node):
            if index in places:
                line, column = places[index][:2]
                document.values[(*path, index)] = (line + 1, column + 1)
            _record_positions(value, (*path, index), document)


def _neighbours(path: Path) -> str:
    folder = path.parent if path.parent.is_dir() else Path("studies")
    found = sorted(str(file) for file in folder.glob("*.y*ml"))
    return f" Studies there: {', '.join(found)}" if found else ""


def _kind(node: Any) -> str:
    return "a list" if isinstance(node, CommentedSeq) else "a single value"
