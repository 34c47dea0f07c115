"""Published runs, by the beginning of their id or by a condition."""

import re

from linstudy.spec.errors import LinstudyError
from linstudy.store.query import Ask, QueryError
from linstudy.store.quoting import literal

MOST_NAMED = 5
"""Runs that a message names, where several begin alike."""

_SOME_OF_AN_ID = re.compile(r"[0-9a-f]{1,16}")


def find_run(ask: Ask, start: str) -> str:
    """The id of the one published run whose id begins with some digits.

    Raises:
        LinstudyError: If none does, or several do.
    """
    return _find(ask, "run", "run_id", start)


def find_setting(ask: Ask, start: str) -> str:
    """As `find_run`, the id of a setting."""
    return _find(ask, "setting", "setting_id", start)


def may_be_an_id(text: str) -> bool:
    """Whether a text may be an id, or its beginning."""
    return _SOME_OF_AN_ID.fullmatch(text) is not None


def list_runs(ask: Ask, start: str, most: int) -> list[tuple[str, str]]:
    """The ids and kinds of the first runs whose id begins so, or of the first of all."""
    sql = f"SELECT run_id, kind FROM run WHERE starts_with(run_id, {literal(start)}) ORDER BY ALL LIMIT {most}"
    return [(run_id, kind) for run_id, kind in ask(sql).rows]


def find_runs(ask: Ask, condition: str | None) -> list[str]:
    """The ids of the published runs for which a condition over the columns of the view `runs` holds; without one, all.

    Raises:
        QueryError: If the condition is wrong.
        LinstudyError: If it holds for none.
    """
    try:
        found = matching_runs(ask, condition)
    except QueryError as error:
        raise QueryError(f"--only: {error}") from error
    if not found and condition is not None:
        [(count,)] = ask("SELECT count(*) FROM runs").rows
        raise LinstudyError(f"--only: the condition holds for none of the {count:,} runs of the workspace")
    return found


def matching_runs(ask: Ask, condition: str | None) -> list[str]:
    """As `find_runs`, with its errors as they are; none is no mistake.

    Raises:
        QueryError: If the condition is wrong.
    """
    return [run_id for (run_id,) in ask(f"SELECT run_id FROM runs WHERE (\n{condition or 'true'}\n) ORDER BY ALL").rows]


def _find(ask: Ask, what: str, column: str, start: str) -> str:
    if not _SOME_OF_AN_ID.fullmatch(start):
        raise LinstudyError(f'"{start}" is no beginning of a {what}\'s id, which is 16 of the digits 0 to 9 and a to f')
    sql = f"SELECT DISTINCT {column} FROM runs WHERE starts_with({column}, '{start}') ORDER BY ALL"
    found = [id_ for (id_,) in ask(sql).rows]
    if not found:
        raise LinstudyError(f'no {what} of the workspace begins with {start}. All: linstudy query "FROM {what}s"')
    if len(found) > 1:
        named = ", ".join(found[:MOST_NAMED]) + (", …" if len(found) > MOST_NAMED else "")
        raise LinstudyError(f"{len(found)} {what}s begin with {start}: {named}. Give more digits")
    return found[0]
