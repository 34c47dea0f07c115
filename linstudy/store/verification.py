"""Whether the stored files of some runs are what was recorded, read byte by byte."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from linstudy.store.artifacts import ArtifactStore, is_passing
from linstudy.store.query import Ask
from linstudy.store.quoting import literal


class Wrong(NamedTuple):
    """A file that is not what was recorded.

    Attributes:
        problem: `missing` or `damaged`.
        run: One of the runs that made it, with its kind.
        more: How many others there are.
    """

    problem: str
    path: str
    run: str
    more: int


@dataclass(frozen=True)
class Verification:
    """What became of the files of some runs.

    Attributes:
        bytes: Of all of them, as recorded.
        studies: The names of those that name a run whose file is wrong.
    """

    files: int
    bytes: int
    wrong: tuple[Wrong, ...]
    studies: tuple[str, ...]

    @property
    def counts(self) -> Counter[str]:
        """How many files are right, missing and damaged."""
        counts = Counter(one.problem for one in self.wrong)
        return Counter({"right": self.files - len(self.wrong)}) + counts


def verify(ask: Ask, runs: Collection[str], store: ArtifactStore, *, passing: bool) -> Verification:
    """Read the files of some runs.

    Args:
        passing: Whether states to go on from are read too, which a study that runs replaces.
    """
    own = f"artifact.run_id IN ({', '.join(map(literal, runs)) or 'NULL'})"
    rows = [row for row in ask(_FILES.format(own=own)).rows if passing or not is_passing(row[0])]
    wrong = tuple(_wrong(rows, store))
    names = ", ".join(literal(one.path) for one in wrong) or "NULL"
    studies = [name for (name,) in ask(_STUDIES.format(paths=names)).rows]
    return Verification(len(rows), sum(size for _, _, size, *_ in rows), wrong, tuple(studies))


_FILES = """
SELECT path, sha256, any_value(bytes), min(kind || ' ' || artifact.run_id), count(DISTINCT artifact.run_id)
FROM artifact JOIN run USING (run_id) WHERE {own} GROUP BY path, sha256 ORDER BY path
"""
_STUDIES = """
SELECT DISTINCT study FROM study_run JOIN artifact USING (run_id) WHERE path IN ({paths}) ORDER BY ALL
"""


def _wrong(rows: list[tuple], store: ArtifactStore) -> Iterator[Wrong]:
    for path, sha256, _, run, count in rows:
        if not store.file(path).is_file():
            yield Wrong("missing", path, run, count - 1)
        elif not store.has(path, sha256):
            yield Wrong("damaged", path, run, count - 1)
