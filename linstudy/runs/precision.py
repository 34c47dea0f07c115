"""The arithmetic of a run."""

import contextlib
from collections.abc import Iterator

import jax

from linstudy.spec.train import Precision

MATMULS: dict[str, str] = {"float32": "highest", "tf32": "tensorfloat32", "float64": "highest"}

ROUNDING: dict[Precision, float] = {"float32": 2.0**-23, "tf32": 2.0**-10, "float64": 2.0**-52}
"""The distance from 1 to the next number in each, of a product's factors for tf32."""


def measuring_precision(name: Precision) -> Precision:
    """The precision in which a training of another is measured: float32 at least, whatever it trains in."""
    return "float64" if name == "float64" else "float32"


@contextlib.contextmanager
def precision(name: Precision) -> Iterator[None]:
    """float32 with true float32 products, float32 with tf32 products, or float64, inside the block."""
    with jax.enable_x64(name == "float64"), jax.default_matmul_precision(MATMULS[name]):
        yield
