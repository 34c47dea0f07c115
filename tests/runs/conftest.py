"""Runs executed in this process, one after another, as a coordinator would hand them to a worker."""

from dataclasses import dataclass, field

import pytest

from linstudy.data.kinds import form
from linstudy.plan import make_plan
from linstudy.resources import Resources
from linstudy.runs.events import Measured, Produced, Stopped
from linstudy.runs.job import Job
from linstudy.runs.kinds import KINDS, TOGETHER
from linstudy.spec.points import load_study


@dataclass
class Told:
    """What the runs of a study told, by run id."""

    plan: object
    resources: Resources = field(default_factory=Resources)
    artifacts: dict = field(default_factory=dict)
    events: dict = field(default_factory=dict)

    def of(self, kind):
        """The ids of the runs of a kind, in the order of the plan."""
        return [run_id for run_id, run in self.plan.runs.items() if run.kind == kind]

    def values(self, run_id, metric, split=None):
        """The values of a metric by epoch."""
        return {
            event.epoch: event.value
            for event in self.events[run_id]
            if isinstance(event, Measured) and event.metric is metric and split in (None, event.split)
        }

    def job(self, run, stop):
        """One attempt, and where it tells."""
        roles = [("self", run.run_id), *((need.role, need.run_id) for need in run.needs)]
        artifacts = {
            (role, name, epoch): (lambda arrays=arrays: arrays)
            for role, run_id in roles
            for (owner, name, epoch), arrays in self.artifacts.items()
            if owner == run_id
        }
        told = self.events.setdefault(run.run_id, [])

        def emit(event):
            told.append(event)
            if isinstance(event, Produced):
                self.artifacts[(run.run_id, event.name, event.epoch)] = event.arrays

        return Job(run.spec, run.checkpoints, artifacts, resources=self.resources, stop=stop), emit

    def execute(self, run, stop=lambda: False):
        """One attempt at a run."""
        self.attempt([run], lambda jobs, emits: KINDS[run.kind](jobs[0], emits[0]), stop)

    def execute_together(self, runs, stop=lambda: False):
        """One attempt at several runs at once."""
        self.attempt(runs, TOGETHER[runs[0].kind], stop)

    def attempt(self, runs, compute, stop):
        jobs, emits = zip(*(self.job(run, stop) for run in runs), strict=True)
        try:
            compute(jobs, emits)
        except Stopped:
            for run in runs:
                self.events[run.run_id].append(Stopped)


@pytest.fixture
def told(tmp_path):
    """A function that runs all of a study, one run after another, or all trainings together."""

    def run_all(text, together=False, only_plan=False, resources=None):
        path = tmp_path / "study.yaml"
        path.write_text(text)
        told = Told(make_plan(load_study(path).points, lambda part, spec: "", form), resources or Resources())
        runs = [] if only_plan else list(told.plan.runs.values())
        if together:
            told.execute_together(runs)
        else:
            for run in runs:
                told.execute(run)
        return told

    return run_all
