"""The arithmetic of a run."""

import contextlib
from collections.abc import Iterator

import jax

from linstudy.spec.train import Precision

MATMULS: dict[str, str] = {"float32": "highest", "tf32": "tensorfloat32", "float64": "highest"}


@contextlib.contextmanager
def precision(name: Precision) -> Iterator[None]:
    """float32 with true float32 products, float32 with tf32 products, or float64, inside the block."""
    with jax.enable_x64(name == "float64"), jax.default_matmul_precision(MATMULS[name]):
        yield
