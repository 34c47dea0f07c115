"""What runs next. Pure: it knows the plan and what is stored, and starts nothing."""

from collections.abc import Callable, Collection, Mapping
from typing import Literal

from linstudy.plan import Plan, Run
from linstudy.spec.run import RunSpec

GROUP = 32
"""Runs that are started together at most: one program's memory, and what its death takes along."""

State = Literal["done", "diverged", "pending", "running", "failed", "blocked", "interrupted"]


Key = Callable[[RunSpec], str | None]
"""What the specs of runs that can go together share; None for a run that goes alone."""


def alone(spec: RunSpec) -> None:
    """The key of every run where none go together."""
    return None


def is_complete(run: Run, status: str | None, stored_epochs: Collection[int]) -> bool:
    """Whether there is nothing left to do for a run: a finished one may still lack checkpoints that others need now."""
    if status == "diverged":
        return True
    return status == "done" and set(run.checkpoints) <= set(stored_epochs)


class Schedule:
    """The states of a plan's runs, from what is stored to the end of an execution."""

    def __init__(
        self,
        plan: Plan,
        statuses: Mapping[str, str],
        stored_epochs: Mapping[str, Collection[int]],
        *,
        again: bool = False,
        key: Key = alone,
    ):
        self.plan = plan
        self._keys = {run_id: key(run.spec) for run_id, run in plan.runs.items()}
        self._heights = _heights(plan)
        self.states: dict[str, State] = {}
        for run_id, run in plan.runs.items():
            complete = is_complete(run, statuses.get(run_id), stored_epochs.get(run_id, ()))
            stored: State = "diverged" if statuses.get(run_id) == "diverged" else "done"
            self.states[run_id] = stored if complete and not again else "pending"
        self.already = self.count("done")
        self._block_after_divergence()

    def start_next(self, workers: int = 1) -> list[Run]:
        """The runs to start together next, now counted as running; none if nothing is ready.

        Args:
            workers: How many workers have nothing to do; what can go together is spread over them.
        """
        ready = self._ready()
        group = [run for run in ready if self._goes_with(run, ready[0])]
        started = group[: min(GROUP, -(-len(group) // workers))]
        for run in started:
            self.states[run.run_id] = "running"
        return started

    def part(self, run_id: str) -> None:
        """Let a run wait again, to be started alone."""
        self._keys[run_id] = None
        self.states[run_id] = "pending"

    def finish(self, run_id: str, outcome: State) -> None:
        """Note an outcome; what needs a run that is not done is blocked."""
        self.states[run_id] = outcome
        if outcome in ("failed", "diverged"):
            self._block(run_id)

    def count(self, *states: State) -> int:
        """How many runs are in one of some states."""
        return sum(state in states for state in self.states.values())

    def _ready(self) -> list[Run]:
        """What can be started, the longest chain of waiting runs first; then what can go together before the rest."""
        ready = [
            run
            for run_id, run in self.plan.runs.items()
            if self.states[run_id] == "pending" and all(self.states[need.run_id] == "done" for need in run.needs)
        ]
        return sorted(ready, key=lambda run: (-self._heights[run.run_id], self._keys[run.run_id] is None))

    def _goes_with(self, run: Run, first: Run) -> bool:
        key = self._keys[first.run_id]
        return run is first or (key is not None and self._keys[run.run_id] == key)

    def _block_after_divergence(self) -> None:
        for run_id in [run_id for run_id, state in self.states.items() if state == "diverged"]:
            self._block(run_id)

    def _block(self, run_id: str) -> None:
        for waiting in self.plan.waiting_for(run_id):
            if self.states[waiting] == "pending":
                self.states[waiting] = "blocked"


def _heights(plan: Plan) -> dict[str, int]:
    """For each run, how many runs the longest chain has in which each waits for the one before, from this one on."""
    heights = dict.fromkeys(plan.runs, 0)
    for run_id, run in reversed(plan.runs.items()):
        for need in run.needs:
            heights[need.run_id] = max(heights[need.run_id], heights[run_id] + 1)
    return heights
