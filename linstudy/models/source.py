"""What identifies a user's own model. Imports no JAX, and of the user's code only packages around the module."""

import hashlib
import importlib.util
from importlib.machinery import PathFinder
from pathlib import Path

from linstudy.data.places import Places
from linstudy.spec.errors import LinstudyError
from linstudy.spec.model import ImportModel


def model_source(spec: ImportModel, places: Places) -> str:
    """SHA-256 of the source file of the factory's module.

    Raises:
        LinstudyError: If there is no such module.
    """
    module_name = spec.factory.partition(":")[0]
    check_not_hidden(module_name, places)
    try:
        found = importlib.util.find_spec(module_name)
    except (ImportError, ValueError):
        found = None
    if found is None or found.origin is None or not found.has_location:
        raise no_module(module_name, places)
    return hashlib.sha256(Path(found.origin).read_bytes()).hexdigest()


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
