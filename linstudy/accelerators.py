"""The accelerators of this machine, found without JAX; apart from `machine`, which every command imports."""

import importlib.metadata
import os
import shutil
import subprocess


def visible_accelerators() -> list[str]:
    """The ids of the GPUs that workers can use, found without starting JAX; empty where JAX has no CUDA plugin."""
    if not _has_cuda_plugin() or shutil.which("nvidia-smi") is None:
        return []
    if (chosen := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [device for device in chosen.split(",") if device and device != "-1"]
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False).stdout
    return [str(index) for index, line in enumerate(line for line in listed.splitlines() if line.startswith("GPU"))]


def _has_cuda_plugin() -> bool:
    names = {distribution.name for distribution in importlib.metadata.distributions()}
    return bool({"jax-cuda12-plugin", "jax-cuda13-plugin"} & names)
