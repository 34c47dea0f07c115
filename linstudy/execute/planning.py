"""From a study file to its plan, and the plan in lines."""

import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from linstudy.data.kinds import sizes
from linstudy.execute.schedule import is_complete
from linstudy.execute.sources import sources
from linstudy.plan import Plan, Run, describe, make_plan
from linstudy.spec.points import Study, load_study
from linstudy.spec.run import RunSpec, TrainingRun
from linstudy.spec.train import in_function_space
from linstudy.store.workspace import Workspace

ABANDONED = "running: their process is gone. The next `linstudy run` goes on from their last stored state"
"""Said of runs that count as running in a workspace where no process is at work."""


def planned(path: Path, profile: str | None, overrides: Sequence[str], data_folder: Path | None) -> tuple[Study, Plan]:
    """Load a study and plan its runs. A user's own model is looked for beside the study file and here."""
    for folder in (Path.cwd(), path.parent.resolve()):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    study = load_study(path, profile=profile, overrides=overrides, sizes=sizes)
    return study, make_plan(study.points, sources(data_folder))


def told(plan: Plan, workspace: Workspace) -> Iterator[str]:
    """One line a run: status, id, what it is, what it needs; then the counts."""
    statuses, stored = _published(workspace)
    states = {run_id: _state(run, statuses.get(run_id), stored.get(run_id, ())) for run_id, run in plan.runs.items()}
    for run_id, run in plan.runs.items():
        needs = ", ".join(f"{need.role} {need.run_id}" for need in run.needs)
        what = f"{describe(run.spec)}{_trained(run.spec)}"
        yield f"{states[run_id]:<12}{run_id}  {what}{f'  <- {needs}' if needs else ''}"
    counts = ", ".join(f"{count} {state}" for state, count in Counter(states.values()).items())
    yield f"{len(plan.runs)} runs: {counts}"
    if "running" in states.values() and workspace.holder() is None:
        yield ABANDONED


def _trained(spec: RunSpec) -> str:
    """How a linearization will be trained; nothing for other runs."""
    if not isinstance(spec, TrainingRun) or spec.train.linearize is None:
        return ""
    words = {True: "in function space", False: "by parameters", None: "in function space if its Gram fits"}
    return f" ({words[in_function_space(spec.train, *sizes(spec.data))]})"


def _state(run: Run, status: str | None, stored_epochs: Collection[int]) -> str:
    if status == "done" and not is_complete(run, status, stored_epochs):
        return "extend"  # done, but a probe or an anchor now needs a checkpoint that was not kept
    return status or "planned"


def _published(workspace: Workspace) -> tuple[Mapping[str, str], Mapping[str, Collection[int]]]:
    if not workspace.results.exists():
        return {}, {}
    from linstudy.store.query import query

    statuses = dict(query(workspace.results, "SELECT run_id, status FROM runs").rows)
    rows = query(
        workspace.results, "SELECT run_id, list(epoch) FROM artifact WHERE epoch IS NOT NULL GROUP BY ALL"
    ).rows
    return statuses, dict(rows)
