"""The verification of a workspace, in lines."""

from collections.abc import Iterator

from linstudy.store.artifacts import ArtifactStore
from linstudy.store.lookup import find_runs
from linstudy.store.query import open_published
from linstudy.store.verification import Verification, verify
from linstudy.store.workspace import Workspace
from linstudy.text.amounts import count, rough_size

MOST_NAMED = 20
"""Files that are named, where more are wrong."""


def verify_files(workspace: Workspace, condition: str | None) -> tuple[Verification, list[str]]:
    """What became of the files of the runs for which a condition holds, and that in lines.

    Raises:
        LinstudyError: If the condition is wrong, or holds for none.
    """
    with open_published(workspace.results) as ask:
        runs = find_runs(ask, condition)
        passing = workspace.holder() is None
        found = verify(ask, runs, ArtifactStore(workspace.artifacts), passing=passing)
    return found, list(_describe(found, len(runs)))


def _describe(found: Verification, runs: int) -> Iterator[str]:
    for one in found.wrong[:MOST_NAMED]:
        yield f"{one.problem:<11} {one.path}  {one.run}{f' and {one.more} more' if one.more else ''}"
    if len(found.wrong) > MOST_NAMED:
        yield f"… and {len(found.wrong) - MOST_NAMED:,} more"
    counts = ", ".join(f"{number:,} {problem}" for problem, number in found.counts.items() if number)
    files = f"{count(found.files, 'artifact')}, {rough_size(found.bytes)}"
    yield f"{count(runs, 'run')}, {files}{f': {counts}' if counts else ''}"
    if found.wrong:
        studies = ", ".join(found.studies) or "the study that they were of"
        first = "Delete the damaged files. " if found.counts["damaged"] else ""
        yield f"{first}What is missing is made again by the same `linstudy run` that made it, of {studies}"
