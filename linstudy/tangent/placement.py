"""Samples spread over the local devices."""

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, PyTree

_SAMPLES = "samples"


def device_count() -> int:
    """How many local devices share the work."""
    return jax.local_device_count()


def _placed(tree: PyTree[Array], spec: PartitionSpec) -> PyTree[Array]:
    if device_count() == 1:
        return tree
    mesh = Mesh(np.array(jax.local_devices()), (_SAMPLES,))
    return jax.device_put(tree, NamedSharding(mesh, spec))


def spread(tree: PyTree[Array]) -> PyTree[Array]:
    """Each device gets its share of the first axis, which the number of devices must divide."""
    return _placed(tree, PartitionSpec(_SAMPLES))


def everywhere(tree: PyTree[Array]) -> PyTree[Array]:
    """Each device gets all of it."""
    return _placed(tree, PartitionSpec())
