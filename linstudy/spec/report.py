"""Every mistake of a study with its place, and how many runs it spoils."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from linstudy.spec.document import Position, TreePath
from linstudy.spec.errors import StudyError, capped
from linstudy.spec.problems import Problem
from linstudy.spec.tree import Origin, Tree, display

_MOST = 30
"""Mistakes that are told; whoever mends these meets the rest."""


@dataclass(frozen=True)
class Mistake:
    """A problem where it was written: `file:line:column  path: message`."""

    source: str
    position: Position | None
    path: str
    message: str

    @property
    def place(self) -> str:
        return _place(self.source, self.position)

    def text(self, share: str) -> str:
        """The mistake in one line, and `share`, if any, in a second one below the path."""
        line = capped(f"{self.place}  {self.path}: {self.message}")
        return f"{line}\n{' ' * len(self.place)}  {share}" if share else line


class Invalid(Exception):
    """What is wrong with a study, or with one of its profiles: mistakes, and what to tell of their runs."""

    def __init__(self, shares: dict[Mistake, str]):
        super().__init__(shares)
        self.shares = shares


def invalid(tree: Tree, *problems: Problem) -> Invalid:
    """Problems that are no matter of single runs."""
    return Invalid({_mistake(problem, tree): "" for problem in problems})


def invalid_runs(problems: Iterable[tuple[Iterable[Problem], Tree]], runs: int, profile: str | None) -> Invalid:
    """The problems of some of a study's `runs` runs, or of those of a profile."""
    counts: Counter[Mistake] = Counter()
    for found, tree in problems:
        counts.update(dict.fromkeys((_mistake(problem, tree) for problem in found), 1))
    return Invalid({mistake: _share(mistake, count, runs, profile) for mistake, count in counts.items()})


def study_error(found: Iterable[Invalid]) -> StudyError:
    """All mistakes, each once, in the order of the file; those of the command line and of no line come first."""
    shares: dict[Mistake, str] = {}
    for one in found:
        for mistake, share in one.shares.items():
            shares.setdefault(mistake, share)
    ordered = sorted(shares, key=lambda mistake: mistake.position or (0, 0))
    lines = [mistake.text(shares[mistake]) for mistake in ordered[:_MOST]]
    if len(ordered) > _MOST:
        lines.append(f"and {len(ordered) - _MOST:,} more mistakes")
    return StudyError("\n".join(lines))


def place_of(tree: Tree, path: TreePath) -> str | None:
    """Where the value at a path of a point was written: `file:line:column`, or the argument that says it.

    None where nobody wrote it: it is a default.
    """
    if not tree.has(path):
        return None
    origin = tree.origin(path)
    return _place(origin.document.source, origin.document.position(origin.path, key=origin.at_key))


def _place(source: str, position: Position | None) -> str:
    return f"{source}:{position[0]}:{position[1]}" if position else source


def _mistake(problem: Problem, tree: Tree) -> Mistake:
    origin: Origin = tree.origin(problem.path, at_key=problem.at_key)
    position = origin.document.position(origin.path, key=origin.at_key)
    subject = f"{display(problem.path)} " if origin.is_axis and not problem.at_key else ""
    return Mistake(origin.document.source, position, display(origin.path), subject + problem.message)


def _share(mistake: Mistake, count: int, runs: int, profile: str | None) -> str:
    if runs == 1 and (profile is None or mistake.path.startswith(f"profiles.{profile}.")):
        return ""
    if runs == 1:
        return f'so it is with the profile "{profile}"'
    whole = f"the study's {runs} runs" if profile is None else f'the {runs} runs of the profile "{profile}"'
    if mistake.position is None:
        return f"{count} of {whole} {'has' if count == 1 else 'have'} this mistake"
    return f"{count} of {whole} {'comes' if count == 1 else 'come'} from this line"
