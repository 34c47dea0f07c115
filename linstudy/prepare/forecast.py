"""What the runs of a plan will take: their estimates, from what a workspace holds and this machine is."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from pydantic import ValidationError

from linstudy.accelerators import visible_accelerators
from linstudy.data.glance import glances
from linstudy.data.places import Places
from linstudy.estimate.estimates import Estimate, Estimator, Machine, Timing, form_of
from linstudy.machine import available_memory, available_threads
from linstudy.plan import Plan, Run
from linstudy.resources import Resources
from linstudy.spec.errors import LinstudyError
from linstudy.spec.stored import read_spec
from linstudy.store.query import Ask, open_published
from linstudy.store.workspace import Workspace

_TIMINGS = """
WITH try AS (
    SELECT *, coalesce(fused_group, attempt_id::VARCHAR) AS share, count(*) OVER (PARTITION BY run_id) AS tries
    FROM attempt
), shared AS (
    SELECT
        share, count(*) AS together, date_diff('microsecond', min(started), max(finished)) / 1e6 / together AS seconds
    FROM try GROUP BY share
)
SELECT setting_id, any_value(spec)::VARCHAR, median(seconds), median(together)
FROM try JOIN shared USING (share) JOIN run USING (run_id)
WHERE status = 'done' AND tries = 1 AND setting_id IS NOT NULL AND starts_with(device, 'cpu') = {cpu}
GROUP BY setting_id ORDER BY max(attempt_id) DESC LIMIT 1000
"""
"""A run of several attempts went on from the last one's state, so that none of them took its time."""


def this_machine() -> Machine:
    """What one worker here may use, or one for each accelerator."""
    cores = None if visible_accelerators() else available_threads()
    return Machine(cores, Resources(available_memory()))


def estimate_runs(
    runs: Iterable[Run], workspace: Workspace, places: Places, machine: Machine | None = None
) -> Mapping[str, Estimate]:
    """What each run takes, by its id."""
    machine = machine or this_machine()
    form = partial(form_of, look=glances(places))
    return Estimator(machine, form, stored_timings(workspace, on_cpu=machine.cores is not None))(runs)


def expected_runs(plan: Plan, workspace: Workspace, places: Places) -> Mapping[str, Estimate]:
    """As `estimate_runs`, of a plan's runs; nothing if what is published cannot be read."""
    try:
        return estimate_runs(plan.runs.values(), workspace, places)
    except LinstudyError:  # of which the ledger has more to say
        return {}


def stored_timings(workspace: Workspace, on_cpu: bool) -> list[Timing]:
    """How long the runs of each setting took that are done in a workspace; none if nothing is published there."""
    if not workspace.results.exists():
        return []
    with open_published(workspace.results) as ask:
        return list(_timings(ask, on_cpu))


def _timings(ask: Ask, on_cpu: bool) -> Iterator[Timing]:
    for setting_id, text, seconds, together in ask(_TIMINGS.format(cpu=on_cpu)).rows:
        try:
            spec = read_spec(text)
        except ValidationError:  # of another version
            continue
        yield Timing(setting_id, spec, seconds, together)
