"""The seam between what runs next and where it runs: start a worker, tell it, hear it, end it.

Nothing above this interface knows a process or a pipe. `processes` starts them on this machine or through a launcher,
`dask` in a Dask cluster.
"""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from queue import Queue
from typing import Protocol

from linstudy.facts import Report
from linstudy.workers.messages import Command, Garbled, Hello, Interrupt, Leaving


@dataclass(frozen=True)
class Share:
    """What one of several workers may use.

    Attributes:
        environment: Variables that say which devices.
        memory: Bytes; None for all there are.
        cpus: Its processors, counted from 0 among those where it starts, and round again; None for all of them.
        place: The name of the place that it is in, where there are several that one of them may leave.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    memory: int | None = None
    cpus: tuple[int, ...] | None = None
    place: str = ""

    @property
    def capacity(self) -> float:
        """Bytes of memory, infinite where no number is known, to compare places by."""
        return math.inf if self.memory is None else self.memory


@dataclass(frozen=True)
class Lost:
    """The worker is gone, or cannot be heard any more.

    Attributes:
        reason: What is known of it.
        last_words: The end of what it printed.
        is_remote: Whether it was elsewhere, so that the place may have been lost, with nothing wrong in its runs.
        for_memory: Whether it was killed as a process is that takes more memory than there is.
    """

    reason: str
    last_words: str = ""
    is_remote: bool = False
    for_memory: bool = False


Event = Hello | Report | Interrupt | Leaving | Garbled | Lost


class Worker(Protocol):
    """A started worker. Its events arrive in the inbox; `Lost` is the last one, and always comes."""

    @abstractmethod
    def send(self, command: Command) -> None:
        """Tell it something; does nothing for a worker that is gone."""

    @abstractmethod
    def kill(self) -> None:
        """End it now, whatever it is at."""

    @abstractmethod
    def close(self) -> None:
        """Let it go: it ends by itself, or is killed after some seconds."""


Inbox = Queue[tuple[Worker, Event]]


class Workers(Protocol):
    """Where workers can be started."""

    @abstractmethod
    def places(self) -> Sequence[Share]:
        """What each of the workers that there can be now may use; more or fewer may be there later."""

    @abstractmethod
    def start(self, share: Share, inbox: Inbox) -> Worker:
        """Start one in a place that has none. It says `Hello` once it is ready."""
