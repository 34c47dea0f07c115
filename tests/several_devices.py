"""What a test module computes, in a process of four host devices."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

DEVICES = 4

FOUR = {
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={DEVICES}",
}
"""Environment variables; JAX must not have been imported before them. Other compilers' flags would change rounding."""

STRICT = {"JAX_ENABLE_X64": "1", "JAX_NUMPY_DTYPE_PROMOTION": "strict", "JAX_NUMPY_RANK_PROMOTION": "raise"}

CODE = "import sys, numpy, {name} as module; numpy.savez(sys.argv[1], **module.computed())"


def computed_on_four(path, folder):
    """The named arrays of `computed()` of the test module at a path, with the settings of unit tests."""
    path, out = Path(path), Path(folder) / "computed.npz"
    paths = os.pathsep.join([str(path.parent), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(name=path.stem), str(out)],
        env={**os.environ, **FOUR, **STRICT, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with np.load(out) as arrays:
        return dict(arrays)
