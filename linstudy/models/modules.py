"""The modules that a module imports, read off the source: nothing is imported to find them."""

import ast
import importlib
import importlib.machinery
import sys
import sysconfig
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

from linstudy.models.syntax import parse

_INSTALLED = ("site-packages", "dist-packages")


def own_modules(name: str) -> dict[str, Path]:
    """The files of a module and of the user's own modules that it imports, directly or not, by module.

    A user's own are those outside the standard library, the installed packages and linstudy, and the others of the
    module's own package. An import counts wherever it stands: in a function, under a condition. One that finds nothing
    does not, nor does what is loaded otherwise than by an import statement.
    """
    importlib.invalidate_caches()
    package, found, waiting = _top(name), {}, [*_parents(name), name]
    while waiting:
        module = waiting.pop()
        if module in found or (spec := find_module(module)) is None:
            continue
        if not _is_own(spec, package):
            continue
        found[module] = path = Path(spec.origin) if spec.has_location and spec.origin else None
        if path is not None and path.suffix == ".py":
            waiting += _imports(path, spec)
    return {module: path for module, path in found.items() if path is not None}


def find_module(name: str) -> ModuleSpec | None:
    """Where a module is, found as an import would find it; None if it is nowhere."""
    found, places = None, None
    for full in [*_parents(name), name]:
        if found is not None and places is None:
            return None  # what is before the dot is no package
        found = _first(full, places)
        if found is None:
            return None
        places = found.submodule_search_locations
    return found


def _first(name: str, places: object) -> ModuleSpec | None:
    for finder in sys.meta_path:
        found = finder.find_spec(name, places)  # type: ignore[arg-type]
        if found is not None:
            return found
    return None


def _parents(name: str) -> list[str]:
    """The packages that a module is in, the outermost first."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


def _top(name: str) -> str:
    return name.partition(".")[0]


def _is_own(spec: ModuleSpec, package: str) -> bool:
    top = _top(spec.name)
    if top == package:
        return True
    if top == "linstudy" or top in sys.stdlib_module_names:
        return False
    places = [spec.origin] if spec.has_location and spec.origin else list(spec.submodule_search_locations or ())
    return bool(places) and not any(_is_installed(Path(place)) for place in places)


def _is_installed(path: Path) -> bool:
    if not set(_INSTALLED).isdisjoint(path.parts):
        return True
    return path.is_relative_to(sysconfig.get_path("stdlib"))


def _imports(path: Path, spec: ModuleSpec) -> Iterator[str]:
    """The modules that a file may import, with the packages that they are in."""
    tree = parse(path.read_bytes())
    for node in ast.walk(tree) if tree is not None else ():
        for name in _named(node, spec):
            yield from [*_parents(name), name]


def _named(node: ast.AST, spec: ModuleSpec) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            base = ".".join(filter(None, [_ancestor(spec, level), module]))
            yield from (name for name in [base] if name)
            yield from (f"{base}.{alias.name}" for alias in names if base)  # a module or a name in one


def _ancestor(spec: ModuleSpec, level: int) -> str:
    """The package that a relative import of some dots starts from; nothing for an absolute one."""
    if not level:
        return ""
    parts = spec.name.split(".") if spec.submodule_search_locations is not None else spec.name.split(".")[:-1]
    return ".".join(parts[: len(parts) - level + 1])
