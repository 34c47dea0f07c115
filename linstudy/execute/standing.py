"""How the studies of a workspace stand, read from the published results."""

from collections.abc import Iterator

from linstudy.store.query import query
from linstudy.store.workspace import Workspace

_COUNTS = """
SELECT study, variant, status, count(*) FROM study_runs GROUP BY ALL ORDER BY ALL
"""
_FAILURES = """
SELECT DISTINCT ON (run_id) run_id, spec::VARCHAR, status, error, traceback
FROM attempt JOIN run USING (run_id) WHERE status IN ('failed', 'diverged', 'interrupted')
  AND attempt_id = (SELECT max(attempt_id) FROM attempt AS later WHERE later.run_id = attempt.run_id)
ORDER BY run_id
"""


def standing(workspace: Workspace) -> Iterator[str]:
    """A line for each study, with its runs by status, then what failed and why."""
    by_study: dict[tuple[str, str], list[str]] = {}
    for study, variant, status, count in query(workspace.results, _COUNTS).rows:
        by_study.setdefault((study, variant), []).append(f"{count} {status}")
    for (study, variant), counts in by_study.items():
        yield f"{study}{f' [{variant}]' if variant else ''}: {', '.join(counts)}"
    yield from (line for line, _ in _failed(workspace))


def failures(workspace: Workspace) -> Iterator[str]:
    """What failed, with tracebacks."""
    for line, traceback in _failed(workspace):
        yield line
        if traceback:
            yield traceback


def _failed(workspace: Workspace) -> Iterator[tuple[str, str | None]]:
    from pydantic import TypeAdapter

    from linstudy.plan import describe
    from linstudy.spec.run import RunSpec

    specs: TypeAdapter[RunSpec] = TypeAdapter(RunSpec)
    for run_id, spec, status, error, traceback in query(workspace.results, _FAILURES).rows:
        yield f"{status:<12}{run_id}  {describe(specs.validate_json(spec))}\n    {error}", traceback
