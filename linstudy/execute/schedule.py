"""What runs next. Pure: it knows the plan and what is stored, and starts nothing."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator
from typing import Literal

from linstudy.plan import Plan, Run
from linstudy.spec.run import RunSpec

GROUP = 32
"""Runs that are started together at most: one program's memory, and what its death takes along."""

State = Literal["done", "diverged", "pending", "running", "failed", "blocked", "interrupted"]


_WITHOUT_RESULT: tuple[State, ...] = ("failed", "diverged", "blocked")

Key = Callable[[RunSpec], str | None]
"""What the specs of runs that can go together share; None for a run that goes alone."""


def alone(spec: RunSpec) -> None:
    """The key of every run where none go together."""
    return None


class Schedule:
    """The states of a plan's runs, from what is stored to the end of an execution.

    Args:
        done: The runs with nothing left to do.
        diverged: Those of them whose result is that they diverged.
    """

    def __init__(self, plan: Plan, done: Collection[str] = (), diverged: Collection[str] = (), *, key: Key = alone):
        self.plan = plan
        self.states: dict[str, State] = {}
        self._counts: Counter[State] = Counter()
        self._keys = {run_id: key(run.spec) for run_id, run in plan.runs.items()}
        self._dependants = _dependants(plan)
        self._ready: list[tuple[int, bool, int, str]] = []
        self._ready_by_key: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._ranks = _ranks(plan, self._keys)
        for run_id in plan.runs:
            self._set(run_id, "diverged" if run_id in diverged else "done" if run_id in done else "pending")
        self._missing = {run_id: sum(map(self._is_missing, run.needs)) for run_id, run in plan.runs.items()}
        self._before = {run_id for run_id, state in self.states.items() if state == "done"}
        for run_id in plan.runs:
            self._offer(run_id)
        for run_id in diverged:
            self._block(run_id)

    def start_next(self, workers: int = 1) -> list[Run]:
        """The runs to start together next, the longest chain of waiting runs first, now counted as running.

        Args:
            workers: How many workers have nothing to do; what can go together is spread over them.

        Returns:
            Nothing if nothing is ready.
        """
        first = self._first_ready()
        if first is None:
            return []
        key = self._keys[first]
        # what waits again for what it needs is still among those of its key
        others = [] if key is None else [one for one in self._ready_by_key[key] if one != first and self._is_ready(one)]
        alike = [first, *others]
        started = alike[: min(GROUP, -(-len(alike) // workers))]
        for run_id in started:
            self._set(run_id, "running")
        return [self.plan.runs[run_id] for run_id in started]

    def part(self, run_id: str) -> None:
        """Let a run wait again, to be started alone."""
        self._keys[run_id] = None
        self.reopen(run_id)

    def reopen(self, run_id: str) -> None:
        """Let a run wait again, and what needs it wait for it; it is blocked where what it needs will not come."""
        if self.states[run_id] == "done":
            for dependant in self._dependants[run_id]:
                self._missing[dependant] += 1
        self._before.discard(run_id)
        needs = [self.states[need.run_id] for need in self.plan.runs[run_id].needs]
        self._set(run_id, "blocked" if any(state in _WITHOUT_RESULT for state in needs) else "pending")
        self._offer(run_id)

    def finish(self, run_id: str, outcome: State) -> list[str]:
        """Note an outcome; what needs a run that is not done is blocked.

        Returns:
            The runs that are blocked by this.
        """
        self._set(run_id, outcome)
        if outcome == "done":
            for dependant in self._dependants[run_id]:
                self._missing[dependant] -= 1
                self._offer(dependant)
        return self._block(run_id) if outcome in ("failed", "diverged") else []

    @property
    def already(self) -> int:
        """How many runs were done before this execution, and still are."""
        return len(self._before)

    @property
    def left(self) -> list[str]:
        """The runs that wait to be started."""
        return [run_id for run_id, state in self.states.items() if state == "pending"]

    def count(self, *states: State) -> int:
        """How many runs are in one of some states."""
        return sum(self._counts[state] for state in states)

    def count_ready(self) -> int:
        """How many wait for a worker alone."""
        return sum(map(self._is_ready, {run_id for *_, run_id in self._ready}))

    def has_ready(self) -> bool:
        """Whether one does."""
        while self._ready and not self._is_ready(self._ready[0][-1]):
            heapq.heappop(self._ready)
        return bool(self._ready)

    def _is_missing(self, need) -> bool:
        return self.states[need.run_id] != "done"

    def _is_ready(self, run_id: str) -> bool:
        return self.states[run_id] == "pending" and self._missing[run_id] == 0

    def _offer(self, run_id: str) -> None:
        if self._is_ready(run_id):
            heapq.heappush(self._ready, (*self._ranks[run_id], run_id))
            if (key := self._keys[run_id]) is not None:
                self._ready_by_key[key][run_id] = None

    def _first_ready(self) -> str | None:
        while self._ready:
            *_, run_id = heapq.heappop(self._ready)
            if self._is_ready(run_id):
                return run_id
        return None

    def _set(self, run_id: str, state: State) -> None:
        if run_id in self.states:
            self._counts[self.states[run_id]] -= 1
        self.states[run_id] = state
        self._counts[state] += 1
        if state != "pending" and (key := self._keys[run_id]) is not None:
            self._ready_by_key[key].pop(run_id, None)

    def _block(self, run_id: str) -> list[str]:
        blocked = [waiting for waiting in self._after(run_id) if self.states[waiting] == "pending"]
        for waiting in blocked:
            self._set(waiting, "blocked")
        return blocked

    def _after(self, run_id: str) -> Iterator[str]:
        """The runs that cannot be run without this one, near and far."""
        seen, left = {run_id}, [run_id]
        while left:
            for dependant in self._dependants[left.pop()]:
                if dependant not in seen:
                    seen.add(dependant)
                    left.append(dependant)
                    yield dependant


def _dependants(plan: Plan) -> dict[str, list[str]]:
    dependants: dict[str, list[str]] = {run_id: [] for run_id in plan.runs}
    for run_id, run in plan.runs.items():
        for need in run.needs:
            dependants[need.run_id].append(run_id)
    return dependants


def _ranks(plan: Plan, keys: dict[str, str | None]) -> dict[str, tuple[int, bool, int]]:
    """What is ready is started in this order: before the longest chains, then what can go together, then as planned."""
    heights = dict.fromkeys(plan.runs, 0)
    for run_id, run in reversed(plan.runs.items()):
        for need in run.needs:
            heights[need.run_id] = max(heights[need.run_id], heights[run_id] + 1)
    return {run_id: (-heights[run_id], keys[run_id] is None, position) for position, run_id in enumerate(plan.runs)}
