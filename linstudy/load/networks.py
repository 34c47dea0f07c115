"""The networks of recorded runs, and what these saw."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np

from linstudy.facts import CHECKPOINT
from linstudy.load.holdings import Holdings
from linstudy.load.kinds import KINDS, Network
from linstudy.load.samples import Samples
from linstudy.load.sources import check_imported, mark_imported, settle
from linstudy.runs.job import DataChanged, Job
from linstudy.runs.networks import stored_state, with_state
from linstudy.runs.precision import precision
from linstudy.spec.errors import LinstudyError
from linstudy.spec.train import Precision
from linstudy.tangent import Linearized, freeze, linearize
from linstudy.tangent.freeze import innermost


def samples_of(job: Job, holdings: Holdings) -> Samples:
    """What a run saw.

    Raises:
        LinstudyError: If the arrays of its data are others now, unless that is accepted.
    """
    load = KINDS[job.spec.kind].samples
    try:
        return load(job, job.spec)
    except DataChanged as error:
        settle(holdings, str(error))
        return load(replace(job, fingerprints={}), job.spec)


def last_epoch(job: Job) -> int:
    """That of the run's network."""
    return KINDS[job.spec.kind].epochs(job.spec)


def network_of(job: Job, holdings: Holdings, epoch: int) -> Network:
    """The network of a run after an epoch: that of its checkpoint, or where it starts.

    Raises:
        LinstudyError: If a user's module has changed after it was imported; if JAX has float64 switched off and the
            run has it.
    """
    how = KINDS[job.spec.kind]
    _check_precision(how.precision(job.spec))
    check_imported(job.spec.model, holdings)
    with precision(how.precision(job.spec)):
        model, statistics = how.start(job, job.spec)
        mark_imported(job.spec.model, holdings)
        if ("self", CHECKPOINT, epoch) not in job.artifacts:
            return model, statistics
        train = job.spec.train  # type: ignore[union-attr]
        return with_state(model, stored_state(job.load("self", CHECKPOINT, epoch), model, statistics, train))


def _check_precision(name: Precision) -> None:
    if name == "float64" and jnp.result_type(float) != np.float64:
        raise LinstudyError(
            "it computed in float64, which JAX has switched off. Switch it on before anything else: "
            'jax.config.update("jax_enable_x64", True)'
        )


def linearization_of(network: Network, *, anchored: bool, centred: bool) -> Linearized:
    """The linearization of a network; of one that is a linearization, itself.

    Args:
        anchored: Whether the anchor was chosen.

    Raises:
        LinstudyError: If it is one already, and something else is asked for.
    """
    known = innermost(network[0])
    if not isinstance(known, Linearized):
        return linearize(freeze(*network), centred=centred)
    if anchored or centred:
        raise LinstudyError(
            "it trained a linearization, which has an anchor of its own. Leave out `at` and `centred`, or take "
            "network(epoch), which is the linearization with trained parameters"
        )
    return known
