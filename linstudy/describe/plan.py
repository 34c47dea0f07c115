"""A plan, run by run: how each stands, what it will take, and how new ones are new."""

from collections import Counter
from collections.abc import Collection, Iterator

from linstudy.data.kinds import sizes
from linstudy.data.places import HERE, Places
from linstudy.estimate.text import describe_estimate, describe_total
from linstudy.explain import Neighbourhood, StoredRun
from linstudy.history import Stored, is_complete
from linstudy.plan import Plan, Run, describe
from linstudy.prepare.forecast import estimate_runs
from linstudy.spec.run import RunSpec, as_training
from linstudy.spec.train import in_function_space
from linstudy.store.artifacts import ArtifactStore
from linstudy.store.integrity import Seals
from linstudy.store.query import Ask, open_published
from linstudy.store.stored import read_stored
from linstudy.store.workspace import Workspace

ABANDONED = "running: their process is gone. The next `linstudy run` goes on from their last stored state"
"""Said of runs that count as running in a workspace where no process is at work."""

ENDED = ("done", "diverged")
"""The states of runs of which nothing is left to do."""

MOST_NEWS = 20
"""New runs that are explained: those of one study are mostly new for one reason."""

_STORED = """
SELECT
    run_id, any_value(spec)::VARCHAR, any_value(source),
    list(role) FILTER (role IS NOT NULL), list(needs) FILTER (role IS NOT NULL)
FROM (SELECT *, rowid AS position FROM run ORDER BY position DESC LIMIT 10000)
LEFT JOIN dependency USING (run_id) GROUP BY run_id ORDER BY any_value(position) DESC
"""


_DONE = """
SELECT run_id, any_value(kind), list(needs) FROM runs JOIN dependency USING (run_id)
WHERE status IN ('done', 'diverged') GROUP BY run_id ORDER BY run_id
"""


def describe_dependants(again: Collection[str], workspace: Workspace) -> Iterator[str]:
    """The runs of the workspace that are done with what some runs gave, which are run anew without them."""
    if not workspace.results.exists():
        return
    with open_published(workspace.results) as ask:
        left = {run_id: (kind, needs) for run_id, kind, needs in ask(_DONE).rows if run_id not in again}
    changed = set(again)
    while new := {run_id for run_id, (_, needs) in left.items() if changed.intersection(needs)} - changed:
        changed |= new
    if found := [f"{kind} {run_id}" for run_id, (kind, _) in left.items() if run_id in changed]:
        named = ", ".join(found[:MOST_NEWS]) + (", …" if len(found) > MOST_NEWS else "")
        one, many = "run stays as it is, though what it needs", "runs stay as they are, though what they need"
        yield f"{len(found)} done {one if len(found) == 1 else many} is run anew: {named}"


def describe_plan(plan: Plan, workspace: Workspace, places: Places = HERE) -> Iterator[str]:
    """One line a run: status, id, what it is, what it will take, what it needs, and for new ones how they are new.

    Then the counts, and what all that is left will take.

    Args:
        places: Where the data are, of which only a look tells the size.
    """
    stored, news = _compare(plan, workspace)
    states = {run_id: _state(run, stored.get(run_id, Stored())) for run_id, run in plan.runs.items()}
    estimates = estimate_runs((run for id_, run in plan.runs.items() if states[id_] not in ENDED), workspace, places)
    for run_id, run in plan.runs.items():
        needs = ", ".join(f"{need.role} {need.run_id}" for need in run.needs)
        what = f"{describe(run.spec)}{_trained(run.spec)}"
        takes = f"  {describe_estimate(estimates[run_id])}" if run_id in estimates else ""
        yield f"{states[run_id]:<12}{run_id}  {what}{takes}{f'  <- {needs}' if needs else ''}"
        if run_id in news:
            yield f"{'':<12}{news[run_id]}"
    counts = ", ".join(f"{count} {state}" for state, count in Counter(states.values()).items())
    yield f"{len(plan.runs)} runs: {counts}"
    if estimates:
        yield describe_total(estimates.values())
    if "running" in states.values() and workspace.holder() is None:
        yield ABANDONED


def _trained(spec: RunSpec) -> str:
    """How a linearization will be trained; nothing for other runs."""
    training = as_training(spec)
    if training is None or training.train.linearize is None:
        return ""
    words = {True: "in function space", False: "by parameters", None: "in function space if its Gram fits"}
    return f" ({words[in_function_space(training.train, *sizes(training.data))]})"


def _state(run: Run, stored: Stored) -> str:
    if stored.status == "done" and not is_complete(run, stored):
        return "extend"  # done, but a checkpoint is missing that a probe or an anchor needs
    return stored.status


def _compare(plan: Plan, workspace: Workspace) -> tuple[dict[str, Stored], dict[str, str]]:
    """What is published of the runs of a plan, and how its new runs differ from that."""
    if not workspace.results.exists():
        return {}, {}
    with open_published(workspace.results) as ask:
        stored = _sound(read_stored(lambda sql: ask(sql).rows), plan, workspace)
        return stored, _news(plan, ask, stored)


def _news(plan: Plan, ask: Ask, known: Collection[str]) -> dict[str, str]:
    """How the first new runs differ from the stored ones nearest to them."""
    new = [run for run_id, run in plan.runs.items() if run_id not in known][:MOST_NEWS]
    if not new or not known:
        return {}
    stored = [run for run in stored_runs(ask) if run.run_id in known]  # one that was only planned is none
    near = Neighbourhood(stored)
    found = {run.run_id: near.nearest(run) for run in new}
    return {run_id: str(neighbour) for run_id, neighbour in found.items() if neighbour is not None}


def stored_runs(ask: Ask) -> Iterator[StoredRun]:
    """The last 10,000 runs that were published, those registered last first."""
    for run_id, spec, source, roles, needs in ask(_STORED).rows:
        read = StoredRun.read(run_id, spec, source, dict(zip(roles or (), needs or (), strict=True)))
        if read is not None:
            yield read


def _sound(stored: dict[str, Stored], plan: Plan, workspace: Workspace) -> dict[str, Stored]:
    """What is stored, without the files of a plan's runs that are missing or damaged."""
    seals = Seals(workspace.seals, ArtifactStore(workspace.artifacts))
    own = [stored[run_id] for run_id in plan.runs if run_id in stored]
    broken = seals.broken(artifact for one in own for artifact in one.artifacts.values())
    return {run_id: one.without(broken) for run_id, one in stored.items()}
