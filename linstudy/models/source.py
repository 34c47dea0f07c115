"""What identifies a user's own model. Imports no JAX, and of the user's code only packages around the module."""

import hashlib
import importlib.util
from pathlib import Path

from linstudy.spec.errors import LinstudyError
from linstudy.spec.model import ImportModel


def model_source(spec: ImportModel) -> str:
    """SHA-256 of the source file of the factory's module.

    Raises:
        LinstudyError: If there is no such module.
    """
    module_name = spec.factory.partition(":")[0]
    try:
        found = importlib.util.find_spec(module_name)
    except (ImportError, ValueError):
        found = None
    if found is None or found.origin is None or not found.has_location:
        raise LinstudyError(
            f"model.factory {spec.factory}: there is no module {module_name} with a source file. "
            "It is looked for beside the study file, in the current folder, and among the installed packages"
        )
    return hashlib.sha256(Path(found.origin).read_bytes()).hexdigest()
