"""A worker that is a process, here or elsewhere, told and heard over a link of lines."""

import contextlib
import json
import threading
import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Protocol, TextIO

from linstudy.workers.contract import Inbox, Lost, Share, Worker
from linstudy.workers.lease import silence
from linstudy.workers.messages import Beat, Command, Garbled, Message, Sender, receive
from linstudy.workers.settings import Settings

SECONDS_TO_LEAVE = 10
"""For a worker that has nothing to do to end by itself."""


@dataclass(frozen=True)
class Death:
    """How a process ended, and the end of what it printed; see `Lost`.

    Attributes:
        is_cut: Whether it is the connection that ended: the process may still be there.
    """

    reason: str
    last_words: str = ""
    for_memory: bool = False
    is_cut: bool = False


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
        self._sender, self._inbox = Sender(link.commands), inbox
        self._lease = settings.lease
        self._reason = ""
        self._hearing, self._heard, self._is_given_up = threading.Lock(), 0.0, False
        self._has_ended = threading.Event()
        self._telling, self._has_told = threading.Lock(), False
        own = replace(settings, memory=share.memory, cpus=share.cpus, environment=dict(share.environment))
        with contextlib.suppress(OSError):
            link.commands.write(json.dumps(asdict(own)) + "\n")
            link.commands.flush()
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, command: Command) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._sender.send(command)

    def kill(self) -> None:
        with self._hearing:
            self._is_given_up = True
        self._link.kill()
        lease = 0.0 if self._lease is None else self._heard + silence(self._lease) - time.monotonic()
        # one that waits for a disk that is gone, or is out of reach, may not end
        timer = threading.Timer(max(SECONDS_TO_LEAVE, lease), self._tell_lost, args=(Death("it could not be ended"),))
        timer.daemon = True
        timer.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._link.commands.close()
        if not self._has_ended.wait(timeout=SECONDS_TO_LEAVE):
            self.kill()
            self._has_ended.wait(timeout=SECONDS_TO_LEAVE)

    def _listen(self) -> None:
        """Hand on what is said until the process ends; whatever goes wrong here is the loss of the worker."""
        try:
            for message in self._hear():
                self._inbox.put((self, message))  # type: ignore[arg-type]
        except Exception as error:
            self._give_up(f"its messages cannot be read: {type(error).__name__}: {error}")
        death = Death("its end cannot be told")
        try:
            death = self._link.end()
            if death.is_cut and self._lease is not None:
                time.sleep(max(0.0, self._heard + self._lease - time.monotonic()))
        finally:
            self._has_ended.set()
            self._tell_lost(death)

    def _hear(self) -> Iterator[Message | Garbled]:
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
                threading.Thread(target=self._watch, daemon=True).start()
            self.send(message)

    def _watch(self) -> None:
        """Give the worker up when its beats stop, also where nothing here can end it or what it holds open."""
        assert self._lease is not None
        patience = silence(self._lease)
        while not self._has_ended.wait(timeout=max(0.0, self._heard + patience - time.monotonic())):
            with self._hearing:  # no beat is answered once it is given up: another may make its runs
                is_silent = time.monotonic() - self._heard >= patience
                self._is_given_up |= is_silent
            if is_silent:
                return self._give_up(f"nothing was heard of it for {patience:g} s")

    def _give_up(self, reason: str) -> None:
        self._reason = reason
        self.kill()

    def _tell_lost(self, death: Death) -> None:
        """The last event, which comes once."""
        with self._telling:
            self._has_ended.set()  # or nobody waits for that any more
            if not self._has_told:
                self._has_told = True
                lost = Lost(
                    self._reason or death.reason,
                    death.last_words,
                    is_remote=self._lease is not None,
                    for_memory=death.for_memory and not self._reason,
                )
                self._inbox.put((self, lost))
