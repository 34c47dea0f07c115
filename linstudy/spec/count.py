"""How many points a study makes, counted from its axes before any is built."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

from linstudy.spec import limits
from linstudy.spec.problems import Problem
from linstudy.spec.study import POINT_KEYS, Frame
from linstudy.spec.tree import Tree

_UNCOUNTED = 10**12
"""From where on a number of points is told as "more than"."""


def count_points(frame: Frame) -> int:
    """The points of a study before `exclude` drops any and the same ones are found."""
    swept = math.prod([*map(len, frame.sweep.values()), min(map(len, frame.zip.values()), default=1)])
    has_seed = "seed" in frame.sweep or "seed" in frame.zip
    included = sum(1 if "seed" in selection else len(frame.seeds) for selection in frame.include)
    return swept * (1 if has_seed else len(frame.seeds)) + included


def size_problems(tree: Tree, frame: Frame) -> Iterator[Problem]:
    """What makes a study too large to plan."""
    points = count_points(frame)
    if points > limits.POINTS:
        message = f"{_written(points)} points: {_factors(frame)}. Allowed: {limits.POINTS:,}"
        yield Problem((_widest(frame),), message, at_key=True)
        return
    values = _count_values({key: tree.get((key,)) for key in POINT_KEYS}) + len(frame.exclude)
    values += sum(max(map(_count_values, axis)) for axis in (*frame.sweep.values(), *frame.zip.values()))
    values += max(map(_count_values, frame.include), default=0)
    if points * values > limits.POINT_VALUES:
        message = f"{points:,} points of {values:,} values each, entries of exclude counted"
        yield Problem((_widest(frame),), f"{message}. Allowed: {limits.POINT_VALUES:,} values in all", at_key=True)


def _widest(frame: Frame) -> str:
    """The key that makes the most points."""
    makers = {
        "sweep": math.prod(map(len, frame.sweep.values())),
        "zip": max(map(len, frame.zip.values()), default=0),
        "seeds": len(frame.seeds),
        "include": len(frame.include),
    }
    return max(makers, key=lambda key: makers[key])


def _factors(frame: Frame) -> str:
    axes = {**frame.sweep, **dict(list(frame.zip.items())[:1])}
    factors = [f"{name} {len(values):,}" for name, values in axes.items()]
    if "seed" not in axes:
        factors.append(f"seeds {len(frame.seeds):,}")
    product = " x ".join([*factors[:5], *(["..."] if len(factors) > 5 else [])])
    return product + (f", and include {len(frame.include):,}" if frame.include else "")


def _written(count: int) -> str:
    return f"{count:,}" if count <= _UNCOUNTED else f"more than {_UNCOUNTED:,}"


def _count_values(value: Any) -> int:
    parts: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_count_values, parts))
