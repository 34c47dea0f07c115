"""What is forgotten and cleaned, in lines."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from linstudy.store.clean import Cleaning, find_superfluous
from linstudy.store.forget import Forgetting, Scope, find_forgotten
from linstudy.store.query import open_published
from linstudy.store.removal import File, Found, remove
from linstudy.store.rows import study_name
from linstudy.store.workspace import Workspace
from linstudy.text.amounts import count, rough_size

MOST_NAMED = 5
"""Runs that are named, where more stay."""

UNNAMED_RUNS = "run_id NOT IN (SELECT run_id FROM study_run)"
"""The condition for runs that no study names."""

IN_USE = "A study runs here now: what it has written and not published yet counts as named by no row"


def forget(workspace: Workspace, scope: Scope, *, yes: bool) -> Iterator[str]:
    """What goes of a scope and what stays; it goes only if `yes`.

    Raises:
        LinstudyError: As `find_forgotten` and `remove`.
    """
    if yes:
        found = remove(workspace, lambda ask: find_forgotten(ask, scope, workspace))
    else:
        with open_published(workspace.results) as ask:
            found = find_forgotten(ask, scope, workspace)
    yield from _describe_forgetting(found, scope)
    yield _end(found, yes)


def clean(workspace: Workspace, *, yes: bool) -> Iterator[str]:
    """What a workspace holds that nothing needs any more; it goes only if `yes`.

    Raises:
        LinstudyError: As `remove`.
    """
    if yes:
        found = remove(workspace, lambda ask: find_superfluous(ask, workspace))
    else:
        with open_published(workspace.results) as ask:
            found = find_superfluous(ask, workspace)
        if workspace.holder():
            yield IN_USE
    yield from _describe_cleaning(found)
    yield _end(found, yes)


def _end(found: Found, yes: bool) -> str:
    if found.removal.is_empty:
        return "Nothing to take out."
    return "Taken out." if yes else "Nothing is taken out yet. The same command with --yes does it."


def _describe_forgetting(found: Forgetting, scope: Scope) -> Iterator[str]:
    removal = found.removal
    for name, variant in removal.studies:
        yield f"study {study_name(name, variant)}"
    if scope.condition is not None:
        counts = Counter((point.study, point.variant) for point in removal.points)
        yield from (f"{count(number, 'run')} of study {study_name(*study)}" for study, number in counts.items())
    states = ", ".join(f"{number} {state}" for state, number in found.states.items())
    yield (
        f"{count(len(removal.runs), 'run')}{f' ({states})' if states else ''}: "
        f"{count(found.attempts, 'attempt')}, {count(found.rows, 'row')} of numbers and vectors"
    )
    yield from _describe_files(removal.files)
    if found.notes:
        yield f"{count(found.notes, 'note')} and tags" if found.notes > 1 else "1 note or tag"
    if found.named:
        yield f"{_stay(len(found.named))}, named by another study or variant: {_first(found.named)}"
    if found.needed:
        needed = [f"{run_id} (by {other})" for run_id, other in sorted(found.needed.items())]
        yield f"{_stay(len(needed))}, needed by runs that stay: {_first(needed)}"


def _describe_cleaning(found: Cleaning) -> Iterator[str]:
    if states := ", ".join(f"{number} {state}" for state, number in found.states.items()):
        yield f"{count(len(found.removal.runs), 'run')} without a result that no study names: {states}"
    yield from _describe_files(found.removal.files)
    if found.orphans:
        yield (
            f'{_stay(found.orphans)}, named by no study. To take them out too: linstudy forget --only "{UNNAMED_RUNS}"'
        )


def _describe_files(files: Mapping[str, Collection[File]]) -> Iterator[str]:
    for what, some in files.items():
        if some:
            yield f"{what}: {count(len(some), 'file')}, {_size(sum(file.bytes for file in some))}"


def _stay(number: int) -> str:
    return "1 run stays" if number == 1 else f"{number:,} runs stay"


def _first(names: Collection[str]) -> str:
    return ", ".join(list(names)[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "")


def _size(size: int) -> str:
    return rough_size(size) if size >= 1000 else f"{size} bytes"
