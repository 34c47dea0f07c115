"""Specs as they were stored, perhaps by another linstudy."""

from functools import cache
from typing import Any

from pydantic import TypeAdapter

from linstudy.spec.run import RunSpec

Node = dict[str, Any]
"""A piece of a JSON Schema."""


_SPEC: TypeAdapter[RunSpec] = TypeAdapter(RunSpec)


def read_spec(text: str) -> RunSpec:
    """The spec of a run from its JSON.

    Raises:
        pydantic.ValidationError: If a linstudy stored it whose specs this one does not read.
    """
    return _SPEC.validate_json(text, strict=False)


def without_defaults(content: dict[str, Any]) -> dict[str, Any]:
    """The fields of a stored spec, whatever they are, that are not at today's default; those that no spec has any more
    stay.
    """
    return _without_defaults(content, _schema())


def _without_defaults(content: dict[str, Any], node: Node) -> dict[str, Any]:
    declared = _declaration(node, content).get("properties", {})
    return {
        name: _without_defaults(value, declared.get(name, {})) if isinstance(value, dict) else value
        for name, value in content.items()
        if not ("default" in declared.get(name, {}) and declared[name]["default"] == value)
    }


def _declaration(node: Node, content: dict[str, Any]) -> Node:
    """The object that describes the content: of a union the member of its kind; an empty one if none does."""
    if "$ref" in node:
        return _schema()["$defs"][node["$ref"].rpartition("/")[2]]
    if "discriminator" in node:
        address = node["discriminator"]["mapping"].get(content.get("kind"))
        return _declaration({"$ref": address}, content) if address else {}
    members = [_declaration(member, content) for member in node.get("anyOf", ())]
    return next((member for member in members if "properties" in member), node)


@cache
def _schema() -> Node:
    return TypeAdapter(RunSpec).json_schema()
