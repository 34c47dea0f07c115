"""The views for people: `runs`, `settings` and `final` follow from what the tables hold, the others are fixed."""

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

import duckdb

from linstudy.metrics import ACCURACY, DISTANCE_COSINE, DISTANCE_L2, LOSS, STEPS_TO_FIT
from linstudy.store.fields import Field, columns, distinct, fields, with_declared
from linstudy.store.quoting import identifier, literal
from linstudy.store.settings import settings_macro


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


def create_views(connection: duckdb.DuckDBPyConnection, *, fixed: bool = False) -> None:
    """Create the views and the macro that README documents in the connection's default database.

    Args:
        fixed: Whether its tables stay as they are: `runs` is a table then, so that the specs are read once and not by
            each view and question.
    """
    connection.execute(view_definitions(connection, fixed=fixed))


def view_definitions(connection: duckdb.DuckDBPyConnection, *, fixed: bool = False) -> str:
    """What `create_views` executes, of what the tables of the connection's default database hold."""
    spec_fields = _spec_fields(connection)
    emitted = connection.execute("SELECT DISTINCT name, label, split FROM metric ORDER BY ALL").fetchall()
    parts = (
        f"CREATE {'TABLE' if fixed else 'VIEW'} runs AS\n{runs_query(spec_fields)}",
        settings_macro(spec_fields),
        final_view([Emitted(*row) for row in emitted]),
        files("linstudy.store").joinpath("views.sql").read_text(encoding="utf-8"),
    )
    return ";\n".join(parts)


def create_runs_view(connection: duckdb.DuckDBPyConnection) -> None:
    """Create `runs` alone."""
    connection.execute(f"CREATE VIEW runs AS\n{runs_query(_spec_fields(connection))}")


def _spec_fields(connection: duckdb.DuckDBPyConnection) -> list[Field]:
    """The fields of the specs, which are columns of `runs`."""
    structures = connection.execute(
        "SELECT CAST(json_structure(spec) AS VARCHAR) FROM run GROUP BY 1 ORDER BY min(rowid)"
    ).fetchall()
    return with_declared(fields([json.loads(structure) for (structure,) in structures]))


def runs_query(spec_fields: Sequence[Field]) -> str:
    """The SQL of `runs`: one row a run, its spec's fields as columns, and its last attempt."""
    own = "".join(f"    {expression} AS {identifier(name)},\n" for name, expression in columns(spec_fields))
    return f"""WITH last AS (
    SELECT attempt.*, attempts
    FROM attempt JOIN (SELECT max(attempt_id) AS attempt_id, count(*) AS attempts FROM attempt GROUP BY run_id)
        USING (attempt_id)
)
SELECT
    run.run_id,
    run.setting_id,
    run.kind,
    coalesce(last.status, 'planned') AS status,
{own}    coalesce(last.attempts, 0) AS attempts,
    last.started,
    date_diff('microsecond', last.started, last.finished) / 1e6 AS seconds,
    last.host,
    last.device,
    last.fused_group,
    last.methods,
    last.notices,
    last.log,
    last.error,
    tagged.tags,
    coalesce(last.status = 'diverged', false) OR run.run_id IN (
        SELECT dependency.run_id FROM dependency JOIN last ON last.run_id = needs WHERE last.status = 'diverged'
    ) AS diverged
FROM run LEFT JOIN last ON last.run_id = run.run_id
LEFT JOIN (SELECT subject, list(text ORDER BY text) AS tags FROM note WHERE is_tag GROUP BY subject) AS tagged
    ON tagged.subject = run.run_id"""


def final_view(emitted: Sequence[Emitted]) -> str:
    """The SQL of `final`: one row a run, the last value of every metric as columns; NULL where a run has none."""
    wanted = dict.fromkeys((*_STANDING, *emitted))
    names = distinct([_final_name(one) for one in wanted], taken={"run_id", "status", "epoch"})
    values = "".join(
        f",\n    max(last.value) FILTER (WHERE {_is(one)}) AS {identifier(name)}"
        for one, name in zip(wanted, names, strict=True)
    )
    return f"""CREATE VIEW final AS
SELECT
    runs.run_id,
    runs.status,
    max(last.epoch) AS epoch{values}
FROM runs
LEFT JOIN (
    SELECT
        run_id, name, label, split,
        max(epoch) AS epoch,
        arg_max_null(value, ({_late("epoch")}, {_late("step")})) AS value
    FROM metric
    GROUP BY run_id, name, label, split
) AS last ON last.run_id = runs.run_id
GROUP BY runs.run_id, runs.status"""


def _final_name(one: Emitted) -> str:
    return (f"{one.split}_" if one.split else "") + one.name + (f"__{one.label}" if one.label else "")


def _is(one: Emitted) -> str:
    return " AND ".join(f"last.{key} = {literal(value)}" for key, value in one._asdict().items())


def _late(column: str) -> str:
    """A number that belongs to no epoch is emitted at the end of its run."""
    return f"coalesce({column}, {2**63 - 1})"
