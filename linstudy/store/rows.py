"""What is registered before anything runs: studies and their runs."""

from collections.abc import Mapping
from typing import NamedTuple


class StudyRow(NamedTuple):
    """A study as it was read; `variant` tells its profiles and overrides apart."""

    name: str
    variant: str
    title: str
    document: str


class RunRow(NamedTuple):
    """A point of a study: its complete spec, the (role, run_id) of every run that it needs, and its setting."""

    run_id: str
    kind: str
    spec: Mapping[str, object]
    dependencies: tuple[tuple[str, str], ...] = ()
    source: str | None = None
<<<<<<< HEAD
=======
    setting_id: str | None = None


class MetricRow(NamedTuple):
    """A number. `label` tells two probes of one kind apart; `split` is train, test, train_running or empty."""

    run_id: str
    name: str
    label: str
    split: str
    epoch: int | None
    step: int | None
    value: float


class VectorRow(NamedTuple):
    """Numbers in order: eigenvalues, alignments."""

    run_id: str
    name: str
    label: str
    split: str
    epoch: int | None
    values: Sequence[float]


class ArtifactRow(NamedTuple):
    """A stored file that belongs to a run."""

    run_id: str
    artifact: Artifact


@dataclass(frozen=True)
class Batch:
    """Rows that become visible together. Written a second time under its `batch_id` it changes nothing."""

    metrics: Sequence[MetricRow] = ()
    vectors: Sequence[VectorRow] = ()
    artifacts: Sequence[ArtifactRow] = ()
    batch_id: str = field(default_factory=lambda: uuid4().hex)
>>>>>>> wt-settings
