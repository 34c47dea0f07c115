"""YAML as data, with the place of every value."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

from linstudy.spec.errors import LinstudyError

Position = tuple[int, int]
TreePath = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """A parsed YAML text.

    `keys` and `values` give line and column, from 1, of the key and of the value at a path.
    """

    source: str
    text: str
    tree: Any
    keys: dict[TreePath, Position] = field(default_factory=dict)
    values: dict[TreePath, Position] = field(default_factory=dict)

    def where(self, path: TreePath, *, key: bool = False) -> str:
        """`file:line:column` of a path, or of its nearest parent; the source alone for a text without lines."""
        places = self.keys if key else self.values
        for length in range(len(path), 0, -1):
            if position := places.get(path[:length]) or self.values.get(path[:length]):
                return f"{self.source}:{position[0]}:{position[1]}"
        return self.source


def read_document(path: Path) -> Document:
    """Parse a YAML file.

    Raises:
        LinstudyError: If the file cannot be read, is not YAML, repeats a key, or is not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LinstudyError(f"{path}: there is no such file.{_neighbours(path)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LinstudyError(f"{path}: cannot be read as text: {error}") from None
    return parse_document(text, str(path))


def parse_document(text: str, source: str) -> Document:
    """Parse a YAML text that must be a mapping; see `read_document`."""
    document = parse_value(text, source)
    if not isinstance(document.tree, dict):
        raise LinstudyError(
            f"{source}: a study is a mapping of keys such as `study:` and `data:`, found {_kind(document.tree)}."
        )
    return document


def parse_value(text: str, source: str) -> Document:
    """Parse any YAML value."""
    try:
        commented = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        raise LinstudyError(f"{place}  not valid YAML: {error.problem or error.context}") from None
    except Exception as error:  # ruamel.yaml reports some malformed texts with plain ValueErrors
        raise LinstudyError(f"{source}: not valid YAML: {error}") from None
    document = Document(source, text, _plain(commented))
    _record_positions(commented, (), document)
    return document


def _plain(node: Any) -> Any:
    if isinstance(node, CommentedMap):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [_plain(value) for value in node]
    if isinstance(node, bool) or node is None:
        return node
    for scalar in (int, float, str):
        if isinstance(node, scalar):
            return scalar(node)
    return str(node)  # dates and tagged values: text is what a study can hold


def _record_positions(node: Any, path: TreePath, document: Document) -> None:
    if isinstance(node, CommentedMap):
        for key, value in node.items():
            if key in node.lc.data:  # a merged key (`<<`) has no place of its own
                line, column, value_line, value_column = node.lc.data[key]
                document.keys[(*path, str(key))] = (line + 1, column + 1)
                document.values[(*path, str(key))] = (value_line + 1, value_column + 1)
            _record_positions(value, (*path, str(key)), document)
    elif isinstance(node, CommentedSeq):
        for index, value in enumerate(node):
            if index in node.lc.data:
                line, column = node.lc.data[index][:2]
                document.values[(*path, index)] = (line + 1, column + 1)
            _record_positions(value, (*path, index), document)


def _neighbours(path: Path) -> str:
    folder = path.parent if path.parent.is_dir() else Path("studies")
    found = sorted(str(file) for file in folder.glob("*.y*ml"))
    return f" Studies there: {', '.join(found)}" if found else ""


def _kind(tree: Any) -> str:
    return "nothing" if tree is None else f"a {type(tree).__name__}"
