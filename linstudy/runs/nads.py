"""The run `nads`: the neural anisotropy directions at initialization, at the origin or averaged over data."""

import numpy as np
from jaxtyping import Float

from linstudy import metrics
from linstudy.facts import Vector
from linstudy.runs.context import progress_of
from linstudy.runs.job import Job
from linstudy.runs.networks import initial_network
from linstudy.runs.precision import precision
from linstudy.spec.run import NadsRun
from linstudy.tangent import freeze, nads
from linstudy.tangent.placement import default_budget

SHOWN = 10
"""Directions that are told, beside the artifact that has all of them: those of the paper's Fig. 10."""


def run(job: Job) -> None:
    """Leaves the artifact `nads`: directions, one a row, and singular values."""
    assert isinstance(job.spec, NadsRun)
    with precision("float64"):
        shape = job.spec.shape
        model = freeze(*initial_network(job, shape))
        budget, report = default_budget(job.resources.features), progress_of(job, "directions")
        found = nads(model, _points(job, job.spec), memory_budget=budget, progress=report)
    artifact = job.save(job.spec.kind, {"directions": found.directions, "singular_values": found.singular_values})
    first = [Vector(metrics.NAD, found.directions[j - 1], label=str(j)) for j in _shown(found.directions)]
    job.tell(artifact, Vector(metrics.SINGULAR_VALUES, found.singular_values), *first)


def _points(job: Job, spec: NadsRun) -> Float[np.ndarray, "points *shape"]:
    """Where the mixed derivative is taken: the origin, or the first training samples."""
    if spec.data is None:
        return np.zeros((1, *spec.shape))
    return job.dataset().train_inputs[: spec.nads.samples]


def _shown(directions: Float[np.ndarray, "inputs inputs"]) -> range:
    return range(1, min(SHOWN, len(directions)) + 1)
