"""The places of the runs' specs, and the columns that they are in `runs` and `settings`."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from linstudy.store.declared import declared_fields
from linstudy.store.quoting import literal

Structure = dict[str, "Structure | list | str"]

_RESERVED = (
    *("run_id", "setting_id", "kind", "status", "attempts", "started", "seconds", "host", "device"),
    *("fused_group", "methods", "notices", "log", "error", "diverged", "network", "target", "seeds", "runs", "done"),
    *("name", "label", "split", "epoch", "step", "value", "j", "study", "variant", "position"),
)


class Field(NamedTuple):
    """A place in the runs' specs, and the JSON types found there."""

    path: tuple[str, ...]
    types: frozenset[str]

    @property
    def pointer(self) -> str:
        """Where it is, as a JSON pointer in SQL."""
        return literal("".join("/" + key.replace("~", "~0").replace("/", "~1") for key in self.path))

    @property
    def is_part(self) -> bool:
        """Whether it is nothing but its own fields."""
        return "OBJECT" in self.types and self.types <= {"OBJECT", "NULL"}


def fields(structures: Sequence[Structure], path: tuple[str, ...] = ()) -> Iterator[Field]:
    """Every place in the specs, depth first, in order of first appearance.

    Args:
        structures: Documents with the name of a JSON type in place of each value, as DuckDB's `json_structure` gives.
    """
    for name in dict.fromkeys(name for structure in structures for name in structure):
        found = [structure[name] for structure in structures if name in structure]
        yield Field((*path, name), frozenset(map(_json_type, found)))
        yield from fields([value for value in found if isinstance(value, dict)], (*path, name))


def with_declared(found: Iterable[Field]) -> list[Field]:
    """The fields of every kind of spec, found or not, so that a query never depends on what has been run yet.

    Fields found beside them, such as the arguments of a user's own model, follow.
    """
    types = {field.path: field.types for field in found}
    declared = declared_fields()
    known = [Field(path, declared_types | types.pop(path, frozenset())) for path, declared_types in declared.items()]
    return [*known, *(Field(path, others) for path, others in types.items())]


def columns(spec_fields: Sequence[Field]) -> Iterator[tuple[str, str]]:
    """Name and SQL of a column for each field but the run's kind and its parts, such as `data` as a whole."""
    kept = [field for field in spec_fields if field.path != ("kind",) and not (len(field.path) == 1 and field.is_part)]
    names = distinct(["_".join(field.path) for field in kept], taken=set(_RESERVED))
    for field, name in zip(kept, names, strict=True):
        yield name, _extract(field)


def _extract(field: Field) -> str:
    """Strings as they are; lists and objects as JSON; mixed types as text; NULL for an integer beyond 64 bits."""
    type_ = _sql_type(field.types - {"NULL"})
    if type_ == "JSON":
        return f"nullif(json_extract(spec, {field.pointer}), 'null')"
    text = f"json_extract_string(spec, {field.pointer})"
    return text if type_ == "VARCHAR" else f"TRY_CAST({text} AS {type_})"


def _sql_type(types: frozenset[str]) -> str:
    if not types:
        return "VARCHAR"
    if types <= {"BIGINT", "UBIGINT"}:
        return "BIGINT"
    if types <= {"BIGINT", "UBIGINT", "HUGEINT", "DOUBLE"}:
        return "DOUBLE"
    if types <= {"ARRAY", "OBJECT"}:
        return "JSON"
    return "BOOLEAN" if types == {"BOOLEAN"} else "VARCHAR"


def _json_type(value: "Structure | list | str") -> str:
    if isinstance(value, dict):
        return "OBJECT"
    return "ARRAY" if isinstance(value, list) else value


def distinct(names: Sequence[str], taken: set[str]) -> list[str]:
    """The names, with `_` appended where another one differs from it at most in case."""
    chosen = []
    for name in names:
        while name.casefold() in taken:
            name += "_"
        taken.add(name.casefold())
        chosen.append(name)
    return chosen
