"""Specs that an earlier linstudy stored, in today's form."""

import json
from typing import TYPE_CHECKING

from pydantic import ValidationError

from linstudy.spec.stored import read_spec

if TYPE_CHECKING:
    import duckdb

_FORMS = """
SELECT any_value(spec)::VARCHAR, list(run_id)
FROM run GROUP BY json_structure(spec)::VARCHAR, regexp_extract_all(spec::VARCHAR, '"kind": ?"\\w+"')
"""
"""One spec of each form. Two of one form have the same fields, and need the same ones."""


def renew_specs(connection: "duckdb.DuckDBPyConnection") -> None:
    """Write down the fields that specs have now and those of the default database's runs lack, at their defaults.

    Views compare the specs of runs as texts. Their ids stay: a field at its default is no part of them. Specs that this
    linstudy does not read stay as they are.
    """
    old = [runs for example, runs in connection.execute(_FORMS).fetchall() if _renewed(example) != example]
    if not old:
        return
    specs = connection.execute(
        "SELECT run_id, spec::VARCHAR FROM run WHERE list_contains(flatten(?), run_id)", [old]
    ).fetchall()
    renewed = [[run, text] for run, spec in specs if (text := _renewed(spec)) not in (None, spec)]
    if renewed:
        connection.execute("BEGIN")
        connection.executemany("UPDATE run SET spec = ?2 WHERE run_id = ?1", renewed)
        connection.execute("COMMIT")


def _renewed(spec: str) -> str | None:
    try:
        return json.dumps(read_spec(spec).model_dump(mode="json"))
    except ValidationError:
        return None
