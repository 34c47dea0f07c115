"""Samples and runs spread over the local devices, and what may be held there."""

from collections.abc import Callable, Sequence
from typing import Any, final

import equinox as eqx
import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, PyTree

MEMORY_ON_CPUS = 2**31

SHARE_OF_ACCELERATOR = 0.5
"""Of the memory that JAX may still take of an accelerator; programs need some beside what they are given to hold."""

_SAMPLES = "samples"
_RUNS = "runs"


def device_count() -> int:
    """How many local devices share the work."""
    return jax.local_device_count()


def memory_budget_or_default(chosen: int | None) -> int:
    """Bytes to hold at a time: those chosen, else half of what is left of an accelerator, or 2 GiB on CPUs."""
    return default_budget() if chosen is None else chosen


def default_budget(on_cpus: int = MEMORY_ON_CPUS) -> int:
    """Bytes to hold at a time where nothing was chosen: half of what is left of an accelerator, else `on_cpus`."""
    told = {} if jax.default_backend() == "cpu" else jax.local_devices()[0].memory_stats() or {}
    left = told.get("bytes_limit", 0) - told.get("bytes_in_use", 0)
    return int(SHARE_OF_ACCELERATOR * left) if left > 0 else on_cpus


def _mesh(devices: int, axis: str) -> Mesh | None:
    return None if devices == 1 else Mesh(np.array(jax.local_devices()[:devices]), (axis,))


def _placed(tree: PyTree[Array], mesh: Mesh | None, spec: PartitionSpec) -> PyTree[Array]:
    return tree if mesh is None else jax.device_put(tree, NamedSharding(mesh, spec))


def spread(tree: PyTree[Array]) -> PyTree[Array]:
    """Each device gets its share of the first axis, which the number of devices must divide."""
    return _placed(tree, _mesh(device_count(), _SAMPLES), PartitionSpec(_SAMPLES))


def everywhere(tree: PyTree[Array]) -> PyTree[Array]:
    """Each device gets all of it."""
    return _placed(tree, _mesh(device_count(), _SAMPLES), PartitionSpec())


def on_device(array: np.ndarray) -> Array:
    """A large array on the device. On CPUs without a copy where its memory is aligned, as that of a mapped file is.

    The caller must not write to it afterwards.
    """
    return jax.dlpack.from_dlpack(array) if jax.default_backend() == "cpu" else jax.device_put(array)


@final
class Shares(eqx.Module):
    """How some equal things, such as runs, go to the local devices: evenly, the last one repeated to fill up.

    No device takes more of them than the fullest must, and no more devices take part than that asks for.

    Attributes:
        total: How many there are with the repeated ones.
    """

    total: int = eqx.field(static=True)
    mesh: Mesh | None = eqx.field(static=True)

    def __init__(self, count: int):
        each = -(-count // device_count())
        devices = -(-count // each)
        self.total, self.mesh = each * devices, _mesh(devices, _RUNS)

    def filled(self, things: Sequence[Any]) -> list[Any]:
        """As many as there are places."""
        return [*things, *[things[-1]] * (self.total - len(things))]

    def apart(self, tree: PyTree[Array], axis: int = 0) -> PyTree[Array]:
        """Each device gets its share of an axis."""
        return _placed(tree, self.mesh, _along(axis))

    def everywhere(self, tree: PyTree[Array]) -> PyTree[Array]:
        """Each of the devices gets all of it."""
        return _placed(tree, self.mesh, PartitionSpec())

    def mapped(self, function: Callable[..., Any], axes: Sequence[int | None]) -> Callable[..., Any]:
        """`jax.vmap(function, axes)`, each device on its share: left to the compiler, convolutions would gather all."""
        mapped = jax.vmap(function, tuple(axes))
        if self.mesh is None:
            return mapped
        places = tuple(map(_along, axes))
        return jax.shard_map(mapped, mesh=self.mesh, in_specs=places, out_specs=_along(0), check_vma=False)


def _along(axis: int | None) -> PartitionSpec:
    return PartitionSpec() if axis is None else PartitionSpec(*[None] * axis, _RUNS)
