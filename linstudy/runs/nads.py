"""The run `nads`: the neural anisotropy directions at the origin, at initialization."""

import jax.numpy as jnp

from linstudy import metrics
from linstudy.runs.context import progress_of
from linstudy.runs.events import Emit, Measured, Produced, Restarted
from linstudy.runs.job import Job
from linstudy.runs.networks import initial_network
from linstudy.runs.precision import precision
from linstudy.spec.run import NadsRun
from linstudy.tangent import freeze, nads


def run(job: Job, emit: Emit) -> None:
    """Leaves the artifact `nads`: directions, one a row, and singular values."""
    assert isinstance(job.spec, NadsRun)
    emit(Restarted())
    with precision("float64"):
        shape = job.spec.shape
        model = freeze(*initial_network(job, shape))
        found = nads(model, jnp.zeros((1, *shape)), progress=progress_of(job, emit, "directions"))
    emit(Produced("nads", {"directions": found.directions, "singular_values": found.singular_values}))
    emit(Measured(metrics.SINGULAR_VALUES, found.singular_values))
