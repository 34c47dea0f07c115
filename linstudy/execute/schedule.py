"""What runs next. Pure: it knows the plan and what is stored, and starts nothing."""

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from statistics import median
from typing import TYPE_CHECKING, Literal

from linstudy.plan import Plan, Run
from linstudy.spec.run import RunSpec

if TYPE_CHECKING:
    from linstudy.estimate.estimates import Estimate  # brings NumPy

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
        key: Says which runs start together.
        estimates: What runs take, by id. A run of unknown seconds counts as the median of the known ones of its kind,
            or of all kinds where none of its own is known; where nothing is known, all runs are taken for equally long.
    """

    def __init__(
        self,
        plan: Plan,
        done: Collection[str] = (),
        diverged: Collection[str] = (),
        *,
        key: Key = alone,
        estimates: "Mapping[str, Estimate] | None" = None,
    ):
        self.plan = plan
        self.states: dict[str, State] = {}
        self._counts: Counter[State] = Counter()
        self._keys = {run_id: key(run.spec) for run_id, run in plan.runs.items()}
        self._dependants = _dependants(plan)
        self._ready: list[tuple[float, bool, int, str]] = []
        self._ready_by_key: defaultdict[str, dict[str, None]] = defaultdict(dict)
        estimates = estimates or {}
        self._memory = {run_id: estimates[run_id].memory or 0 for run_id in plan.runs.keys() & estimates.keys()}
        self._least_memory: dict[str, int] = {}
        self._ranks = _ranks(plan, self._keys, _seconds(plan, estimates))
        for run_id in plan.runs:
            self._set(run_id, "diverged" if run_id in diverged else "done" if run_id in done else "pending")
        self._missing = {run_id: sum(map(self._is_missing, run.needs)) for run_id, run in plan.runs.items()}
        self._before = {run_id for run_id, state in self.states.items() if state == "done"}
        for run_id in plan.runs:
            self._offer(run_id)
        for run_id in diverged:
            self._block(run_id)

    def start_next(self, workers: int = 1, room: float = math.inf) -> list[Run]:
        """The runs to start together next, the longest chain of waiting runs first, now counted as running.

        Args:
            workers: How many workers have nothing to do; what can go together is spread over them.
            room: Bytes that each run may take at its peak.

        Returns:
            Nothing if nothing is ready that has the room.
        """
        first = self._first_ready(room)
        if first is None:
            return []
        key = self._keys[first]
        # what waits again for what it needs is still among those of its key
        others = [] if key is None else [one for one in self._ready_by_key[key] if one != first and self._is_ready(one)]
        alike = [first, *(one for one in others if self._peak(one) <= room)]
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

    def require_memory(self, setting_id: str, memory: int) -> None:
        """Let no run of a setting count as one that takes less than so many bytes."""
        self._least_memory[setting_id] = max(memory, self._least_memory.get(setting_id, 0))

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

    def _first_ready(self, room: float) -> str | None:
        too_large = []
        first = None
        while self._ready and first is None:
            entry = heapq.heappop(self._ready)
            if not self._is_ready(entry[-1]):
                continue
            if self._peak(entry[-1]) <= room:
                first = entry[-1]
            else:
                too_large.append(entry)
        for entry in too_large:
            heapq.heappush(self._ready, entry)
        return first

    def _peak(self, run_id: str) -> int:
        """Bytes that a run takes at its peak, as far as is known."""
        return max(self._memory.get(run_id, 0), self._least_memory.get(self.plan.runs[run_id].setting_id, 0))

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


def _seconds(plan: Plan, estimates: "Mapping[str, Estimate]") -> dict[str, float]:
    """The seconds of each run, those that are unknown by what is known of others."""
    known = {run_id: own.seconds for run_id, own in estimates.items() if own.seconds is not None}
    by_kind: defaultdict[str, list[float]] = defaultdict(list)
    for run_id in plan.runs.keys() & known.keys():
        by_kind[plan.runs[run_id].kind].append(known[run_id])
    medians = {kind: median(seconds) for kind, seconds in by_kind.items()}
    otherwise = median([one for seconds in by_kind.values() for one in seconds]) if by_kind else 1.0
    return {run_id: known.get(run_id, medians.get(run.kind, otherwise)) for run_id, run in plan.runs.items()}


def _ranks(plan: Plan, keys: dict[str, str | None], seconds: dict[str, float]) -> dict[str, tuple[float, bool, int]]:
    """What is ready is started in this order: before the longest chains, then what can go together, then as planned."""
    behind = dict.fromkeys(plan.runs, 0.0)
    for run_id, run in reversed(plan.runs.items()):
        for need in run.needs:
            behind[need.run_id] = max(behind[need.run_id], behind[run_id] + seconds[run_id])
    return {
        run_id: (-(behind[run_id] + seconds[run_id]), keys[run_id] is None, position)
        for position, run_id in enumerate(plan.runs)
    }
