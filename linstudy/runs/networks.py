"""The networks of a run: at initialization, linearized, and with stored parameters."""

from typing import Any

import equinox as eqx
import jax

from linstudy.facts import CHECKPOINT, Notice
from linstudy.models.network import Stateless, make_network
from linstudy.models.parts import model_warnings
from linstudy.runs.job import Arrays, Job
from linstudy.spec.run import ProbeRun, TrainingRun
from linstudy.spec.train import Train
from linstudy.tangent import freeze, linearize, merge, split
from linstudy.train.checkpoint import from_arrays, ordinary
from linstudy.train.learner import TrainingState
from linstudy.train.network import initial_state


def initial_network(job: Job, input_shape: tuple[int, ...]) -> tuple[Any, Any]:
    """The network that a run's seed initializes, and its running statistics; what is odd about it is told."""
    assert job.spec.seed is not None
    model, statistics = make_network(job.spec.model, input_shape, job.spec.seed)
    job.tell(*map(Notice, model_warnings(model)))
    return model, statistics


def starting_point(job: Job, spec: TrainingRun | ProbeRun, input_shape: tuple[int, ...]) -> tuple[eqx.Module, Any]:
    """What the training of a spec starts from: the network, or a linearization of it."""
    model, statistics = initial_network(job, input_shape)
    how = spec.train.linearize
    if how is None:
        return model, statistics
    anchor, anchor_statistics = _anchor(job, spec.train, model, statistics)
    chosen = statistics if how.batch_norm == "initial" else anchor_statistics
    return Stateless(linearize(freeze(anchor, chosen), centred=how.centred)), None


def _anchor(job: Job, train: Train, model: Any, statistics: Any) -> tuple[Any, Any]:
    if train.anchor_epoch is None:
        return model, statistics
    network = train.model_copy(update={"linearize": None})
    state = stored_state(job.load("anchor", CHECKPOINT, train.anchor_epoch), model, statistics, network)
    return with_state(model, state)


def stored_state(arrays: Arrays, model: Any, statistics: Any, train: Train) -> TrainingState:
    """A checkpoint of the training of a model, as a state."""
    # the samples count the steps of the learning rate's schedule, and no array of a state depends on them
    template = jax.eval_shape(lambda: initial_state(model, statistics, train, samples=1))
    return from_arrays(template, ordinary(arrays))


def with_state(model: Any, state: TrainingState) -> tuple[Any, Any]:
    """A model with the parameters and the running statistics of a state."""
    _, static = split(model)
    return merge(state.parameters, static), state.statistics
