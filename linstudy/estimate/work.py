"""What a run computes and holds: multiply-adds by kind of work, and bytes."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from linstudy.estimate.layers import Network, network
from linstudy.resources import Resources
from linstudy.spec.data import DataForm
from linstudy.spec.run import NadsRun, ProbeRun, RunSpec, SpectrumRun, TrainingRun
from linstudy.spec.train import Precision, Train, in_function_space

FULL_LIMIT, FULL_ALWAYS, FULL_SHARE = 6000, 1500, 1 / 6
"""Where a Gram is decomposed fully; as in `linstudy.tangent.spectrum`, which this does not import for the sake of its
start-up time."""

FULL = 3
"""Multiply-adds of all eigenpairs of n samples, over n³: ⅔ to three diagonals, up to 4/3 to decompose these, 1 back."""

VALUES = 1.5
"""The same of eigenvalues alone: few operations, half of which wait for memory, so that they take half the time."""

SAMPLES_A_CALL = 16
"""Samples of a pass, when tangent features are made: captured in batches of 128, kernel gradients in blocks of 8."""

GRADIENT_BATCH = 1024
"""Samples whose explicit gradients an alignment holds; as in `linstudy.tangent.alignment`."""

BLOCK_OF_EVALUATION = 1000
"""Samples that are evaluated at once, about."""

STEP_IN_FUNCTION_SPACE = 1.3e-3
"""Seconds of a step beside the rows that it reads. On two cores one takes 6.6 ms at 50,000 + 10,000 samples, of which
31 MB are read, and 2.4 ms at 8,000 + 2,000, of which 5 MB are."""

COPIES = {"sgd": 1, "adam": 2}
"""What an optimizer keeps, over the parameters."""

DIRECTIONS_AT_ONCE, PASSES_OF_DIRECTIONS = 64, 8


@dataclass(frozen=True)
class Work:
    """What something computes and holds.

    Attributes:
        operations: Multiply-adds by kind of work, as `rates.EFFICIENCY` names them.
        read: Bytes read from memory, where that and not the operations takes the time.
        calls: Seconds of what does not depend on the number of operations.
        held: Bytes that stay while others of the run work.
        passing: Bytes beside these, given back when it is over.
        scratch: Bytes of files that are gone when the run is done.
    """

    operations: Mapping[str, float] = field(default_factory=dict)
    read: float = 0.0
    calls: float = 0.0
    held: int = 0
    passing: int = 0
    scratch: int = 0

    def __add__(self, other: "Work") -> "Work":
        """One after the other, both held."""
        names = {*self.operations, *other.operations}
        return Work(
            {name: self.operations.get(name, 0) + other.operations.get(name, 0) for name in names},
            self.read + other.read,
            self.calls + other.calls,
            self.held + other.held,
            max(self.passing, other.passing),
            max(self.scratch, other.scratch),
        )

    def times(self, count: float) -> Self:
        """As often, one time after another: what it holds is held once."""
        operations = {name: number * count for name, number in self.operations.items()}
        return replace(self, operations=operations, read=self.read * count, calls=self.calls * count)


@dataclass(frozen=True)
class Subject:
    """What a run works on: a network and the numbers of samples of its data."""

    network: Network
    shape: tuple[int, ...]
    train: int
    test: int
    resources: Resources

    @property
    def samples(self) -> int:
        return self.train + self.test

    @property
    def data(self) -> Work:
        """The samples, as they were loaded and as they are computed with."""
        return Work(held=2 * 4 * self.samples * math.prod(self.shape))


@dataclass(frozen=True)
class RunWork:
    """The work of a run: its own, and what it shares with all that train together with it in function space."""

    own: Work
    shared: Work = field(default_factory=Work)

    @property
    def total(self) -> Work:
        """That of the run alone."""
        return self.own + self.shared


def run_work(spec: RunSpec, form: DataForm, resources: Resources) -> RunWork | None:
    """The work of a run on data of a form; None if that or its network is not known."""
    return KINDS[spec.kind](spec, form, resources)


def _entry(precision: Precision) -> int:
    """Bytes of a number."""
    return 8 if precision == "float64" else 4


def _subject(spec: Any, form: DataForm, resources: Resources) -> Subject | None:
    if form.shape is None or form.train is None or form.test is None:
        return None
    found = network(spec.model, form.shape)
    return None if found is None else Subject(found, form.shape, form.train, form.test, resources)


def gram(subject: Subject, rows: int, more: int = 0, entry: int = 4) -> Work:
    """The Gram of some samples with themselves, and with some more.

    Args:
        entry: Bytes of a number; float64 takes twice the operations.
    """
    samples, pairs = rows + more, rows * (rows + 1) / 2 + rows * more
    pair, numbers = subject.network.pair(samples)
    wide, size = entry / 4, rows * samples * entry
    in_memory = subject.resources.holds(size)
    return Work(
        {"features": wide * 3 * subject.network.forward * samples, "gram": wide * pair * pairs},
        calls=subject.network.call * samples / SAMPLES_A_CALL,
        held=size if in_memory else 0,
        passing=min(subject.resources.features, samples * numbers * entry),
        scratch=0 if in_memory else size,
    )


def is_full(samples: int, kept: int) -> bool:
    """Whether all eigenpairs are computed where the first ones are asked for."""
    cheap = samples <= FULL_ALWAYS or kept >= FULL_SHARE * samples
    return kept + 1 >= samples or (samples <= FULL_LIMIT and cheap)


def eigenpairs(samples: int, top: int, resources: Resources) -> Work:
    """The first eigenpairs of a Gram: a full decomposition, or block Krylov subspaces."""
    if is_full(samples, top):
        return Work({"decomposition": FULL * samples**3}, passing=24 * samples**2)
    block = 32 if samples < 20_000 else 64
    columns = 2.5 * (top + 1) + 12 * block
    products = columns * samples**2 + 2 * samples * columns**2  # with the Gram; of every column with all, twice
    return Work({"krylov": products}, passing=min(resources.basis, int(16 * samples * columns)))


def _spectrum(spec: SpectrumRun, form: DataForm, resources: Resources) -> RunWork | None:
    subject = _subject(spec, form, resources)
    if subject is None or not spec.spectrum.has_seed:  # what an infinite-width kernel takes is not counted
        return None
    kept = spec.spectrum.kept(subject.samples)
    made = gram(subject, subject.samples, entry=_entry(spec.spectrum.precision))
    return RunWork(subject.data + made + eigenpairs(subject.samples, kept, resources))


def _nads(spec: NadsRun, form: DataForm, resources: Resources) -> RunWork | None:
    found = network(spec.model, spec.shape)
    if found is None:
        return None
    dimensions = math.prod(spec.shape)
    passes = PASSES_OF_DIRECTIONS * dimensions
    operations = {"derivatives": float(passes * found.forward), "decomposition": float(FULL * dimensions**3)}
    batch = min(resources.features, DIRECTIONS_AT_ONCE * 4 * 8 * found.parameters)
    calls = passes * found.call / min(DIRECTIONS_AT_ONCE, dimensions)
    return RunWork(Work(operations, calls=calls, passing=batch, held=3 * 8 * dimensions**2))


def _training(spec: TrainingRun, form: DataForm, resources: Resources) -> RunWork | None:
    subject = _subject(spec, form, resources)
    if subject is None:
        return None
    if in_function_space(spec.train, subject.train, subject.test, resources.span):
        return _in_function_space(subject, spec.train)
    return RunWork(subject.data + _through_network(subject, spec.train))


def _steps(train: Train, samples: int) -> tuple[int, int]:
    """Updates of an epoch, and samples of each."""
    batch = min(train.batch_size, samples)
    return samples // batch, batch


def _through_network(subject: Subject, train: Train) -> Work:
    """Forward and twice that backward for an update, forward for an evaluation; a linearization twice as much."""
    net, entry = subject.network, _entry(train.precision)
    steps, batch = _steps(train, subject.train)
    passes = 1 if train.linearize is None else 2
    samples = 3 * train.epochs * steps * batch + (train.epochs + 1) * subject.samples
    calls = 3 * train.epochs * steps + (train.epochs + 1) * -(-subject.samples // BLOCK_OF_EVALUATION)
    numbers = 3 * net.parameters * (1 + COPIES[train.optimizer.kind])
    at_once = max(6 * batch, 2 * min(subject.samples, BLOCK_OF_EVALUATION)) * net.activations * passes
    return Work(
        {"training": float(passes * entry / 4 * samples * net.forward)},
        calls=passes * calls * net.call,
        passing=entry * (numbers + at_once),
    )


def _in_function_space(subject: Subject, train: Train) -> RunWork:
    """A step reads the rows of its batch once for all that train together, and multiplies them for each."""
    entry = _entry(train.precision)
    steps, batch = _steps(train, subject.train)
    numbers = float(train.epochs * steps * batch * subject.samples)
    shared = subject.data + gram(subject, subject.train, subject.test, entry)
    calls = train.epochs * steps * STEP_IN_FUNCTION_SPACE
    vectors = 4 * subject.samples * entry
    return RunWork(Work({"gram": numbers}, passing=vectors), shared + Work(read=numbers * entry, calls=calls))


def _probe(spec: ProbeRun, form: DataForm, resources: Resources) -> RunWork | None:
    subject = _subject(spec, form, resources)
    if subject is None:
        return None
    entry = _entry(spec.train.precision)
    return RunWork(subject.data + PROBES[spec.probe.kind](spec.probe, subject, entry).times(len(spec.epochs)))


def _alignment(probe: Any, subject: Subject, entry: int) -> Work:
    """By the tiles of a Gram, or by explicit gradients, whichever takes fewer operations."""
    samples, net, targets = subject.samples, subject.network, probe.top + 1
    tiles = gram(subject, samples, entry=entry)
    tiles = replace(tiles, held=0, scratch=0) + Work({"krylov": float(samples**2 * targets)})
    at_once = max(1, subject.resources.features // (2 * entry * net.parameters))
    chunks = -(-targets // at_once)
    gradients = {"features": 3.0 * chunks * samples * net.forward, "gram": float(samples * targets * net.parameters)}
    held = min(at_once, samples, GRADIENT_BATCH) + 2 * min(at_once, targets)  # gradients, sums, and what is added
    explicit = Work(gradients, passing=entry * net.parameters * held)
    chosen = min(tiles, explicit, key=lambda work: sum(work.operations.values()))
    return chosen + Work(held=8 * samples * targets)


def _of_gram(probe: Any, subject: Subject, entry: int) -> tuple[int, Work]:
    """The samples of a probe, and their Gram."""
    samples = min(probe.samples or subject.train, subject.train)
    return samples, gram(subject, samples, entry=entry)


def _energy_concentration(probe: Any, subject: Subject, entry: int) -> Work:
    samples, made = _of_gram(probe, subject, entry)
    return made + eigenpairs(samples, min(probe.top, samples), subject.resources)


def _spectrum_summary(probe: Any, subject: Subject, entry: int) -> Work:
    samples, made = _of_gram(probe, subject, entry)
    return made + Work({"decomposition": VALUES * samples**3}, passing=8 * samples**2)


def _rkhs_norm(probe: Any, subject: Subject, entry: int) -> Work:
    samples, made = _of_gram(probe, subject, entry)
    return made + eigenpairs(samples, samples, subject.resources)


PROBES: dict[str, Callable[[Any, Subject, int], Work]] = {
    "alignment": _alignment,
    "energy_concentration": _energy_concentration,
    "spectrum_summary": _spectrum_summary,
    "rkhs_norm": _rkhs_norm,
}

KINDS: dict[str, Callable[[Any, DataForm, Resources], RunWork | None]] = {
    "spectrum": _spectrum,
    "nads": _nads,
    "training": _training,
    "probe": _probe,
}
