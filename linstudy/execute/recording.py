"""From what a worker tells of its attempts to rows in the ledger."""

import time
from functools import singledispatchmethod

from linstudy.execute.messages import Chosen, Finished, Loaded, OfRun, Restart, Row, Stored
from linstudy.store.artifacts import Artifact
from linstudy.store.ledger import Ledger
from linstudy.store.rows import ArtifactRow, Batch, MetricRow, VectorRow

SECONDS_BETWEEN_BATCHES = 1.0


class Journal:
    """The rows of all attempts that wait to be written, in the order in which they were told.

    A checkpoint enters the ledger in one transaction with all rows before it, so that a training that goes on from
    it lacks none.
    """

    def __init__(self, ledger: Ledger):
        self.ledger = ledger
        self.metrics: list[MetricRow] = []
        self.vectors: list[VectorRow] = []
        self.artifacts: list[ArtifactRow] = []
        self._written = time.monotonic()

    def flush_if_due(self) -> None:
        """Write what has waited for a second."""
        if time.monotonic() - self._written >= SECONDS_BETWEEN_BATCHES:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        if self.metrics or self.vectors or self.artifacts:
            self.ledger.write(Batch(self.metrics, self.vectors, self.artifacts))
            self.metrics, self.vectors, self.artifacts = [], [], []
        self._written = time.monotonic()


class Recorder:
    """Writes down one attempt; `group` names the attempts that were started together with it."""

    def __init__(self, journal: Journal, run_id: str, environment: dict, group: str | None = None):
        self.started = time.monotonic()
        self.group = group
        self._journal = journal
        self._run_id = run_id
        self._attempt = journal.ledger.begin(run_id, {**environment, "fused_group": group})
        self._fingerprint: str | None = None
        self._methods: dict[str, str] = {}

    @singledispatchmethod
    def record(self, message: OfRun) -> None:
        """Note what was told; messages that leave no row are passed over."""

    @record.register
    def _(self, message: Row) -> None:
        place = (self._run_id, message.name, message.label, message.split, message.epoch)
        if isinstance(message.value, list):
            self._journal.vectors.append(VectorRow(*place, message.value))
        else:
            self._journal.metrics.append(MetricRow(*place, message.step, message.value))

    @record.register
    def _(self, message: Stored) -> None:
        artifact = Artifact(message.name, message.path, message.sha256, message.bytes, message.epoch)
        self._journal.artifacts.append(ArtifactRow(self._run_id, artifact))

    @record.register
    def _(self, message: Restart) -> None:
        self._journal.flush()
        self._journal.ledger.truncate(self._run_id, message.epoch)

    @record.register
    def _(self, message: Loaded) -> None:
        self._fingerprint = message.fingerprint

    @record.register
    def _(self, message: Chosen) -> None:
        self._methods[message.what] = message.how

    @record.register
    def _(self, message: Finished) -> None:
        self._journal.flush()
        self._journal.ledger.finish(
            self._attempt,
            message.outcome,
            message.error,
            message.traceback,
            fingerprint=self._fingerprint,
            methods=self._methods,
        )
