"""What is measured on what, and with what."""

import datetime
import importlib.metadata
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
from threadpoolctl import threadpool_info
from torch_client import TorchServer

from linstudy.prepare.provenance import git_state

PACKAGES = ("jax", "jaxlib", "equinox", "optax", "numpy", "scipy", "duckdb", "neural-tangents")


def description(command: str, torch: TorchServer | None) -> str:
    """The lines above the tables."""
    said = {
        "command": f"`{command}`",
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "linstudy": _commit(),
        "device": _devices(),
        "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {_memory() / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, {platform.libc_ver()[0]} {platform.libc_ver()[1]}",
        "software": f"Python {platform.python_version()}, {', '.join(_versions())}",
        "BLAS of numpy and scipy": ", ".join(sorted(set(_libraries()))) or "none found",
        "torch environment": _torch(torch),
    }
    return "\n".join(f"- {name}: {value}" for name, value in said.items()) + "\n"


def _commit() -> str:
    git = git_state(Path(__file__).parent)
    return f"commit {git.commit[:10]}{', with changes' if git.dirty else ''}" if git.commit else "not from a checkout"


def _devices() -> str:
    def one(device: Any) -> str:
        statistics = device.memory_stats() if device.platform != "cpu" else None
        memory = f", {statistics['bytes_limit'] / 2**30:.0f} GiB" if statistics else ""
        kind = "" if device.device_kind == device.platform else f" {device.device_kind}"
        return f"{device.platform}{kind}{memory}"

    return ", ".join(map(one, jax.devices()))


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _versions() -> Iterator[str]:
    for name in PACKAGES:
        try:
            yield f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            yield f"no {name}"


def _libraries() -> Iterator[str]:
    for library in threadpool_info():
        if library["user_api"] == "blas":
            yield f"{library['internal_api']} {library['version']} ({library['num_threads']} threads)"


def _torch(torch: TorchServer | None) -> str:
    if torch is None:
        return "none given"
    try:
        return ", ".join(f"{name} {value}" for name, value in torch.ask(task="about").items())
    except Exception as error:
        return f"{type(error).__name__}: {error}"
