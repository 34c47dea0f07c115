"""The views for people: `runs` and `final` follow from what the tables hold, the others are fixed."""

import json
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from typing import NamedTuple

import duckdb

from linstudy.metrics import ACCURACY, DISTANCE_COSINE, DISTANCE_L2, LOSS, STEPS_TO_FIT
from linstudy.store.declared import declared_fields
from linstudy.store.quoting import identifier, literal

Structure = dict[str, "Structure | list | str"]

_RESERVED = (
    *("run_id", "kind", "status", "attempts", "started", "seconds", "host", "device"),
    *("fused_group", "methods", "error"),
    *("name", "label", "split", "epoch", "step", "value", "j", "study", "variant", "position"),
)


class Field(NamedTuple):
    """A place in the runs' specs, and the JSON types found there."""

    path: tuple[str, ...]
    types: frozenset[str]


class Emitted(NamedTuple):
    """A kind of number that some run emitted."""

    name: str
    label: str
    split: str


# Recorded for every training, so `final` has these columns before the first number arrives.
_STANDING = (
    *(Emitted(metric.name, "", split) for metric in (LOSS, ACCURACY) for split in ("train", "test")),
    *(Emitted(metric.name, "", "") for metric in (DISTANCE_L2, DISTANCE_COSINE, STEPS_TO_FIT)),
)


def create_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Create `runs`, `final`, `curves`, `spectra` and `study_runs` in the connection's default database."""
    structures = connection.execute(
        "SELECT CAST(json_structure(spec) AS VARCHAR) FROM run GROUP BY 1 ORDER BY min(rowid)"
    ).fetchall()
    emitted = connection.execute("SELECT DISTINCT name, label, split FROM metric ORDER BY ALL").fetchall()
    found = fields([json.loads(structure) for (structure,) in structures])
    connection.execute(runs_view(with_declared(found)))
    connection.execute(final_view([Emitted(*row) for row in emitted]))
    connection.execute(files("linstudy.store").joinpath("views.sql").read_text(encoding="utf-8"))


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
    fields = [Field(path, declared_types | types.pop(path, frozenset())) for path, declared_types in declared.items()]
    return [*fields, *(Field(path, others) for path, others in types.items())]


def runs_view(spec_fields: Sequence[Field]) -> str:
    """The SQL of `runs`: one row a run, its spec's fields as columns, and its last attempt."""
    columns = "".join(f"    {expression} AS {identifier(name)},\n" for name, expression in _spec_columns(spec_fields))
    return f"""CREATE VIEW runs AS
SELECT
    run.run_id,
    run.kind,
    coalesce(attempt.status, 'planned') AS status,
{columns}    coalesce(tries.attempts, 0) AS attempts,
    attempt.started,
    date_diff('microsecond', attempt.started, attempt.finished) / 1e6 AS seconds,
    attempt.host,
    attempt.device,
    attempt.fused_group,
    attempt.methods,
    attempt.error
FROM run
LEFT JOIN (
    SELECT run_id, count(*) AS attempts, max(attempt_id) AS attempt_id FROM attempt GROUP BY run_id
) AS tries ON tries.run_id = run.run_id
LEFT JOIN attempt ON attempt.attempt_id = tries.attempt_id"""


def final_view(emitted: Sequence[Emitted]) -> str:
    """The SQL of `final`: one row a run, the last value of every metric as columns; NULL where a run has none."""
    wanted = dict.fromkeys((*_STANDING, *emitted))
    names = _distinct([_final_name(one) for one in wanted], taken={"run_id"})
    columns = ",\n    ".join(
        f"max(last.value) FILTER (WHERE {_is(one)}) AS {identifier(name)}"
        for one, name in zip(wanted, names, strict=True)
    )
    return f"""CREATE VIEW final AS
SELECT
    run.run_id,
    {columns}
FROM run
LEFT JOIN (
    SELECT run_id, name, label, split, arg_max(value, ({_late("epoch")}, {_late("step")})) AS value
    FROM metric
    GROUP BY run_id, name, label, split
) AS last ON last.run_id = run.run_id
GROUP BY run.run_id"""


def _spec_columns(spec_fields: Sequence[Field]) -> Iterator[tuple[str, str]]:
    """Name and SQL of a column for each field but the run's kind and its parts, such as `data` as a whole."""
    kept = [field for field in spec_fields if field.path != ("kind",) and not _is_part(field)]
    names = _distinct(["_".join(field.path) for field in kept], taken=set(_RESERVED))
    for field, name in zip(kept, names, strict=True):
        yield name, _extract(field)


def _is_part(field: Field) -> bool:
    return len(field.path) == 1 and field.types <= {"OBJECT", "NULL"}


def _extract(field: Field) -> str:
    """Strings as they are; lists, objects and mixed types as JSON text; NULL for an integer beyond 64 bits."""
    pointer = "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in field.path)
    text = f"json_extract_string(run.spec, {literal(pointer)})"
    type_ = _sql_type(field.types - {"NULL"})
    return text if type_ == "VARCHAR" else f"TRY_CAST({text} AS {type_})"


def _sql_type(types: frozenset[str]) -> str:
    if not types:
        return "VARCHAR"
    if types <= {"BIGINT", "UBIGINT"}:
        return "BIGINT"
    if types <= {"BIGINT", "UBIGINT", "HUGEINT", "DOUBLE"}:
        return "DOUBLE"
    return "BOOLEAN" if types == {"BOOLEAN"} else "VARCHAR"


def _json_type(value: "Structure | list | str") -> str:
    if isinstance(value, dict):
        return "OBJECT"
    return "ARRAY" if isinstance(value, list) else value


def _distinct(names: Sequence[str], taken: set[str]) -> list[str]:
    """The names, with `_` appended where another one differs from it at most in case."""
    chosen = []
    for name in names:
        while name.casefold() in taken:
            name += "_"
        taken.add(name.casefold())
        chosen.append(name)
    return chosen


def _final_name(one: Emitted) -> str:
    return (f"{one.split}_" if one.split else "") + one.name + (f"__{one.label}" if one.label else "")


def _is(one: Emitted) -> str:
    return " AND ".join(f"last.{key} = {literal(value)}" for key, value in one._asdict().items())


def _late(column: str) -> str:
    """A number that belongs to no epoch is emitted at the end of its run."""
    return f"coalesce({column}, {2**63 - 1})"
