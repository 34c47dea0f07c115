"""Small studies, run in this process."""

import pytest
from in_process import Told

from linstudy.data.kinds import form
from linstudy.plan import make_plan
from linstudy.resources import Resources
from linstudy.spec.points import load_study
from linstudy.store.artifacts import ArtifactStore


@pytest.fixture
def told(tmp_path):
    """A function that runs all of a study, one run after another, or all trainings together; `told.of` runs a plan."""

    def of(plan, together=False, only_plan=False, resources=None):
        told = Told(plan, ArtifactStore(tmp_path / "artifacts"), resources=resources or Resources())
        runs = [] if only_plan else list(plan.runs.values())
        if together:
            told.execute_together(runs)
        else:
            for run in runs:
                told.execute(run)
        return told

    def run_all(text, **how):
        path = tmp_path / "study.yaml"
        path.write_text(text)
        return of(make_plan(load_study(path).points, lambda part, spec: "", form), **how)

    run_all.of = of
    return run_all
