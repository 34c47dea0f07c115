"""Ends a process at the k-th call of a function, or counts the calls: put this folder on PYTHONPATH.

FAULTS is JSON: `folder` where to write; `count` the points to count, or `point`, `role`, `call`, `when` for an end.
"""

import functools
import importlib
import importlib.abc
import importlib.util
import json
import os
import sys

EXIT_STATUS = 77


def _role():
    return "worker" if "linstudy.workers.worker" in sys.orig_argv else "coordinator"


def _note(name):
    with open(os.path.join(_ORDER["folder"], name), "ab", buffering=0) as file:
        file.write(b".")


def _crash():
    _note("crashed")
    os._exit(EXIT_STATUS)


def _wrap(point, function):
    calls = 0

    @functools.wraps(function)
    def wrapper(*arguments, **keywords):
        nonlocal calls
        calls += 1
        if point in _ORDER.get("count", ()):
            _note(f"{_role()} {point}")
        is_here = point == _ORDER.get("point") and _role() == _ORDER["role"] and calls == _ORDER["call"]
        if is_here and _ORDER["when"] == "before":
            _crash()
        result = function(*arguments, **keywords)
        if is_here:
            _crash()
        return result

    return wrapper


def _interpose(module, points):
    for point in points:
        *path, name = point.partition(":")[2].split(".")
        owner = functools.reduce(getattr, path, module)
        setattr(owner, name, _wrap(point, getattr(owner, name)))


class _Finder(importlib.abc.MetaPathFinder):
    """Wraps functions of a module once it is imported."""

    def __init__(self, module, points):
        self.module, self.points = module, points

    def find_spec(self, name, path, target=None):
        if name != self.module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            raise ModuleNotFoundError(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            _interpose(module, self.points)

        spec.loader.exec_module = exec_module
        return spec


if "FAULTS" in os.environ:
    _ORDER = json.loads(os.environ["FAULTS"])
    _by_module = {}
    for _point in _ORDER.get("count") or [_ORDER["point"]]:
        _by_module.setdefault(_point.partition(":")[0], []).append(_point)
    for _module, _points in _by_module.items():
        if _module in sys.modules:
            _interpose(sys.modules[_module], _points)
        else:
            sys.meta_path.insert(0, _Finder(_module, _points))
