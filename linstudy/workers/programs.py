"""Compiled programs, kept between studies: where, and how many."""

import hashlib
import importlib.metadata
import os
import platform
from contextlib import suppress
from pathlib import Path

CACHE_BYTES = 2**30
"""Of compiled programs kept for a processor; those used longest ago go first."""

_VARIABLE = "JAX_COMPILATION_CACHE_DIR"


def compilation_cache(parent: Path) -> dict[str, str]:
    """The variables that let this worker keep compiled programs; a folder that the user chose is respected.

    Programs are compiled for the processor at hand, so each type has a folder of its own.
    """
    if os.environ.get(_VARIABLE):
        return {}
    folder = parent / processor()
    prune(folder)
    return {
        _VARIABLE: str(folder.absolute()),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",  # a network starts with dozens of small programs
    }


def processor() -> str:
    """A name for the type of this machine's processor and the compiler's version."""
    text = f"{platform.machine()} {importlib.metadata.version('jaxlib')}"
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        text += "".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))
    return f"{platform.machine()}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def prune(folder: Path, limit: int = CACHE_BYTES) -> None:
    """Delete the files of a folder that were used longest ago, until the rest are within a limit."""
    files = []
    with suppress(OSError):
        for entry in os.scandir(folder):
            if entry.is_file():
                status = entry.stat()
                files.append((max(status.st_atime, status.st_mtime), status.st_size, entry.path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= limit:
            return
        with suppress(OSError):
            os.unlink(path)
            total -= size
