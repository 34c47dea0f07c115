"""Several runs spread over four devices, against the same on one device."""

import contextlib
import dataclasses
import re
from collections.abc import Callable
from unittest import mock

import equinox as eqx
import jax
import numpy as np
import pytest
from learners import curves, flat_parts, inputs_of, span_learner
from several_devices import DEVICES, computed_on_four
from tolerance import assert_close

from linstudy.models.layers import BatchNorm, conv, linear
from linstudy.models.network import Stateless
from linstudy.spec.train import SgdOptimizer, Train
from linstudy.tangent import freeze, linearize
from linstudy.tangent.placement import Shares
from linstudy.tasks.labelled import Labelled
from linstudy.train import fit as loop
from linstudy.train.function_space import make_span
from linstudy.train.group import Group
from linstudy.train.learner import Course
from linstudy.train.network import NetworkLearner

EPOCHS, TRAIN, TEST = 3, 20, 9


class Small(eqx.Module):
    """A convolution, which a compiler left to itself gathers over devices, batch norm and a dense layer."""

    conv: eqx.nn.Conv2d
    norm: BatchNorm
    last: eqx.nn.Linear

    def __init__(self, key):
        first, last = jax.random.split(key)
        self.conv = conv(1, 2, 3, first, use_bias=False)  # batch norm would leave a bias nothing but rounding
        self.norm, self.last = BatchNorm(2), linear(32, "scalar", last)

    def __call__(self, x, state):
        x, state = self.norm(self.conv(x), state)
        return self.last(jax.nn.gelu(x).ravel()), state


def small(key):
    return eqx.nn.make_with_state(Small)(key)


def dense(key):
    first, last = jax.random.split(key)
    layers = [
        eqx.nn.Lambda(jax.numpy.ravel),
        linear(16, 5, first),
        eqx.nn.Lambda(jax.nn.gelu),
        linear(5, "scalar", last),
    ]
    return Stateless(eqx.nn.Sequential(layers)), None


def drawn(seed):
    """One data set, with labels of a seed."""
    dtype = jax.numpy.result_type(float)
    inputs = np.random.default_rng(0).standard_normal((TRAIN + TEST, 1, 4, 4)).astype(dtype)
    labels = np.where(np.random.default_rng(seed).random(TRAIN + TEST) < 0.5, -1.0, 1.0).astype(dtype)
    return Labelled(inputs[:TRAIN], labels[:TRAIN], inputs[TRAIN:], labels[TRAIN:])


def train_spec(seed):
    return Train(epochs=EPOCHS, batch_size=6, optimizer=SgdOptimizer(kind="sgd", learning_rate=0.1 * (1 + seed)))


def networks(make, count):
    """Runs that differ in all that they may."""
    inputs = inputs_of(drawn(0))
    courses = [Course(drawn(seed), train_spec(seed), seed) for seed in range(count)]
    models = [make(jax.random.PRNGKey(seed)) for seed in range(count)]
    return [NetworkLearner(*model, inputs, course, block=16) for model, course in zip(models, courses, strict=True)]


def columns(make, count):
    """Runs that have one Gram and one batch order."""
    model = Stateless(linearize(freeze(*make(jax.random.PRNGKey(0)))))
    span = make_span(model.model.anchor.value, inputs_of(drawn(0)), TRAIN)
    return [span_learner(model, drawn(seed), train_spec(seed), 0, span) for seed in range(count)]


@dataclasses.dataclass(frozen=True)
class Case:
    """Some runs, and how many of them each of four devices takes, those repeated to fill it up included."""

    learners_of: Callable
    make: Callable
    count: int
    shares: tuple
    scans: bool = False
    x64: bool = True

    @contextlib.contextmanager
    def learners(self):
        loops = mock.patch.object(loop, "_loops_in_python", lambda learner: learner.convolves and not self.scans)
        with jax.enable_x64(self.x64), loops:
            yield self.learners_of(self.make, self.count)


CONVOLUTIONS = Case(networks, small, 6, (2, 2, 2), x64=False)

CASES = {
    "6 with convolutions": CONVOLUTIONS,
    "7 in a scan": Case(networks, dense, 7, (2, 2, 2, 2), scans=True),
    "3 columns": Case(columns, dense, 3, (1, 1, 1)),
}


def histories(learners, **options):
    """Of each run its results, with their checkpoints."""
    rows = [[(one, one.checkpoint()) for one in row] for row in loop.fit(learners, EPOCHS, **options)]
    return list(zip(*rows, strict=True))


def vectors(history):
    """What a run tells and leaves behind."""
    parts = zip(*(flat_parts(checkpoint) for _, checkpoint in history), strict=True)
    return [*map(np.asarray, curves(history)), *map(np.concatenate, parts)]


def numbers(learners):
    """What trainings tell and leave behind, uninterrupted and from the checkpoints of an epoch on, by name."""
    whole = histories(learners)
    resumed = histories(learners, resume=(1, [history[1][1] for history in whole]))
    found = {}
    for run, (history, again) in enumerate(zip(whole, resumed, strict=True)):
        found |= {f"whole {run} {index}": vector for index, vector in enumerate(vectors(history))}
        found |= {f"resumed {run} {index}": vector for index, vector in enumerate(vectors(again))}
        found |= {f"last {run} {index}": vector for index, vector in enumerate(vectors(history[2:]))}
        found |= {f"checkpoint {run} {name}": array for name, array in history[-1][1].items()}
    return found


def shares_of(leaf):
    """How much of its first axis each device has; nothing where each has all."""
    return () if leaf.is_fully_replicated else tuple(shard.data.shape[0] for shard in leaf.addressable_shards)


@contextlib.contextmanager
def watched():
    """The shares of each array of the state after every epoch, and how often anything was compiled until then.

    What JAX moves between devices by itself is an error.
    """
    compilations, shares, compiled, results = [], [], [], loop._results
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compilations.append(event) if event.endswith("backend_compile_duration") else None
    )

    def looked_at(epoch, group, state, *rest):
        found = results(epoch, group, state, *rest)
        shares.append({shares_of(leaf) for leaf in jax.tree.leaves(state)})
        compiled.append(len(compilations))
        return found

    with mock.patch.object(loop, "_results", looked_at), jax.transfer_guard_device_to_device("disallow"):
        yield shares, compiled


def step_program(learners):
    """The compiled program of one update."""
    group = Group(learners)
    state = group.joined([learner.begin() for learner in learners])
    step = loop.call_step.lower((group, loop.batch_orders(group, learners)(1), np.asarray(0)), state)
    return step.compile().compiled.as_text()


def computed():
    """What the tests compare."""
    with CONVOLUTIONS.learners() as learners:
        found = {"program": np.array(step_program(learners))}
    for name, case in CASES.items():
        with case.learners() as learners, watched() as (shares, compiled):
            its = numbers(learners)
        found |= {f"{name}: {key}": array for key, array in its.items()}
        [all_shares] = set.union(*shares)
        found |= {f"{name}, shares": np.array(all_shares), f"{name}, compiled": np.array(compiled[: EPOCHS + 1])}
    devices = [shares_of_count(count) for count in range(1, 10)]
    return {**found, "devices and places": np.array(devices)}


def shares_of_count(count):
    shares = Shares(count)
    return 1 if shares.mesh is None else shares.mesh.size, shares.total


@pytest.fixture(scope="module")
def on_four(tmp_path_factory):
    return computed_on_four(__file__, tmp_path_factory.mktemp("devices"))


@pytest.fixture(scope="module", params=CASES)
def both(request, on_four):
    """Of one case what four devices give, and what one gives."""
    case = CASES[request.param]
    four = {
        name.removeprefix(f"{request.param}: "): array
        for name, array in on_four.items()
        if name.startswith(f"{request.param}: ")
    }
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"), case.learners() as learners:
        return case, four, numbers(learners)


def test_four_devices_give_the_numbers_and_checkpoints_of_one(both):
    case, four, one = both
    assert four.keys() == one.keys()
    assert len({name.split()[1] for name in four}) == case.count
    for name, array in one.items():
        assert four[name].dtype == array.dtype
        assert_close(four[name], array, rtol=1e-12 if case.x64 else 1e-5)  # a few operations in another order


def test_runs_differ(both):
    """The comparison above can fail."""
    _, four, _ = both
    with pytest.raises(AssertionError):
        assert_close(four["whole 1 0"], four["whole 0 0"], rtol=1e-5)


def test_a_training_that_goes_on_has_the_bits_of_an_uninterrupted_one(both):
    case, four, _ = both
    for run in range(case.count):
        its = [name for name in four if name.startswith(f"last {run} ")]
        assert its
        for name in its:
            assert np.array_equal(four[name], four[name.replace("last", "resumed")])


@pytest.mark.parametrize("name", CASES)
def test_every_array_of_the_state_stays_spread(on_four, name):
    assert tuple(on_four[f"{name}, shares"]) == CASES[name].shares


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_compiled_after_the_first_epoch(on_four, name):
    _, first, *later = on_four[f"{name}, compiled"].tolist()
    assert first > 0
    assert later == [first] * len(later)


def test_devices_do_not_wait_for_one_another_in_an_update(on_four):
    program = str(on_four["program"])
    assert "convolution" in program
    assert re.findall(r"all-\w+|collective-\w+|reduce-scatter", program) == []


def test_runs_go_evenly_to_as_few_devices_as_that_needs(on_four):
    table = [(1, 1), (2, 2), (3, 3), (4, 4), (3, 6), (3, 6), (4, 8), (4, 8), (3, 9)]
    assert DEVICES == 4
    assert list(map(tuple, on_four["devices and places"].tolist())) == table
