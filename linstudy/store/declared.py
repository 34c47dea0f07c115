"""The places that a run's spec can have, read off the spec classes."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from linstudy.spec.run import RunSpec

Path = tuple[str, ...]

_TYPES = {
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "string": "VARCHAR",
    "null": "NULL",
    "array": "ARRAY",
    "object": "OBJECT",
}


@cache
def declared_fields() -> dict[Path, frozenset[str]]:
    """Every place in the specs of all kinds, depth first, with the JSON types (in DuckDB's names) it can hold."""
    schema = TypeAdapter(RunSpec).json_schema()
    found: dict[Path, set[str]] = {}
    for path, type_ in _walk(schema, schema["$defs"], ()):
        found.setdefault(path, set()).add(type_)
    return {path: frozenset(types) for path, types in found.items() if path}


def _walk(node: dict[str, Any], definitions: dict[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    if "$ref" in node:
        node = definitions[node["$ref"].rpartition("/")[2]]
    for choice in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        yield from _walk(choice, definitions, path)
    if "type" in node:
        yield path, _TYPES[node["type"]]
    for value in node.get("enum", ()) if "type" not in node else ():
        yield path, _type_of(value)
    properties = node.get("properties", {})
    for name in sorted(properties, key=lambda name: name != "kind"):
        yield from _walk(properties[name], definitions, (*path, name))


def _type_of(value: Any) -> str:
    return "VARCHAR" if isinstance(value, str) else _TYPES["integer" if isinstance(value, int) else "object"]
