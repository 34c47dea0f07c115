"""What an opened workspace reads from: results of one moment, stored arrays, and the files that studies name."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from linstudy.data.places import Places
from linstudy.facts import Artifact
from linstudy.history import Stored, artifacts_by_role, fingerprints_by_role
from linstudy.resources import Resources
from linstudy.runs.job import Arrays, Job
from linstudy.spec.overrides import variant_arguments
from linstudy.spec.run import RunSpec
from linstudy.store.artifacts import ArtifactError, ArtifactStore
from linstudy.store.query import OpenResults
from linstudy.store.quoting import literal
from linstudy.store.stored import read_stored
from linstudy.store.workspace import Workspace


@dataclass(frozen=True, eq=False)
class Holdings:
    """Shared by an opened workspace and its runs.

    Attributes:
        places: Where the paths of specs are looked for.
        accept_changes: Whether code and data are taken that are not what was run.
        resources: Keeps the data of the last run for the next one.
    """

    workspace: Workspace
    results: OpenResults
    places: Places
    accept_changes: bool = False
    resources: Resources = field(default_factory=Resources)

    def job(self, run_id: str, spec: RunSpec, needs: Mapping[str, str]) -> Job:
        """What a run was given to work with."""
        stored = {role: self.stored_of(one) for role, one in {"self": run_id, **needs}.items()}
        command = self.command(run_id)
        return Job(
            spec=spec,
            name=run_id,
            artifacts={key: self._loader(own, command) for key, own in artifacts_by_role(stored).items()},
            fingerprints=fingerprints_by_role(stored),
            places=self.places,
            resources=self.resources,
            command=command,
        )

    def stored_of(self, run_id: str) -> Stored:
        """What is stored of a run."""
        return self._stored.get(run_id, Stored())

    def command(self, run_id: str) -> str:
        """What makes a run, and what it needs, again."""
        sql = f"SELECT study, variant FROM study_run WHERE run_id = {literal(run_id)} ORDER BY ALL LIMIT 1"
        [(study, variant)] = self.results.ask(sql).rows or [("STUDY", "")]
        return shlex.join(
            ["linstudy", "run", study, *variant_arguments(variant), "--workspace", str(self.workspace.root)]
        )

    @cached_property
    def _stored(self) -> dict[str, Stored]:
        return read_stored(lambda sql: self.results.ask(sql).rows)

    @cached_property
    def _store(self) -> ArtifactStore:
        return ArtifactStore(self.workspace.artifacts)

    def _loader(self, artifact: Artifact, command: str) -> Callable[[], Arrays]:
        def load() -> Arrays:
            try:
                return self._store.load(artifact.path, artifact.sha256)
            except ArtifactError as error:
                raise ArtifactError(f"{error}: {command}", error.paths) from error

        return load
