"""What waits to be written of one attempt."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from linstudy.facts import Artifact, Ending, Fingerprint, Method, Notice, Number, Vector

CHANGING = ("attempt_id", "fingerprint", "methods", "notices", "status", "finished", "error", "traceback")
"""The columns of an attempt that its facts fill in."""


class Rejected(NamedTuple):
    """An attempt whose facts the database does not take, and why."""

    attempt: int
    run_id: str
    reason: str


class VectorRow(NamedTuple):
    """A vector of a run."""

    run_id: str
    vector: Vector


@dataclass
class Entry:
    """An attempt that is not over: its start, if that is not written yet, and what was reported since the last writing.

    Methods, notices and the fingerprint stay until the end, since they share the attempt's row.
    """

    attempt: int
    run_id: str
    start: tuple[object, ...] | None = None
    numbers: list[tuple[object, ...]] = field(default_factory=list)
    vectors: list[VectorRow] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    methods: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    fingerprint: str | None = None
    ending: Ending | None = None
    finished: datetime | None = None
    has_changed: bool = False

    def add(self, facts: Sequence[object], now: datetime) -> None:
        """Sort some facts; those that leave no row are passed over."""
        for fact in facts:
            self.has_changed |= isinstance(fact, Method | Notice | Fingerprint | Ending)
            match fact:
                case Number():
                    place = (fact.metric.name, fact.label, fact.split, fact.epoch, fact.step)
                    self.numbers.append((self.run_id, *place, fact.value))
                case Vector():
                    self.vectors.append(VectorRow(self.run_id, fact))
                case Artifact():
                    self.artifacts.append(fact)
                case Method():
                    self.methods[fact.what] = fact.how
                case Notice() if fact.text not in self.notices:
                    self.notices.append(fact.text)
                case Fingerprint():
                    self.fingerprint = fact.value
                case Ending():
                    self.ending, self.finished = fact, now

    def end_only(self, ending: Ending, now: datetime) -> "Entry":
        """The same attempt with nothing but an ending."""
        return Entry(self.attempt, self.run_id, self.start, ending=ending, finished=now, has_changed=True)

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to write."""
        return bool(self.start or self.numbers or self.vectors or self.artifacts or self.has_changed)

    def clear(self) -> None:
        """All of it is written."""
        self.start, self.numbers, self.vectors, self.artifacts, self.has_changed = None, [], [], [], False

    @property
    def is_final(self) -> bool:
        """Whether the run does not go on from here."""
        return self.ending is not None and self.ending.outcome in ("done", "diverged")

    def changes(self) -> tuple[object, ...]:
        """The columns `CHANGING` of the attempt's row; None leaves one as it is."""
        end = self.ending
        methods = json.dumps(self.methods) if self.methods else None
        known = (self.attempt, self.fingerprint, methods, self.notices or None)
        return (*known, *((end.outcome, self.finished, end.error, end.traceback) if end else (None,) * 4))
