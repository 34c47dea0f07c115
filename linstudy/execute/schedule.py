"""What runs next. Pure: it knows the plan and what is stored, and starts nothing."""

from collections.abc import Collection, Mapping
from typing import Literal

from linstudy.plan import Plan, Run

State = Literal["done", "diverged", "pending", "running", "failed", "blocked", "interrupted"]


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
    ):
        self.plan = plan
        self.states: dict[str, State] = {}
        for run_id, run in plan.runs.items():
            complete = is_complete(run, statuses.get(run_id), stored_epochs.get(run_id, ()))
            stored: State = "diverged" if statuses.get(run_id) == "diverged" else "done"
            self.states[run_id] = stored if complete and not again else "pending"
        self.already = self.count("done")
        self._block_after_divergence()

    def start_next(self) -> Run | None:
        """The first run all of whose needs are done, now counted as running; None if there is none."""
        for run_id, run in self.plan.runs.items():
            if self.states[run_id] == "pending" and all(self.states[need.run_id] == "done" for need in run.needs):
                self.states[run_id] = "running"
                return run
        return None

    def finish(self, run_id: str, outcome: State) -> None:
        """Note an outcome; what needs a run that is not done is blocked."""
        self.states[run_id] = outcome
        if outcome in ("failed", "diverged"):
            self._block(run_id)

    def count(self, *states: State) -> int:
        """How many runs are in one of some states."""
        return sum(state in states for state in self.states.values())

    def _block_after_divergence(self) -> None:
        for run_id in [run_id for run_id, state in self.states.items() if state == "diverged"]:
            self._block(run_id)

    def _block(self, run_id: str) -> None:
        for waiting in self.plan.waiting_for(run_id):
            if self.states[waiting] == "pending":
                self.states[waiting] = "blocked"
