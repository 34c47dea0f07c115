"""The whole Gram of LeNet and its spectrum, in a process of its own, whose peak memory is then theirs.

    python full_gram.py lenet 60000 --out file --top 1000

prints the seconds, the peak memory after each and the errors of some entries as JSON.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import exact_gram, relative_error
from alone import Tenths, peak
from operations import Network
from settings import MODELS, SHAPE, images, initialized

from linstudy.runs.precision import precision
from linstudy.tangent import freeze, ntk_gram, spectrum

CHECKED = 24
"""Samples whose entries are compared with explicit gradients in float64."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=MODELS)
    parser.add_argument("samples", type=int)
    parser.add_argument("--out", choices=("memory", "file"), default="memory")
    parser.add_argument("--folder", type=Path, help="where the file is made  [default: a temporary folder]")
    parser.add_argument("--top", type=int, required=True, help="eigenpairs")
    arguments = parser.parse_args()
    with precision("float32"), tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        print(json.dumps(measured(arguments.network, arguments.samples, arguments.out, Path(folder), arguments.top)))


def measured(network: str, samples: int, out: str, folder: Path, top: int) -> dict[str, Any]:
    """The Gram and its first eigenpairs, made once: nothing is warmed up."""
    model = freeze(*initialized(MODELS[network], SHAPE, 0))
    inputs = images(samples)
    stored = _file(folder, samples) if out == "file" else None
    start = time.perf_counter()
    gram = ntk_gram(model, inputs, out=stored, progress=Tenths())
    seconds = time.perf_counter() - start
    held = peak()
    chosen = np.random.default_rng(0).choice(samples, min(CHECKED, samples), replace=False)
    error = relative_error(gram[np.ix_(chosen, chosen)], exact_gram(model, inputs[chosen]))
    counts = Network.of(model, SHAPE)
    counted = {
        "operations": counts.gram(samples, samples**2),
        "useful": counts.gram(samples, samples * (samples + 1) / 2),
    }
    return {"seconds": seconds, "peak": held, "error": error, **counted, "spectrum": _decomposed(gram, top)}


def _decomposed(gram: np.ndarray, top: int) -> dict[str, float]:
    start = time.perf_counter()
    found = spectrum(gram, top, progress=Tenths())
    return {
        "seconds": time.perf_counter() - start,
        "peak": peak(),
        "residual": float(np.max(found.residuals)),
        "own": float(np.max(found.residuals * found.eigenvalues[0] / found.eigenvalues)),
    }


def _file(folder: Path, samples: int) -> np.ndarray:
    return np.lib.format.open_memmap(folder / "gram.npy", "w+", np.float32, (samples, samples))


if __name__ == "__main__":
    main()
