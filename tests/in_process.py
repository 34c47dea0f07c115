"""Runs executed in this process, one after another, as a coordinator would hand them to a worker."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from linstudy.data.places import HERE, Places
from linstudy.facts import RESUME, Artifact, Ending, Method, Number, Vector
from linstudy.history import Stored, resumption
from linstudy.resources import Resources
from linstudy.runs.job import Job, Stopped
from linstudy.runs.kinds import KINDS, TOGETHER
from linstudy.store.artifacts import ArtifactStore


@dataclass
class Told:
    """What the runs of a study told, by run id.

    Attributes:
        facts: All of them, in order.
        rows: The numbers and vectors that are stored: those that a ledger would have deleted are not among them.
    """

    plan: object
    store: ArtifactStore
    places: Places = HERE
    resources: Resources = field(default_factory=Resources)
    stored: dict = field(default_factory=dict)
    facts: dict = field(default_factory=dict)
    rows: dict = field(default_factory=dict)

    def of(self, kind):
        """The ids of the runs of a kind, in the order of the plan."""
        return [run_id for run_id, run in self.plan.runs.items() if run.kind == kind]

    def values(self, run_id, metric, split=None, label=""):
        """The values of a metric by epoch, each of which must be stored once."""
        rows = [row for row in self.rows[run_id] if row.metric is metric and split in (None, row.split)]
        rows = [row for row in rows if row.label == label]
        assert len({row.epoch for row in rows}) == len(rows)
        return {row.epoch: row.value if isinstance(row, Number) else row.values for row in rows}

    def methods(self, run_id):
        """How a run computed what it could have computed otherwise."""
        return [fact for fact in self.facts[run_id] if isinstance(fact, Method)]

    def arrays(self, run_id, name, epoch=None):
        """The arrays of a stored artifact."""
        artifact = self.stored[run_id].artifacts[(name, epoch)]
        return self.store.load(artifact.path, artifact.sha256)

    def lose(self, run_id, name, epoch):
        """Take a stored file for lost."""
        stored = self.stored[run_id]
        self.stored[run_id] = stored.without([stored.artifacts[(name, epoch)].path])

    def execute(self, run, stop=lambda: False):
        """One attempt at a run; gives what it told."""
        return self._attempt([run], lambda jobs: KINDS[run.kind](jobs[0]), stop)[0]

    def execute_together(self, runs, stop=lambda: False):
        """One attempt at several runs at once; gives what each told."""
        return self._attempt(runs, TOGETHER[runs[0].kind], stop)

    def _attempt(self, runs, compute, stop) -> list[Sequence]:
        before = [len(self.facts.get(run.run_id, ())) for run in runs]
        jobs = [self._begin(run, stop) for run in runs]
        try:
            compute(jobs)
            ending = Ending("done")
        except Stopped:
            ending = Ending("interrupted")
        for job in jobs:
            job.tell(ending)
        return [self.facts[run.run_id][start:] for run, start in zip(runs, before, strict=True)]

    def _begin(self, run, stop):
        own = self.stored.get(run.run_id, Stored())
        how = resumption(run, own)
        self.stored[run.run_id] = own.cut(how.kept)
        last = -1 if how.kept is None else how.kept
        rows = self.rows.get(run.run_id, [])
        self.rows[run.run_id] = [row for row in rows if row.epoch is not None and row.epoch <= last]
        return self._job(run, how, stop)

    def _job(self, run, how, stop):
        roles = {"self": run.run_id, **{need.role: need.run_id for need in run.needs}}
        return Job(
            spec=run.spec,
            kept=how.kept,
            legs=how.legs,
            artifacts={
                (role, *key): self._loader(artifact)
                for role, run_id in roles.items()
                for key, artifact in self.stored[run_id].artifacts.items()
            },
            fingerprints={role: its for role, run_id in roles.items() if (its := self.stored[run_id].fingerprint)},
            places=self.places,
            resources=self.resources,
            tell=self._teller(run.run_id),
            store=self._saver(run.run_id),
            stop=stop,
        )

    def _loader(self, artifact: Artifact):
        return lambda: self.store.load(artifact.path, artifact.sha256)

    def _saver(self, run_id):
        def save(name, arrays, epoch, replaces):
            owner = run_id if name == RESUME else ""
            return self.store.save(name, arrays, epoch, replaces=replaces, owner=owner)

        return save

    def _teller(self, run_id):
        told, ended = self.facts.setdefault(run_id, []), False

        def tell(*facts):
            nonlocal ended
            if ended:
                return
            for fact in facts:
                told.append(fact)
                ended = isinstance(fact, Ending)
                self.stored[run_id] = self.stored[run_id].after(fact)
                if isinstance(fact, Number | Vector):
                    self.rows[run_id].append(fact)

        return tell
