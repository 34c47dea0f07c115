"""From what a worker tells of one attempt to rows in the ledger."""

import time
from functools import singledispatchmethod

from linstudy.execute.messages import Finished, Loaded, Message, Restart, Row, Stored
from linstudy.store.artifacts import Artifact
from linstudy.store.ledger import Ledger
from linstudy.store.rows import ArtifactRow, Batch, MetricRow, VectorRow

SECONDS_BETWEEN_BATCHES = 1.0


class Recorder:
    """Writes the rows of one attempt in batches, in the order in which they were told.

    A checkpoint enters the ledger in one transaction with all rows before it, so that a training that goes on from
    it lacks none.
    """

    def __init__(self, ledger: Ledger, run_id: str, environment: dict):
        self.started = time.monotonic()
        self._ledger = ledger
        self._run_id = run_id
        self._attempt = ledger.begin(run_id, environment)
        self._fingerprint: str | None = None
        self._written = time.monotonic()
        self._metrics: list[MetricRow] = []
        self._vectors: list[VectorRow] = []
        self._artifacts: list[ArtifactRow] = []

    @singledispatchmethod
    def record(self, message: Message) -> None:
        """Note what was told; messages that leave no row are passed over."""

    @record.register
    def _(self, message: Row) -> None:
        place = (self._run_id, message.name, message.label, message.split, message.epoch)
        if isinstance(message.value, list):
            self._vectors.append(VectorRow(*place, message.value))
        else:
            self._metrics.append(MetricRow(*place, message.step, message.value))

    @record.register
    def _(self, message: Stored) -> None:
        artifact = Artifact(message.name, message.path, message.sha256, message.bytes, message.epoch)
        self._artifacts.append(ArtifactRow(self._run_id, artifact))
        self.flush()

    @record.register
    def _(self, message: Restart) -> None:
        self.flush()
        self._ledger.truncate(self._run_id, message.epoch)

    @record.register
    def _(self, message: Loaded) -> None:
        self._fingerprint = message.fingerprint

    @record.register
    def _(self, message: Finished) -> None:
        self.flush()
        self._ledger.finish(
            self._attempt, message.outcome, message.error, message.traceback, fingerprint=self._fingerprint
        )

    def flush_if_due(self) -> None:
        """Write what has waited for a second."""
        if time.monotonic() - self._written >= SECONDS_BETWEEN_BATCHES:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        if self._metrics or self._vectors or self._artifacts:
            self._ledger.write(Batch(self._metrics, self._vectors, self._artifacts))
            self._metrics, self._vectors, self._artifacts = [], [], []
        self._written = time.monotonic()
