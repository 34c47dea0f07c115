"""How the studies of a workspace stand, read from the published results."""

import json
from collections.abc import Iterator
from typing import NamedTuple

from linstudy.describe.plan import ABANDONED
from linstudy.store.notes import read_notes
from linstudy.store.query import Ask, open_published
from linstudy.store.rows import study_name
from linstudy.store.workspace import Workspace
from linstudy.text.excerpt import excerpt

_COUNTS = """
SELECT study, variant, status, count(*) FROM study_runs GROUP BY ALL ORDER BY ALL
"""
_FAILURES = """
SELECT run_id, spec::VARCHAR, status, error, traceback, log, run_id IN (SELECT run_id FROM study_run)
FROM attempt JOIN run USING (run_id) WHERE status IN ('failed', 'diverged', 'interrupted')
  AND attempt_id = (SELECT max(attempt_id) FROM attempt AS later WHERE later.run_id = attempt.run_id)
ORDER BY run_id
"""
_NOTICES = """
SELECT unnest(notices) AS notice, count(DISTINCT run_id), min(run_id) FROM study_runs WHERE status = 'done'
GROUP BY notice ORDER BY ALL
"""


class Failure(NamedTuple):
    """The last attempt of a run, which is not done; `in_study` unless no study has the run any more."""

    run_id: str
    spec: str
    status: str
    error: str | None
    traceback: str | None
    log: str | None
    in_study: bool


def describe_studies(workspace: Workspace) -> Iterator[str]:
    """A line for each study, with its runs by status, then what failed and why."""
    with open_published(workspace.results) as ask:
        yield from _describe_counts(ask, workspace)
        yield from _in_sections(ask, workspace, with_traceback=False)
        yield from _describe_notices(ask)


def describe_failures(workspace: Workspace) -> Iterator[str]:
    """What failed, with tracebacks; that nothing did, where it is so."""
    with open_published(workspace.results) as ask:
        lines = list(_in_sections(ask, workspace, with_traceback=True))
    yield from lines or ["nothing failed"]


def _describe_counts(ask: Ask, workspace: Workspace) -> Iterator[str]:
    by_study: dict[tuple[str, str], list[str]] = {}
    counts = ask(_COUNTS).rows
    for study, variant, status, count in counts:
        by_study.setdefault((study, variant), []).append(f"{count} {status}")
    for (study, variant), statuses in by_study.items():
        yield f"{study_name(study, variant)}: {', '.join(statuses)}"
    for note in read_notes(ask, {study for study, _ in by_study}):
        yield f"{note.kind:<12}{note.subject}: {note.text}"
    if any(status == "running" for _, _, status, _ in counts) and workspace.holder() is None:
        yield ABANDONED


def _describe_notices(ask: Ask) -> Iterator[str]:
    for notice, count, run_id in ask(_NOTICES).rows:
        others = f" and {count - 1} more" if count > 1 else ""
        yield f"{'warning':<12}{run_id}{others}\n    {notice}"


def _in_sections(ask: Ask, workspace: Workspace, with_traceback: bool) -> Iterator[str]:
    """Those of the studies first, then those that only history has."""
    found = [Failure(*row) for row in ask(_FAILURES).rows]
    if with_traceback:
        found = [failure for failure in found if failure.status != "interrupted"]  # by somebody, not by a mistake
    yield from (_line(failure, workspace, with_traceback) for failure in found if failure.in_study)
    if past := [failure for failure in found if not failure.in_study]:
        yield "of runs that no study has any more (`linstudy clean` takes them out):"
        yield from (_line(failure, workspace, with_traceback) for failure in past)


def _line(failure: Failure, workspace: Workspace, with_traceback: bool) -> str:
    lines = [f"{failure.status:<12}{failure.run_id}  {_description(failure.spec)}"]
    if failure.error:
        lines.append(f"    {excerpt(failure.error, f'linstudy query {_question(failure.run_id)}')}")
    if failure.log and (log := workspace.root / failure.log).is_file():
        lines.append(f"    what it printed: {log}")
    if failure.traceback and with_traceback:
        lines.append(failure.traceback)
    return "\n".join(lines)


def _description(spec: str) -> str:
    from linstudy.plan import describe_fields
    from linstudy.spec.stored import without_defaults

    return describe_fields(without_defaults(json.loads(spec)))


def _question(run_id: str) -> str:
    return f"\"SELECT error FROM attempt WHERE run_id = '{run_id}'\""
