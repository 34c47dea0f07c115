"""Training steps against torch, `nt.linearize` and XLA's own convolutions; runs fused against one after another."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import peers
from measure import Candidate, Run, calls, left_out
from operations import Network
from settings import NAMES, SHAPE, Settings, images, labels
from table import Floor, Line, Section, compared
from torch_client import MISSING, ON_CPUS

from linstudy.models.network import Stateless
from linstudy.resources import Cache
from linstudy.spec.train import Train
from linstudy.tangent import freeze, linearize
from linstudy.tasks.labelled import Labelled
from linstudy.train import fit as loop
from linstudy.train.choice import stacking_pays
from linstudy.train.fit import fit
from linstudy.train.group import Group
from linstudy.train.learner import Course, Learner
from linstudy.train.network import NetworkLearner

BATCH = 128
RUNS = 16

STEPS = {"mlp": 50, "lenet": 10, "resnet18": 1}
"""Of a timing on a CPU. An accelerator takes `MANY_STEPS`, which are one compiled loop there, as in an epoch."""

MANY_STEPS = 50

STEP_LEGEND = f"""One update on a batch of {BATCH}, as the training loop makes it, the order of its samples included. \
Floor: a network's two passes and kernel gradients; a linearization's output, its derivative, a backward pass and \
kernel gradients. Linearizations go through their parameters here; batch norm takes the batch's statistics in networks \
and is frozen in linearizations. The torch peers train the same networks."""

FUSED_LEGEND = f"""{RUNS} trainings that differ in their seeds, with the evaluation of all samples after each epoch, \
as `linstudy run` makes them: as one program, and one after another. The ratio is that of their throughputs."""


def labelled(settings: Settings, train: int, test: int, seed: int = 0) -> Labelled:
    """Images with random labels."""
    inputs, signs = images(train + test), labels(train + test, seed)
    return Labelled(inputs[:train], signs[:train], inputs[train:], signs[train:])


def together(data: Labelled) -> jax.Array:
    """The inputs on the device, training samples first."""
    return jnp.concatenate([data.train_inputs, data.test_inputs])


def steps_of(learner: Learner, count: int) -> Run:
    """Times updates of one learner, as an epoch of `count` of them goes."""
    group = Group([learner])
    held = [group.joined([learner.begin()])]
    size = learner.course.batch
    orders = np.random.default_rng(0).integers(0, learner.course.train, (count, size))

    def call() -> Any:
        held[0], losses = loop._train_epoch(group, held[0], jnp.asarray(orders), learner)
        return held[0], losses

    run = calls(call)
    return lambda times: run(times) / count


def step_section(settings: Settings) -> Section:
    """Steps of every network and of its linearization."""
    names = settings.networks[:2] if settings.smoke else settings.networks
    lines: list[Line] = []
    for name in names:
        lines += _network_lines(settings, name) + _linear_lines(settings, name)
    return Section("Training step, batch 128, float32", STEP_LEGEND, lines)


def _course_data(settings: Settings, name: str) -> tuple[Labelled, int]:
    count = 2 if settings.smoke else MANY_STEPS if settings.accelerated else STEPS[name]
    return labelled(settings, 4 * BATCH, BATCH), count


def _network_lines(settings: Settings, name: str) -> list[Line]:
    data, count = _course_data(settings, name)
    model, statistics = settings.network(name)
    learner = NetworkLearner(model, statistics, together(data), Course(data, Train(), 0))
    inputs, signs = jnp.asarray(data.train_inputs[:BATCH]), jnp.asarray(data.train_labels[:BATCH])
    plain = functools.partial(peers.network_step, model, statistics, inputs, signs)
    candidates = [
        Candidate("linstudy", steps_of(learner, count)),
        Candidate("plain JAX, XLA's convolutions", calls(plain())),
        _torch(settings, "step", name),
    ]
    return _lines(settings, f"{NAMES[name]}, network", candidates, Network.of(freeze(model, statistics), SHAPE).step)


def _linear_lines(settings: Settings, name: str) -> list[Line]:
    data, count = _course_data(settings, name)
    anchor = freeze(*settings.network(name))
    linear = Stateless(linearize(anchor))
    learner = NetworkLearner(linear, None, together(data), Course(data, Train(), 0))
    inputs, signs = jnp.asarray(data.train_inputs[:BATCH]), jnp.asarray(data.train_labels[:BATCH])
    candidates = [
        Candidate("linstudy", steps_of(learner, count)),
        Candidate("nt.linearize", calls(peers.linear_step(anchor, inputs, signs))),
        _torch(settings, "linear_step", name),
    ]
    return _lines(settings, f"{NAMES[name]}, linearization", candidates, Network.of(anchor, SHAPE).linear_step)


def _torch(settings: Settings, task: str, name: str) -> Candidate:
    if settings.torch is None or settings.accelerated:
        return left_out("torch", MISSING if settings.torch is None else ON_CPUS)
    return settings.torch.candidate("torch", task=task, model=name)


def _lines(
    settings: Settings, setting: str, candidates: list[Candidate], operations: Callable[[int], float]
) -> list[Line]:
    (*timings, product), rate = settings.with_rate(candidates)
    lines = compared(setting, timings, Floor(operations(BATCH), rate))
    return [*lines, Line(setting, product.name, product.seconds, remark=product.remark)]


def fused_section(settings: Settings) -> Section:
    """MLP and LeNet, many at once."""
    lines = [line for name in settings.networks[:2] for line in _fused_lines(settings, name)]
    return Section(f"{RUNS} runs at once", FUSED_LEGEND, lines)


def _fused_size(settings: Settings, name: str) -> tuple[int, int, int, int]:
    """Runs, epochs, training and test samples."""
    if settings.smoke:
        return 2, 1, 2 * BATCH, BATCH
    if settings.accelerated:
        return RUNS, 2, 400 * BATCH, 10_000
    return RUNS, 1, (20 if name == "mlp" else 4) * BATCH, BATCH


def _fused_lines(settings: Settings, name: str) -> list[Line]:
    runs, epochs, train, test = _fused_size(settings, name)
    data, spec = labelled(settings, train, test), Train(epochs=epochs)
    inputs = together(data)

    def learner(seed: int) -> Learner:
        return NetworkLearner(*settings.network(name, seed=seed), inputs, Course(data, spec, seed))

    learners = [learner(seed) for seed in range(runs)]
    pays = stacking_pays(learners, 1 if settings.smoke else 100, Cache())
    timings = settings.measure(
        [
            Candidate("one program", calls(lambda: _trained(learners, epochs))),
            Candidate("one after another", calls(lambda: [_trained([one], epochs) for one in learners])),
        ]
    )
    setting = f"{NAMES[name]}, {runs} runs of {epochs} epochs of {train // BATCH} steps"
    lines = compared(setting, timings)
    return [*lines, Line(setting, "chosen for 100 epochs", remark="one program" if pays else "one after another")]


def _trained(learners: list[Learner], epochs: int) -> Any:
    return [[result.losses for result in results if result is not None] for results in fit(learners, epochs)]
