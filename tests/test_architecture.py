"""What the rooms may and may not do, read off the source without importing it."""

import ast
import functools
import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from linstudy.spec.base import Spec
from linstudy.spec.data import Data
from linstudy.spec.model import Model
from linstudy.spec.probe import AnyProbe
from linstudy.spec.run import RunSpec
from linstudy.spec.task import Task
from linstudy.spec.train import Optimizer, Schedule

PACKAGE = Path(__file__).parents[1] / "linstudy"
FILES = sorted(PACKAGE.rglob("*.py"))

LEVELS = [
    {"__main__"},
    {"cli"},
    {"failures", "load"},
    {"page", "describe"},
    {"report", "execute"},
    {"workers"},
    {"runs", "prepare"},
    {"probes"},
    {"train"},
    {"models", "tasks"},
    {"data"},
    {"store"},
    {"history"},
    {"estimate", "explain"},
    {"plan", "resources"},
    {"facts"},
    {"tangent", "spec", "metrics", "accelerators", "machine", "text", "__init__"},
]
"""The rooms from the top; those on one level do not import one another."""


def room(path):
    """The room of a file: a folder, or a module beside the folders."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def level(name):
    return next(height for height, rooms in enumerate(LEVELS) if name in rooms)


@functools.cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported_modules(path):
    """Every module that a file imports, anywhere in it, by its full name."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_rooms(path):
    for module in imported_modules(path):
        parts = module.split(".")
        if parts[0] == "linstudy" and len(parts) > 1:
            yield parts[1] if (PACKAGE / parts[1]).is_dir() or (PACKAGE / f"{parts[1]}.py").exists() else "__init__"


def offenders(rule):
    """The files in which a rule finds something, with what it finds."""
    found = {path.relative_to(PACKAGE).as_posix(): list(rule(path)) for path in FILES}
    return {name: faults for name, faults in found.items() if faults}


def test_every_room_has_its_level():
    assert {room(path) for path in FILES} <= set().union(*LEVELS)


def upward_imports(path):
    own = room(path)
    return sorted({name for name in imported_rooms(path) if name != own and level(name) <= level(own)})


def test_imports_point_downward():
    assert offenders(upward_imports) == {"__init__.py": ["load"]}  # the door: what it opens, it imports when asked to


def test_the_package_alone_imports_no_room():
    code = "import sys, linstudy; print(*(name for name in sys.modules if name.startswith('linstudy')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["linstudy"]


def test_files_lie_at_most_one_folder_deep():
    assert [path for path in FILES if len(path.relative_to(PACKAGE).parts) > 2] == []


def test_files_stay_short():
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {path: count for path, count in lines.items() if count > 400} == {}


def test_files_are_named_by_what_is_in_them():
    assert [path for path in FILES if re.match(r"(utils?|misc|helpers?|common)\.py", path.name)] == []


def imported_packages(path):
    return {module.split(".")[0] for module in imported_modules(path)}


def test_only_the_store_imports_duckdb():
    assert {room(path) for path in FILES if "duckdb" in imported_packages(path)} == {"store"}


def test_scipys_parts_are_imported_when_they_are_used():
    """By `import scipy`: `scipy.linalg` takes a tenth of the time in which a worker starts, and trainings use none."""
    assert offenders(lambda path: {module for module in imported_modules(path) if module.startswith("scipy.")}) == {}


UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def unsafe_calls(path):
    """Calls that run what they read, or that may."""
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.Call):
            continue
        call = ast.unparse(node.func)
        arguments = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if (
            call in ("eval", "exec", "compile", "__import__")
            or arguments.get("allow_pickle", "False") != "False"
            or (call == "YAML" and arguments.get("typ") not in ("'rt'", "'safe'"))
            or (call in ("np.load", "numpy.load") and "allow_pickle" not in arguments)
        ):
            yield f"line {node.lineno}: {call}"


def test_nothing_is_unpickled_or_evaluated():
    assert offenders(lambda path: UNSAFE_MODULES & imported_packages(path)) == {}
    assert offenders(unsafe_calls) == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("eval(text)", True),
        ("np.load(path)", True),
        ("np.load(path, allow_pickle=True)", True),
        ("np.load(path, allow_pickle=False)", False),
        ("YAML()", True),
        ("YAML(typ='unsafe')", True),
        ("YAML(typ='safe')", False),
        ("re.compile(pattern)", False),
    ],
)
def test_an_unsafe_call_is_seen(tmp_path, source, expected):
    path = tmp_path / "a.py"
    path.write_text(source)
    assert bool(list(unsafe_calls(path))) is expected


def asks_for_a_kind(node):
    """Whether an expression compares something's `.kind` with a word, or matches on it."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        words = any(isinstance(part, ast.Constant) for side in sides for part in ast.walk(side))
        return words and any(isinstance(side, ast.Attribute) and side.attr == "kind" for side in sides)
    return isinstance(node, ast.Match) and ast.unparse(node.subject).endswith(".kind")


def branches_on_a_kind(path):
    if room(path) != "spec":
        yield from (ast.unparse(node) for node in ast.walk(tree(path)) if asks_for_a_kind(node))


def test_no_code_outside_the_spec_branches_on_a_kind():
    assert offenders(branches_on_a_kind) == {}


def spec_classes(path):
    """The names under which a file has imported classes of specs, but for what all of them are."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("linstudy.spec."):
            module = importlib.import_module(node.module)
            for alias in node.names:
                imported = getattr(module, alias.name)
                if isinstance(imported, type) and issubclass(imported, Spec) and imported is not Spec:
                    yield alias.asname or alias.name


def asks_for_a_class(node, classes):
    """Whether an expression asks if something is of one of the classes, or a `match` does.

    What an `assert` says is no question: it tells the reader and the type checker what a function is given.
    """
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass", "type"):
        return any(part.id in classes for part in ast.walk(node) if isinstance(part, ast.Name))
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        return any(ast.unparse(side) in classes for side in sides) and "type(" in ast.unparse(node)
    return isinstance(node, ast.MatchClass) and ast.unparse(node.cls) in classes


def without_asserts(node):
    """The nodes of a tree that are in no `assert`."""
    if not isinstance(node, ast.Assert):
        yield node
        for child in ast.iter_child_nodes(node):
            yield from without_asserts(child)


def branches_on_a_class(path):
    if room(path) != "spec":
        classes = set(spec_classes(path))
        yield from (ast.unparse(node) for node in without_asserts(tree(path)) if asks_for_a_class(node, classes))


def test_no_code_outside_the_spec_branches_on_a_class_of_specs():
    assert offenders(branches_on_a_class) == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("if isinstance(task, NadTask): pass", True),
        ("x = isinstance(task, NadTask | Other)", True),
        ("x = isinstance(task, (Other, NadTask))", True),
        ("x = type(task) is NadTask", True),
        ("match task:\n    case NadTask(): pass", True),
        ("assert isinstance(task, NadTask)", False),
        ("x = isinstance(task, Other)", False),
        ("x = NadTask(kind='nad', index=1)", False),
    ],
)
def test_a_branch_on_a_class_of_specs_is_seen(tmp_path, source, expected):
    path = tmp_path / "a.py"
    path.write_text(f"from linstudy.spec.task import NadTask\nfrom elsewhere import Other\n{source}\n")
    classes = set(spec_classes(path))
    assert classes == {"NadTask"}
    assert any(asks_for_a_class(node, classes) for node in without_asserts(tree(path))) is expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('run.kind == "training"', True),
        ('"nad" != task.kind', True),
        ('spec.model.kind in ("mlp", "lenet")', True),
        ("run.kind == other.kind", False),
        ('kinds["mlp"]', False),
        ('run.name == "training"', False),
    ],
)
def test_a_branch_on_a_kind_is_seen(source, expected):
    assert any(asks_for_a_kind(node) for node in ast.walk(ast.parse(source))) is expected


def test_an_upward_import_is_seen(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("from linstudy import store, __version__\nimport linstudy.runs.kinds\n")
    assert list(imported_rooms(path)) == ["store", "__init__", "runs"]


def members(union):
    return list(get_args(get_args(union)[0]))


def kinds(union):
    return [get_args(member.model_fields["kind"].annotation)[0] for member in members(union)]


@pytest.mark.parametrize(
    ("module", "table", "words"),
    [
        ("linstudy.models.network", "KINDS", kinds(Model)),
        ("linstudy.data.kinds", "KINDS", kinds(Data)),
        ("linstudy.tasks.kinds", "KINDS", kinds(Task)),
        ("linstudy.probes.kinds", "PROBES", kinds(AnyProbe)),
        ("linstudy.runs.kinds", "KINDS", kinds(RunSpec)),
        ("linstudy.train.optimizer", "OPTIMIZERS", kinds(Optimizer)),
        ("linstudy.train.optimizer", "SCHEDULES", list(get_args(Schedule))),
        ("linstudy.plan", "NUMERICS", kinds(RunSpec)),
        ("linstudy.estimate.layers", "NETWORKS", kinds(Model)),
        ("linstudy.estimate.work", "KINDS", kinds(RunSpec)),
        ("linstudy.estimate.work", "PROBES", kinds(AnyProbe)),
        ("linstudy.estimate.work", "COPIES", kinds(Optimizer)),
        ("linstudy.estimate.files", "KINDS", kinds(RunSpec)),
    ],
)
def test_a_rooms_table_lists_the_kinds_that_can_be_written(module, table, words):
    assert list(getattr(importlib.import_module(module), table)) == words


@pytest.mark.parametrize(
    ("module", "table", "words"),
    [
        ("linstudy.models.source", "SOURCES", kinds(Model)),
        ("linstudy.tasks.source", "SOURCES", kinds(Task)),
        ("linstudy.models.infinite_width", "INFINITE_WIDTH", kinds(Model)),
        ("linstudy.data.glance", "GLANCES", kinds(Data)),
        ("linstudy.runs.kinds", "TOGETHER", kinds(RunSpec)),
        ("linstudy.load.kinds", "KINDS", kinds(RunSpec)),
    ],
)
def test_a_table_of_some_kinds_has_no_others(module, table, words):
    assert set(getattr(importlib.import_module(module), table)) <= set(words)


def test_what_tasks_and_probes_need_are_kinds_of_runs():
    needs = {kind for part in members(Task) + members(AnyProbe) for kind in part.needs}
    assert needs == {"spectrum", "nads"}
    assert needs <= set(kinds(RunSpec))
