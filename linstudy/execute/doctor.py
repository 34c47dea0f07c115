"""Whether this installation can do its work."""

import importlib.metadata
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from linstudy import __version__
from linstudy.data.archive import find_published
from linstudy.data.places import cache_folder
from linstudy.data.published import PUBLISHED
from linstudy.machine import available_memory, available_threads
from linstudy.store.workspace import Workspace

PACKAGES = ("jax", "equinox", "optax", "duckdb", "pydantic", "scikit-learn", "scipy", "numpy")


@dataclass(frozen=True)
class Finding:
    """What was looked at, and whether it is fine; None for something optional that is not there."""

    text: str
    fine: bool | None = True

    def __str__(self) -> str:
        words = {True: "ok", False: "NO", None: "--"}
        return f"{words[self.fine]}  {self.text}"


def diagnose(workspace: Path, data_folder: Path | None, reports: Path) -> Iterator[Finding]:
    """A finding for each thing that was looked at."""
    versions = (f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    yield Finding("  ".join([f"linstudy {__version__}", *versions]))
    yield _check(_devices)
    yield _check(_gradient)
    yield _check(lambda: Workspace(workspace).check())
    yield _resources(Workspace(workspace))
    yield _data_folder(data_folder)
    yield _reports(reports)
    yield _check(_neural_tangents, otherwise=None)
    for kind in PUBLISHED:
        yield _data(kind, data_folder)


def _check(check: Callable[[], str], otherwise: bool | None = False) -> Finding:
    try:
        return Finding(check())
    except Exception as error:
        return Finding(str(error), otherwise)


def _devices() -> str:
    import jax

    return f"JAX computes on {', '.join(f'{device.platform} {device.device_kind}' for device in jax.devices())}"


def _gradient() -> str:
    import jax
    import jax.numpy as jnp

    slope = float(jax.grad(lambda x: jnp.sum(jnp.sin(x)))(jnp.array([0.5]))[0])
    if not math.isclose(slope, math.cos(0.5), rel_tol=1e-5):
        raise ArithmeticError(f"the derivative of sin at 0.5 came out as {slope}, not {math.cos(0.5)}")
    return "derivatives come out right"


def _resources(workspace: Workspace) -> Finding:
    """What one worker would have: the machine, a container and a queue allow it together."""
    memory = available_memory()
    size = "an unknown amount of memory" if memory is None else f"{memory / 2**30:,.1f} GiB of memory"
    return Finding(
        f"a worker may use {size} (--memory) and {available_threads()} processors; what exceeds that goes to "
        f"{workspace.artifacts.absolute()} (--scratch)"
    )


def _data_folder(folder: Path | None) -> Finding:
    if folder is None:
        return Finding(f"the data folder is {cache_folder() / 'data'}; name another with --data or LINSTUDY_DATA")
    if not folder.is_dir():
        return Finding(f"the data folder {folder} does not exist. Make it, or name another with --data", False)
    return Finding(f"the data folder is {folder.absolute()}, then {cache_folder() / 'data'}")


def _reports(folder: Path) -> Finding:
    if not folder.is_dir():
        return Finding(f"there is no reports folder {folder}; report and figure need one, named by --reports", None)
    return Finding(f"the reports folder is {folder.absolute()}")


def _neural_tangents() -> str:
    from linstudy.tangent import load_neural_tangents

    return f"neural-tangents {load_neural_tangents().__version__} is installed"


def _data(kind: str, folder: Path | None) -> Finding:
    places = folder if folder is not None and folder.is_dir() else None
    found, needed = find_published(kind, places), PUBLISHED[kind].files
    if len(found) == len(needed):
        return Finding(f"{kind}: in {', '.join(sorted({str(path.parent) for path in found.values()}))}")
    missing = len(needed) - len(found)
    return Finding(f"{kind}: {missing} of {len(needed)} files are not here; they are downloaded when first used", None)
