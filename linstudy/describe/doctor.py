"""Whether this installation can do its work, and what a report of a bug should say of it."""

import importlib.metadata
import importlib.util
import math
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from linstudy import __version__
from linstudy.data.archive import find_published
from linstudy.data.places import cache_folder
from linstudy.data.published import PUBLISHED
from linstudy.machine import available_memory, available_threads
from linstudy.prepare.provenance import git_state
from linstudy.store.database import SCHEMA_VERSION
from linstudy.store.query import schema_version
from linstudy.store.working_copy import describe_loss, find
from linstudy.store.workspace import Workspace

PACKAGES = (
    *("jax", "jaxlib", "equinox", "optax", "jaxtyping", "numpy", "scipy", "scikit-learn", "duckdb", "safetensors"),
    *("pydantic", "ruamel.yaml", "click", "rich", "matplotlib", "pillow", "pooch", "platformdirs", "filelock"),
)
"""All that linstudy requires."""

PLUGINS = ("jax-cuda12-plugin", "jax-cuda13-plugin")
"""What JAX needs of an accelerator, told where it is installed."""

LEAST_MEMORY = 2**29
"""Bytes: a worker that trains a small network holds 0.4 GiB, most of which is JAX."""

SETTINGS = ("JAX_", "XLA_", "LINSTUDY_", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""How the names of environment variables begin that change what is computed, or how."""

_WITHOUT_NEURAL_TANGENTS = (
    "Without it nothing of `kernel: infinite_width` can be computed, such as the study infinite_width; all else can"
)


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
    yield Finding(f"linstudy {__version__}{_checkout()}")
    yield Finding(f"Python {platform.python_version()} ({platform.python_implementation()}), {platform.platform()}")
    yield _packages()
    if settings := [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith(SETTINGS)]:
        yield Finding(f"the environment sets {' '.join(settings)}")
    yield _check(_devices)
    yield _check(_gradient)
    yield _check(lambda: Workspace(workspace).check())
    yield _check(lambda: _results(Workspace(workspace)))
    yield from _ledger_elsewhere(Workspace(workspace))
    yield _resources(Workspace(workspace))
    yield _data_folder(data_folder)
    yield _reports(reports)
    yield _check(_neural_tangents, otherwise=None if importlib.util.find_spec("neural_tangents") is None else False)
    yield _dask()
    for kind in PUBLISHED:
        yield _data(kind, data_folder)


def _check(check: Callable[[], str], otherwise: bool | None = False) -> Finding:
    try:
        return Finding(check())
    except Exception as error:
        return Finding(str(error), otherwise)


def _checkout() -> str:
    """The commit that linstudy itself is at, where it is a checkout of its own."""
    folder = Path(__file__).parents[1]
    if not (folder.parent / ".git").exists():
        return f", installed in {folder}"
    state = git_state(folder.parent)
    commit = state.note or f"commit {state.commit or 'unknown'}{', with changes' if state.dirty else ''}"
    return f", a checkout in {folder.parent}, {commit}"


def _packages() -> Finding:
    versions = {name: _version(name) for name in (*PACKAGES, *PLUGINS)}
    told = "  ".join(f"{name} {version}" for name, version in versions.items() if version)
    missing = [name for name in PACKAGES if versions[name] is None]
    if missing:
        return Finding(f"not installed: {', '.join(missing)}. Install linstudy again with pip; there are {told}", False)
    return Finding(told)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _results(workspace: Workspace) -> str:
    """The version of what is published, which is another one where another linstudy wrote it."""
    if not workspace.results.exists():
        return f"{workspace.results} does not exist yet; `linstudy run` makes it, with schema version {SCHEMA_VERSION}"
    version = schema_version(workspace.results)
    older = "" if version == SCHEMA_VERSION else f"; the next `linstudy run` makes it {SCHEMA_VERSION}"
    return f"{workspace.results} has schema version {version}{older}"


def _ledger_elsewhere(workspace: Workspace) -> Iterator[Finding]:
    """Where the ledger is, if that is not the workspace."""
    if (copy := find(workspace)) is None:
        return
    if workspace.holder() is not None or copy.is_here():
        yield Finding(f"the ledger lies on {copy.host}, in {copy.path}, while a study runs or until the next one does")
    else:
        yield Finding(f"{describe_loss(workspace, copy)}. `linstudy run` goes on without it", False)


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
    is_enough = memory is None or memory >= LEAST_MEMORY
    least = "" if is_enough else f". Even a small study needs {LEAST_MEMORY / 2**30:.1f} GiB: give it more"
    return Finding(
        f"a worker may use {size} (--memory) and {available_threads()} processors; what exceeds that goes to "
        f"{workspace.artifacts.absolute()} (--scratch){least}",
        is_enough,
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
    from linstudy.tangent import NeuralTangentsMissing, load_neural_tangents

    try:
        module = load_neural_tangents()
    except NeuralTangentsMissing as error:
        raise NeuralTangentsMissing(f"{error} {_WITHOUT_NEURAL_TANGENTS}") from None
    return f"neural-tangents {module.__version__} is installed"


def _dask() -> Finding:
    if version := _version("distributed"):
        return Finding(f"distributed {version} is installed, for `run --dask`")
    return Finding("distributed is not installed. `run --dask` alone needs it: pip install 'linstudy[dask]'", None)


def _data(kind: str, folder: Path | None) -> Finding:
    places = folder if folder is not None and folder.is_dir() else None
    found, needed = find_published(kind, places), PUBLISHED[kind].files
    if len(found) == len(needed):
        return Finding(f"{kind}: in {', '.join(sorted({str(path.parent) for path in found.values()}))}")
    missing = len(needed) - len(found)
    return Finding(f"{kind}: {missing} of {len(needed)} files are not here; they are downloaded when first used", None)
