"""What identifies a user's own model: its modules and the files that its arguments name. Imports none of them."""

import hashlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from linstudy.data.content import file_hash
from linstudy.data.places import Places
from linstudy.models.modules import find_module, own_modules
from linstudy.models.syntax import syntax_hash
from linstudy.spec.errors import LinstudyError
from linstudy.spec.model import ImportModel, Model

Source = Mapping[str, str]
"""A hash by module or file."""


def model_source(spec: Model, places: Places) -> Source:
    """What the numbers of a model depend on beyond its spec; nothing for linstudy's own models.

    Args:
        places: Where a relative path in the arguments is looked for.

    Raises:
        LinstudyError: If the module of a factory is missing, or a file cannot be read.
    """
    return SOURCES[spec.kind](spec, places) if spec.kind in SOURCES else {}


def own_files(spec: Model) -> list[Path]:
    """The files of the user's own modules behind a model; none for linstudy's own models."""
    return FILES[spec.kind](spec) if spec.kind in FILES else []


FILES: dict[str, Callable[..., list[Path]]] = {
    "import": lambda spec: [*own_modules(spec.factory.partition(":")[0]).values()]
}


def _imported(spec: ImportModel, places: Places) -> Source:
    return {**_modules(spec, places), **_files(spec.arguments, places.folders)}


SOURCES: dict[str, Callable[..., Source]] = {"import": _imported}
"""The kinds of model whose content lies outside the study."""


def _modules(spec: ImportModel, places: Places) -> Source:
    """A hash of each of the user's own modules that the factory's module imports, directly or not, and of itself."""
    name = spec.factory.partition(":")[0]
    check_not_hidden(name, places)
    found = find_module(name)
    if found is None or not found.has_location:
        raise no_module(name, places)
    return {module: _hash(path) for module, path in sorted(own_modules(name).items())}


def _hash(path: Path) -> str:
    content = _read(path)
    structure = syntax_hash(content) if path.suffix == ".py" else None
    return structure or hashlib.sha256(content).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LinstudyError(f"model.factory: its module {path} cannot be read: {error.strerror}") from None


def _files(arguments: Any, folders: Sequence[Path]) -> Source:
    """The content of each file that a text among the arguments names, wherever it is found under that name."""
    named = {text: _named(text, folders) for text in sorted(set(_texts(arguments)))}
    return {text: "+".join(map(file_hash, paths)) for text, paths in named.items() if paths}


def _named(text: str, folders: Sequence[Path]) -> list[Path]:
    with suppress(OSError, ValueError, RuntimeError):  # too long a name, a null character, no such home
        given = Path(text).expanduser()
        found = (folder / given for folder in folders)
        return list(dict.fromkeys(path.resolve() for path in found if path.is_file()))
    return []


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from _texts(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry)


def no_module(name: str, places: Places) -> LinstudyError:
    """The error for a module that is in none of the places of factories."""
    return LinstudyError(
        f"there is no module {name} with a source file {places.described}, nor among the installed packages"
    )


def check_not_hidden(name: str, places: Places) -> None:
    """See that a module beside the study, or in the data folder, is the one that an import finds.

    Those folders come last on the import path, so that no file in them takes the place of a standard or an installed
    module.

    Raises:
        LinstudyError: If another module of the name comes first.
    """
    top = name.partition(".")[0]
    own = PathFinder.find_spec(top, [str(folder) for folder in places.folders])
    first = importlib.util.find_spec(top)
    if own is None or own.origin is None or first is None or first.origin == own.origin:
        return
    raise LinstudyError(f"{own.origin} is hidden by {first.origin}, which is found first. Rename yours")
