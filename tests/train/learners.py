"""Trainings as the loop sees them, from what a run has."""

import jax.numpy as jnp
import numpy as np

from linstudy.train.function_space import SpanLearner, make_span
from linstudy.train.learner import Course
from linstudy.train.network import NetworkLearner


def inputs_of(data):
    return jnp.concatenate([data.train_inputs, data.test_inputs])


def network_learner(model, statistics, data, train, seed, **options):
    """The training of a network through its parameters."""
    return NetworkLearner(model, statistics, inputs_of(data), Course(data, train, seed), **options)


def span_learner(linear, data, train, seed, span=None):
    """The training in function space of a linearization that is called as a network is."""
    anchor = linear.model.anchor.value
    return SpanLearner(
        Course(data, train, seed),
        span or make_span(anchor, inputs_of(data), len(data.train_inputs)),
        linear.model.centred,
    )


def curves(history):
    """Every measure over the epochs of a history of results with their checkpoints."""
    results = [result for result, _ in history]
    return [
        *(
            [getattr(one, name)[split] for one in results]
            for name in ("losses", "accuracies")
            for split in ("train", "test")
        ),
        *([getattr(one, name) for one in results] for name in ("distance_l2", "distance_cosine")),
        [one.running_loss for one in results if one.running_loss is not None],
    ]


def flat_parts(arrays):
    """The parameters, the running statistics, and the optimizer's vectors of a checkpoint, each as one vector."""
    parts = [".parameters", ".statistics", ".optimizer"]
    chosen = [[array for name, array in sorted(arrays.items()) if name.startswith(part)] for part in parts]
    return [np.concatenate([*map(np.ravel, part), np.zeros(0)]) for part in chosen]
