"""Whether this installation can do its work."""

import importlib.metadata
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from linstudy.data.archive import find_published
from linstudy.data.published import PUBLISHED

PACKAGES = ("jax", "equinox", "optax", "duckdb", "pydantic", "scikit-learn", "scipy", "numpy")


def diagnose(workspace: Path, data_folder: Path | None) -> Iterator[tuple[str, bool]]:
    """A line for each thing that was looked at, and whether it is fine."""
    yield "  ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES), True
    checks: tuple[Callable[[], str], ...] = (_devices, _gradient, lambda: _workspace(workspace), _neural_tangents)
    for check in checks:
        try:
            yield check(), True
        except Exception as error:
            yield str(error), check is _neural_tangents  # an optional extra
    for kind in PUBLISHED:
        yield _data(kind, data_folder), True


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


def _workspace(folder: Path) -> str:
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"the workspace {folder} cannot be written to: choose another with --workspace")
    return f"the workspace {folder.resolve()} can be written to"


def _neural_tangents() -> str:
    from linstudy.tangent import load_neural_tangents

    return f"neural-tangents {load_neural_tangents().__version__} is installed"


def _data(kind: str, folder: Path | None) -> str:
    found, needed = find_published(kind, folder), PUBLISHED[kind].files
    if len(found) == len(needed):
        return f"{kind}: in {', '.join(sorted({str(path.parent) for path in found.values()}))}"
    return f"{kind}: {len(found)} of {len(needed)} files are here; the others are downloaded when first used"
