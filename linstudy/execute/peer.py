"""A worker that is a process, here or elsewhere, told and heard over a link of lines."""

import contextlib
import json
import threading
import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Protocol, TextIO

from linstudy.execute.lease import silence
from linstudy.execute.messages import Beat, Command, Garbled, Message, Sender, receive
from linstudy.execute.worker import Settings
from linstudy.execute.workers import Inbox, Lost, Share, Worker

SECONDS_TO_LEAVE = 10
"""For a worker that has nothing to do to end by itself."""


@dataclass(frozen=True)
class Death:
    """How a process ended, and the end of what it printed; see `Lost`."""

    reason: str
    last_words: str = ""
    for_memory: bool = False


class Link(Protocol):
    """The way to a worker's process.

    Attributes:
        commands: Where it is told something; closed to let it end by itself.
        messages: The lines that it says, until it ends.
    """

    commands: TextIO
    messages: Iterable[str]

    @abstractmethod
    def kill(self) -> None:
        """End it now, with what it has started."""

    @abstractmethod
    def end(self) -> Death:
        """Wait for its end, once it says nothing more: some seconds long, then it is killed."""


class Peer(Worker):
    """The coordinator's side of a worker process.

    Args:
        settings, share: What it is told first.
        inbox: Where what it says goes, from now on.
    """

    def __init__(self, link: Link, settings: Settings, share: Share, inbox: Inbox):
        self._link = link
        self._sender = Sender(link.commands)
        self._lease = settings.lease
        self._reason = ""
        self._hearing, self._heard, self._is_given_up = threading.Lock(), 0.0, False
        self._has_ended = threading.Event()
        self._telling, self._has_told = threading.Lock(), False
        own = replace(settings, memory=share.memory, cpus=share.cpus, environment=dict(share.environment))
        with contextlib.suppress(OSError):
            link.commands.write(json.dumps(asdict(own)) + "\n")
            link.commands.flush()
        threading.Thread(target=self._listen, args=(inbox,), daemon=True).start()

    def send(self, command: Command) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._sender.send(command)

    def kill(self) -> None:
        with self._hearing:
            self._is_given_up = True
        self._link.kill()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._link.commands.close()
        if not self._has_ended.wait(timeout=SECONDS_TO_LEAVE):
            self.kill()
            self._has_ended.wait(timeout=SECONDS_TO_LEAVE)

    def _listen(self, inbox: Inbox) -> None:
        """Hand on what is said until the process ends; whatever goes wrong here is the loss of the worker."""
        try:
            for message in self._hear(inbox):
                inbox.put((self, message))  # type: ignore[arg-type]
        except Exception as error:
            self._give_up(f"its messages cannot be read: {type(error).__name__}: {error}")
        death = Death("its end cannot be told")
        try:
            death = self._link.end()
        finally:
            self._has_ended.set()
            self._tell_lost(inbox, death)

    def _hear(self, inbox: Inbox) -> Iterator[Message | Garbled]:
        """What is said, but for beats. Each is answered until the worker is killed, or given up.

        So its lease ends it where nothing here can.
        """
        for message in receive(self._link.messages):
            if not isinstance(message, Beat):
                yield message
                continue
            with self._hearing:
                if self._is_given_up:
                    continue
                is_first, self._heard = not self._heard, time.monotonic()
            if is_first:
                threading.Thread(target=self._watch, args=(inbox,), daemon=True).start()
            self.send(message)

    def _watch(self, inbox: Inbox) -> None:
        """Give the worker up when its beats stop, also where nothing here can end it or what it holds open."""
        assert self._lease is not None
        patience = silence(self._lease)
        while not self._has_ended.wait(timeout=max(0.0, self._heard + patience - time.monotonic())):
            with self._hearing:  # no beat is answered once it is given up: another may make its runs
                is_silent = time.monotonic() - self._heard >= patience
                self._is_given_up |= is_silent
            if is_silent:
                self._give_up(f"nothing was heard of it for {patience:g} s")
                self._has_ended.wait(timeout=SECONDS_TO_LEAVE)
                return self._tell_lost(inbox, Death(self._reason))

    def _give_up(self, reason: str) -> None:
        self._reason = reason
        self.kill()

    def _tell_lost(self, inbox: Inbox, death: Death) -> None:
        """The last event, which comes once."""
        with self._telling:
            if not self._has_told:
                self._has_told = True
                lost = Lost(
                    self._reason or death.reason,
                    death.last_words,
                    is_remote=self._lease is not None,
                    for_memory=death.for_memory and not self._reason,
                )
                inbox.put((self, lost))
