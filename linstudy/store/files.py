"""Files that appear whole or not at all."""

import os
from pathlib import Path


def install(temporary: Path, final: Path) -> None:
    """Give a finished file its name, once its content is on the disk; whoever has the old one open keeps it."""
    _sync(temporary)
    os.replace(temporary, final)
    _sync(final.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
