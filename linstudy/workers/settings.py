"""What a worker is told before anything else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from linstudy.data.places import Places


@dataclass(frozen=True)
class Settings:
    """What a worker is told first, as a line of its own.

    Attributes:
        artifacts: The folder of stored arrays.
        study_folder: Where the study file lies, and what it names.
        data_folder: Where data sets lie; the platform's cache if None.
        memory: Bytes that it may use; those there are if None.
        cpus: The processors that it may use, counted from 0 among those that it finds, and round again; all if None.
        scratch: Where files go that exceed memory; beside the artifacts if None.
        compile_cache: Where compiled programs are kept between studies; nowhere if None.
        environment: Variables to set before anything heavy is imported.
        mark: A file of the workspace and what stands in it, for a worker that may be on another machine, where the
            folder must be the same; None for one that is here.
        lease: Seconds that one that may be on another machine may write since it was heard; None for one that is here.
        may_leave: Whether its place may end while the study goes on in others, which a signal means then.
    """

    artifacts: str
    study_folder: str = ""
    data_folder: str | None = None
    memory: int | None = None
    cpus: Sequence[int] | None = None
    scratch: str | None = None
    compile_cache: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    mark: tuple[str, str] | None = None
    lease: float | None = None
    may_leave: bool = False

    @property
    def places(self) -> Places:
        """Where the paths of specs are looked for."""
        return Places(Path(self.study_folder), Path(self.data_folder) if self.data_folder else None)
