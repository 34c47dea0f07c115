"""The run `nads`: the neural anisotropy directions at the origin, at initialization."""

import jax.numpy as jnp

from linstudy import metrics
from linstudy.facts import Vector
from linstudy.runs.context import progress_of
from linstudy.runs.job import Job
from linstudy.runs.networks import initial_network
from linstudy.runs.precision import precision
from linstudy.spec.run import NadsRun
from linstudy.tangent import freeze, nads
from linstudy.tangent.placement import default_budget


def run(job: Job) -> None:
    """Leaves the artifact `nads`: directions, one a row, and singular values."""
    assert isinstance(job.spec, NadsRun)
    with precision("float64"):
        shape = job.spec.shape
        model = freeze(*initial_network(job, shape))
        budget, report = default_budget(job.resources.features), progress_of(job, "directions")
        found = nads(model, jnp.zeros((1, *shape)), memory_budget=budget, progress=report)
    artifact = job.save(job.spec.kind, {"directions": found.directions, "singular_values": found.singular_values})
    job.tell(artifact, Vector(metrics.SINGULAR_VALUES, found.singular_values))
