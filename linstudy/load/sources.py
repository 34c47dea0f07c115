"""Whether the code and the data behind a run are still what was run."""

import sys
import warnings
from collections.abc import Collection, Iterator, Mapping

from linstudy.load.holdings import Holdings
from linstudy.models.source import model_source, own_files
from linstudy.plan import run_identity
from linstudy.prepare.sources import changed_sources, sources
from linstudy.spec.errors import LinstudyError
from linstudy.spec.model import Model
from linstudy.spec.run import RunSpec

_MARK = "linstudy_source"
"""The attribute of an imported module's `__spec__` that says what its file held; a reload makes another `__spec__`."""


def check_sources(holdings: Holdings, spec: RunSpec, source: str, parts: Collection[str]) -> None:
    """See that what lies behind parts of a run is what was run, unless something else is accepted.

    Raises:
        LinstudyError: If it is not, or is missing.
    """
    try:
        changed = changed_sources(spec, source, sources(holdings.places), parts)
    except LinstudyError as error:
        folders = "In Python these folders are named so: linstudy.open(PATH, study_folder=…, data=…)"
        raise LinstudyError(f"{error}. {folders}") from error
    if changed:
        settle(holdings, f"changed since it was run: {', '.join(changed)}")


def check_numerics(holdings: Holdings, run_id: str, spec: RunSpec, source: str, needs: Mapping[str, str]) -> None:
    """See that this linstudy makes of a spec what the run was made of, unless something else is accepted.

    Raises:
        LinstudyError: If the same spec has another id today.
    """
    if run_identity(spec, list(needs.values()), source) != run_id:
        settle(holdings, "made by another version of linstudy, whose numbers can differ")


def settle(holdings: Holdings, message: str) -> None:
    """Refuse what is not what was run; where it is accepted, warn of it.

    Raises:
        LinstudyError: Unless it is accepted.
    """
    if not holdings.accept_changes:
        path = str(holdings.workspace.root)
        raise LinstudyError(f"{message}. To take what is there now: linstudy.open({path!r}, accept_changes=True)")
    warnings.warn(f"{message}. What is there now is taken", stacklevel=2)


def check_imported(model: Model, holdings: Holdings) -> None:
    """See that a user's modules which this process has imported already are what their files hold now.

    Raises:
        LinstudyError: If one is not.
    """
    for name, content in _imported(model, holdings):
        if getattr(sys.modules[name].__spec__, _MARK, content) != content:
            raise LinstudyError(
                f"the module {name} was imported before its file changed. Restart the notebook's kernel, or load it "
                f"again: importlib.reload({name})"
            )


def mark_imported(model: Model, holdings: Holdings) -> None:
    """Note what the files of a user's modules hold, now that they are imported."""
    for name, content in _imported(model, holdings):
        setattr(sys.modules[name].__spec__, _MARK, content)


def _imported(model: Model, holdings: Holdings) -> Iterator[tuple[str, str]]:
    """The user's modules behind a model that this process has imported, and a hash of what their files hold now."""
    files = {str(file) for file in own_files(model)}
    for name, content in model_source(model, holdings.places).items():
        spec = getattr(sys.modules.get(name), "__spec__", None)
        if spec is not None and spec.origin in files:
            yield name, content
