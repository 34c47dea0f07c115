"""Workers of this process, which say what a test tells them to, and a display that keeps what it is told."""

from dataclasses import dataclass, field

from linstudy.workers.contract import Lost, Share
from linstudy.workers.messages import Hello, Help, Release, Start, Stop


class Scripted:
    """A worker that answers each command by a function of its own; it lives until it is killed or closed."""

    def __init__(self, workers, share, inbox):
        self.workers, self.share, self.inbox = workers, share, inbox
        self.starts, self.is_gone = [], False
        self.say(Hello("abacus: wood", {"jax": "1"}))

    def say(self, *events):
        for event in events:
            self.inbox.put((self, event))

    def send(self, command):
        if isinstance(command, Start):
            self.starts.append(command)
            self.workers.answer(self, command)
        elif isinstance(command, Help | Release):
            self.workers.help(self, command)
        elif isinstance(command, Stop):
            self.workers.stop(self)

    def kill(self):
        self.leave("killed")

    def close(self):
        self.leave("closed")

    def leave(self, reason, last_words="", *, is_remote=False, for_memory=False):
        if not self.is_gone:
            self.is_gone = True
            self.workers.left.append(reason)
            self.say(Lost(reason, last_words, is_remote, for_memory))


@dataclass
class ScriptedWorkers:
    """Where they start; `answer`, `help` and `stop` say what they do, `shares` where they can be."""

    answer: object = None
    help: object = None
    stop: object = lambda worker: None
    started: list = field(default_factory=list)
    left: list = field(default_factory=list)
    shares: list = field(default_factory=lambda: [Share()])

    def places(self):
        return self.shares

    def start(self, share, inbox):
        self.started.append(Scripted(self, share, inbox))
        return self.started[-1]


@dataclass
class Notes:
    """A display that keeps what it is told."""

    lines: list = field(default_factory=list)

    def begin(self, total, left):
        pass

    def started(self, runs):
        self.lines.append(("started", len(runs)))

    def progressed(self, run, fraction, text):
        pass

    def finished(self, run, outcome, error, seconds, blocked=()):
        self.lines.append((outcome, error))

    def postponed(self, run, error):
        self.lines.append(("postponed", error))

    def parted(self, run, error):
        self.lines.append(("parted", error))

    def moved(self, run, error, *to):
        self.lines.append(("moved", error, *to))

    def note(self, text):
        self.lines.append(("note", text))

    def close(self):
        pass
