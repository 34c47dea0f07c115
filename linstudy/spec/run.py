"""The complete description of one run of each kind: what its identity is made of."""

from typing import Annotated, Literal

from pydantic import Field

from linstudy.spec.base import Spec
from linstudy.spec.data import Data
from linstudy.spec.model import Model
from linstudy.spec.nads import Nads
from linstudy.spec.probe import AnyProbe
from linstudy.spec.spectrum import Spectrum
from linstudy.spec.task import Task
from linstudy.spec.train import Train


class SpectrumRun(Spec):
    """The eigendecomposition of the NTK Gram at initialization, over the inputs of a task.

    Attributes:
        task: The task, where it makes its inputs; None where they are those of the data.
        seed: None for an infinite-width kernel, which has no initialization.
    """

    kind: Literal["spectrum"]
    data: Data
    model: Model
    spectrum: Spectrum
    task: Task | None = None
    seed: int | None


class NadsRun(Spec):
    """The neural anisotropy directions at initialization: those of a model on inputs of a shape.

    Attributes:
        data: The data over which they are averaged; None if they are those at the origin.
    """

    kind: Literal["nads"]
    model: Model
    shape: tuple[int, ...]
    seed: int
    nads: Nads = Nads()
    data: Data | None = None


class TrainingRun(Spec):
    """One training of a network or of a linearization."""

    kind: Literal["training"]
    data: Data
    model: Model
    task: Task
    train: Train
    seed: int


class ProbeRun(Spec):
    """One probe on the checkpoints of a training; `epochs` are the probe's, resolved."""

    kind: Literal["probe"]
    data: Data
    model: Model
    task: Task
    train: Train
    probe: AnyProbe
    epochs: tuple[int, ...]
    seed: int


RunSpec = Annotated[SpectrumRun | NadsRun | TrainingRun | ProbeRun, Field(discriminator="kind")]


def as_training(spec: RunSpec) -> TrainingRun | None:
    """The spec, if it is a training's."""
    return spec if isinstance(spec, TrainingRun) else None
