"""What is wrong with a user's factory, as far as its source tells without being run."""

import ast
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from linstudy.models.modules import find_module
from linstudy.spec.model import ImportModel, Model
from linstudy.spec.vocabulary import nearest

GIVEN = 2
"""The arguments that a factory is always given: input shape and key."""


def factory_mistakes(spec: Model) -> Iterator[tuple[str, str]]:
    """The fields of a model's spec that its factory's source contradicts, each with what is wrong.

    What the source leaves open, such as names that come by `import *`, is no mistake.
    """
    return CHECKS[spec.kind](spec) if spec.kind in CHECKS else iter(())


def _imported(spec: ImportModel) -> Iterator[tuple[str, str]]:
    module, _, name = spec.factory.partition(":")
    found = find_module(module)
    if found is None or not found.has_location or not str(found.origin).endswith(".py"):
        return
    path = Path(str(found.origin))
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError as error:
        yield "factory", f"{path}:{error.lineno}: {error.msg}"
        return
    except (OSError, ValueError, RecursionError, MemoryError):
        return
    names = _names(tree.body)
    if "*" in names or "__getattr__" in names:
        return
    if name not in names:
        yield "factory", f'{path} has no "{name}". {nearest(name, [own for own in names if not own.startswith("_")])}'
    made = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    if len(made) == 1 and not made[0].decorator_list:
        yield from (("arguments", text) for text in _contradictions(made[0], list(spec.arguments)))


CHECKS: dict[str, Callable[..., Iterator[tuple[str, str]]]] = {"import": _imported}


def _names(body: Sequence[ast.stmt]) -> dict[str, None]:
    """What the statements of a module define, under conditions too; `*` for what cannot be known."""
    names: dict[str, None] = {}
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names[name] = None
            case ast.Import(names=imported) | ast.ImportFrom(names=imported):
                names |= {(one.asname or one.name).partition(".")[0]: None for one in imported}
            case _:
                nodes = list(ast.walk(statement))
                names |= {node.id: None for node in nodes if isinstance(node, ast.Name)}
                names |= _names([node for node in nodes if node is not statement and isinstance(node, _DEFINING)])
    return names


_DEFINING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)


def _contradictions(function: ast.FunctionDef, given: Sequence[str]) -> Iterator[str]:
    """Arguments that a function does not take, and those that it needs and is not given."""
    own = function.args
    by_place = [argument.arg for argument in (*own.posonlyargs, *own.args)]
    taken = [*by_place[GIVEN:], *(argument.arg for argument in own.kwonlyargs)]
    if own.kwarg is None:
        for name in given:
            if name not in taken:
                advice = nearest(name, taken) if taken else "It takes none"
                yield f'{function.name} takes no argument "{name}". {advice}'
    needed = by_place[GIVEN : len(by_place) - len(own.defaults)]
    needed += [one.arg for one, default in zip(own.kwonlyargs, own.kw_defaults, strict=True) if default is None]
    for name in needed:
        if name not in given:
            yield f'{function.name} needs an argument "{name}"'
