"""Which runs go where a study, a variant of it, or selected runs are forgotten, and which stay."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from linstudy.spec.errors import LinstudyError
from linstudy.spec.vocabulary import nearest
from linstudy.store.lookup import find_runs
from linstudy.store.notes import read_notes
from linstudy.store.query import Ask
from linstudy.store.quoting import literal
from linstudy.store.removal import Point, Removal, files_of, needed_by_others, read_dependencies
from linstudy.store.workspace import Workspace


@dataclass(frozen=True)
class Scope:
    """What is to be forgotten.

    Attributes:
        study: Its points alone; None for the runs of all studies, and of none.
        variant: This one alone; None for all of the study.
        condition: SQL over the columns of the view `runs`; None for all of the study, and the study itself.
    """

    study: str | None = None
    variant: str | None = None
    condition: str | None = None

    def covers(self, point: Point) -> bool:
        """Whether a point is of the study that is meant."""
        return self.study in (None, point.study) and self.variant in (None, point.variant)


@dataclass(frozen=True)
class Forgetting:
    """What goes and what stays of what is to be forgotten.

    Attributes:
        states: How many of the runs that go are done, failed, …
        attempts, rows: Of the runs that go; `rows` are numbers and vectors.
        notes: That go with runs and studies, tags included.
        named: Runs that stay, since another study names them.
        needed: Runs that stay, since another one needs them, each with that one.
    """

    removal: Removal
    states: Mapping[str, int]
    attempts: int
    rows: int
    named: Collection[str]
    needed: Mapping[str, str]
    notes: int = 0


def find_forgotten(ask: Ask, scope: Scope, workspace: Workspace) -> Forgetting:
    """What goes of a scope: runs that no other study names, and that no run which stays needs.

    Raises:
        LinstudyError: If there is no such study, or the condition is wrong or holds for none.
    """
    studies = [(name, variant) for name, variant in _studies(ask) if scope.covers(Point(name, variant, ""))]
    if not studies and scope.study is not None:
        raise LinstudyError(_unknown(ask, scope))
    points = [Point(*row) for row in ask("SELECT study, variant, run_id FROM study_run ORDER BY ALL").rows]
    dependencies = read_dependencies(ask)
    chosen = _choose(ask, scope, points)
    needed = {}
    if scope.condition is not None:  # what stays of the study must stay whole
        needed = needed_by_others(chosen, dependencies)
        chosen -= needed.keys()
    leaving = [point for point in points if scope.covers(point) and point.run_id in chosen]
    named = chosen & {point.run_id for point in set(points) - set(leaving)}
    needed |= needed_by_others(chosen - named, dependencies)
    gone = chosen - named - needed.keys()
    removal = Removal(
        studies=studies if scope.condition is None else (),
        points=leaving,
        runs=sorted(gone),
        files=files_of(ask, gone, workspace),
    )
    left = {name for name, variant in _studies(ask) if (name, variant) not in removal.studies}
    notes = read_notes(ask, gone | {name for name, _ in removal.studies} - left)
    return Forgetting(removal, *_count(ask, gone), sorted(named), needed, len(notes))


def _choose(ask: Ask, scope: Scope, points: Collection[Point]) -> set[str]:
    chosen = {point.run_id for point in points if scope.covers(point)}
    if scope.condition is None:
        return chosen
    matching = set(find_runs(ask, scope.condition))
    if scope.study is None:
        return matching
    if not chosen & matching:
        raise LinstudyError(f"--only: the condition holds for none of the {len(chosen):,} runs of {scope.study}")
    return chosen & matching


def _count(ask: Ask, runs: Collection[str]) -> tuple[Mapping[str, int], int, int]:
    if not runs:
        return {}, 0, 0
    own = f"run_id IN ({', '.join(map(literal, runs))})"
    states = Counter(dict(ask(f"SELECT status, count(*) FROM runs WHERE {own} GROUP BY ALL ORDER BY ALL").rows))
    [(attempts, rows)] = ask(
        f"SELECT (SELECT count(*) FROM attempt WHERE {own}), "
        f"(SELECT count(*) FROM metric WHERE {own}) + (SELECT count(*) FROM vector WHERE {own})"
    ).rows
    return states, attempts, rows


def _studies(ask: Ask) -> list[tuple[str, str]]:
    return [(name, variant) for name, variant in ask("SELECT name, variant FROM study ORDER BY ALL").rows]


def _unknown(ask: Ask, scope: Scope) -> str:
    known = _studies(ask)
    if variants := [variant for name, variant in known if name == scope.study]:
        quoted = ", ".join(f'"{variant}"' for variant in variants)
        return f'study {scope.study} has no variant "{scope.variant}" here. Allowed: {quoted}'
    if not known:
        return f'there is no study "{scope.study}" in the workspace, and no other one'
    advice = nearest(scope.study, dict.fromkeys(name for name, _ in known))
    return f'there is no study "{scope.study}" in the workspace. {advice}'
