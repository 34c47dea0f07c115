"""The complete description of one run of each kind: what its identity is made of."""

from typing import Annotated, Literal

from pydantic import Field

from linstudy.spec.base import Spec
from linstudy.spec.data import Data
from linstudy.spec.model import Model
from linstudy.spec.probe import AnyProbe
from linstudy.spec.spectrum import Spectrum
from linstudy.spec.task import Task
from linstudy.spec.train import Train


class SpectrumRun(Spec):
    """The eigendecomposition of the NTK Gram at initialization."""

    kind: Literal["spectrum"]
    data: Data
    model: Model
    spectrum: Spectrum
    seed: int


class NadsRun(Spec):
    """The neural anisotropy directions at the origin, at initialization."""

    kind: Literal["nads"]
    data: Data
    model: Model
    seed: int


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
