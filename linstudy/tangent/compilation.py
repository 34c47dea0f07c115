"""How programs that hold convolutions are compiled."""

from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax

_TRIED = jax.__version_info__ < (0, 13)
"""Whether this JAX is one whose compiler is known to take the options: it refuses a program with unknown ones."""

CONVOLUTION_OPTIONS: dict[str, str] = (
    # Of what JAX 0.10 began to hand to YNNPACK on CPUs, the matrix products alone: its convolutions take up to 2.5
    # times as long as Eigen's, those of a ResNet18's training step 5.6 instead of 3.4 s.
    {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_DOT"} if _TRIED else {}
)


def convolution_jit(donate: Literal["none", "all-except-first"] = "none") -> Callable[[Callable[..., Any]], Any]:
    """`eqx.filter_jit` for a program with convolutions, which must not be part of another program."""
    # Equinox passes further arguments on to `jax.jit`, and its overloads leave them out
    return eqx.filter_jit(donate=donate, compiler_options=CONVOLUTION_OPTIONS)  # pyright: ignore[reportCallIssue]
