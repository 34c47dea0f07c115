"""What Python code does, apart from how it is written."""

import ast
import hashlib
import json
from typing import Any


def parse(content: bytes) -> ast.Module | None:
    """The syntax tree of a file, None if it is not Python."""
    try:
        return ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def syntax_hash(content: bytes) -> str | None:
    """SHA-256 of the syntax tree of a file, None if it is not Python.

    Comments, docstrings, blank lines and formatting do not matter. The same in every version of Python that reads the
    file alike.
    """
    tree = parse(content)
    try:
        return None if tree is None else hashlib.sha256(json.dumps(_structure(tree)).encode()).hexdigest()
    except RecursionError:
        return None


def _structure(value: Any) -> Any:
    """A tree as lists and texts. Fields that are empty are left out, since later versions of Python add such."""
    match value:
        case ast.Constant():
            return ["Constant", repr(value.value)]
        case ast.AST():
            fields = [(name, _without_docstring(value, name, entry)) for name, entry in ast.iter_fields(value)]
            return [type(value).__name__, [[name, _structure(entry)] for name, entry in fields if not _is_empty(entry)]]
        case list():
            return [_structure(entry) for entry in value]
    return repr(value)


def _is_empty(value: Any) -> bool:
    return value is None or value == []


def _without_docstring(node: ast.AST, name: str, value: Any) -> Any:
    is_documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    if not (is_documented and name == "body"):
        return value
    match value:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest
    return value
