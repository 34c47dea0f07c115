"""All NADs of a ResNet18 with GELU at the origin, in a process of its own.

Prints the seconds, the peak memory, the operations of the floor and the residuals of some singular pairs as JSON.
"""

import argparse
import json
import time
from typing import Any

import jax
import numpy as np
from accuracy import in_float64
from alone import Tenths, peak
from operations import Network
from settings import initialized
from spectra import MixedDerivative, nads_operations

from linstudy.spec.model import MlpModel, Model, ResnetModel
from linstudy.tangent import freeze, nads, parameter_count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="an MLP stands for the ResNet18, which compiles for long")
    if parser.parse_args().smoke:
        found = measured(MlpModel(kind="mlp", activation="gelu"), (1, 4, 4))
    else:
        found = measured(ResnetModel(kind="resnet", activation="gelu"), (1, 32, 32))
    print(json.dumps(found))


def measured(spec: Model, shape: tuple[int, ...]) -> dict[str, Any]:
    """All directions, computed once: nothing is warmed up."""
    model = freeze(*initialized(spec, shape, 0))
    start = time.perf_counter()
    found = nads(model, np.zeros((1, *shape)), progress=Tenths())
    seconds = time.perf_counter() - start
    return {
        "dimensions": len(found.directions),
        "seconds": seconds,
        "peak": peak(),
        "operations": nads_operations(Network.of(model, shape), shape),
        "parameters": parameter_count(model),
        "residual": _residual(model, shape, found.directions, found.singular_values),
    }


def _residual(model: Any, shape: tuple[int, ...], directions: np.ndarray, values: np.ndarray) -> float:
    """The largest ‖MᵀM v − σ² v‖ / σ₁² of the first, the middle and the last direction, by products with M and Mᵀ."""
    with jax.enable_x64(True):
        operator = MixedDerivative(in_float64(model), shape)
        chosen = [0, len(values) // 2, len(values) - 1]
        errors = [operator.rmatvec(operator.matvec(directions[j])) - values[j] ** 2 * directions[j] for j in chosen]
    return float(max(np.linalg.norm(error) for error in errors) / values[0] ** 2)


if __name__ == "__main__":
    main()
