"""A thousand workers at one coordinator: their processes are played by one other, the rest is the product's.

Run as a program it plays: `many_workers.py FEED...`, descriptors in pairs, to hear and to speak.
"""

import json
import os
import selectors
import sys
import time
from collections.abc import Sequence

EPOCHS = 10
"""Of each training, of which each tells four numbers and its progress."""

BEAT = 5.0


class Played:
    """One worker that is played: it makes what it is told, an epoch at each turn."""

    def __init__(self, read: int, write: int):
        self.read, self._write, self._rest = read, write, b""
        self._sent, self._beats = 0, 0
        self._todo: list[tuple[int, int]] = []
        self._is_told = False

    def take(self) -> bool:
        """Hear what has come; whether the coordinator is still there."""
        data = os.read(self.read, 2**16)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in filter(None, lines):
            if not self._is_told:  # its settings come first
                self._is_told = True
                self._say("Hello", device="none: played", versions={}, host="nowhere")
            elif (message := json.loads(line))["message"] == "Start":
                for attempt in message["attempts"]:
                    self._todo += [(attempt["attempt"], epoch) for epoch in range(EPOCHS + 1)]
        return bool(data)

    def beat(self) -> None:
        self._say("Beat", count=self._beats)
        self._beats += 1

    def work(self) -> bool:
        """Tell of one epoch; whether there is another."""
        if self._todo:
            attempt, epoch = self._todo.pop(0)
            self._say("Report", **_report(attempt, epoch, is_last=epoch == EPOCHS))
        return bool(self._todo)

    def leave(self) -> None:
        """End, as a process does."""
        self._todo = []
        os.close(self._write)

    def _say(self, message: str, **content: object) -> None:
        line = json.dumps({"number": self._sent, "message": message, **content})
        os.write(self._write, f"\n{line}\n".encode())
        self._sent += 1


def _report(attempt: int, epoch: int, *, is_last: bool) -> dict[str, object]:
    """As `facts.encode` has it."""
    from linstudy import metrics
    from linstudy.facts import CHECKPOINT, Artifact, Ending, Fact, Number, Progress, Report, encode

    splits = [(metric, split) for split in ("train", "test") for metric in (metrics.LOSS, metrics.ACCURACY)]
    facts: list[Fact] = [Number(metric, 0.5, split, epoch, epoch) for metric, split in splits]
    facts.append(Progress(epoch / EPOCHS, f"epoch {epoch}/{EPOCHS}"))
    if epoch in (0, EPOCHS):
        facts.append(Artifact(CHECKPOINT, f"artifacts/00/{attempt}-{epoch}.safetensors", "0" * 64, 0, epoch))
    if is_last:
        facts.append(Ending("done"))
    return encode(Report(attempt, tuple(facts)))


def play(descriptors: Sequence[int]) -> None:
    """Be all workers until the coordinator has closed every channel."""
    selector, workers = selectors.DefaultSelector(), []
    for read, write in zip(descriptors[::2], descriptors[1::2], strict=True):
        workers.append(Played(read, write))
        selector.register(read, selectors.EVENT_READ, workers[-1])
    busy: list[Played] = []
    next_beat = time.monotonic()
    while selector.get_map():
        for key, _ in selector.select(timeout=0 if busy else 0.1):
            if key.data.take():
                busy.append(key.data)
            else:
                selector.unregister(key.fd)
                workers.remove(key.data)
                key.data.leave()
        busy = [worker for worker in dict.fromkeys(busy) if worker.work()]
        if time.monotonic() > next_beat:
            next_beat += BEAT
            for worker in workers:
                worker.beat()


if __name__ == "__main__":
    play([int(word) for word in sys.argv[1].split(",")])
