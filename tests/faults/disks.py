"""Workspaces on a disk that is too small, and then is not."""

import contextlib
import random
import subprocess
from collections.abc import Iterator

from bench import Bench, FaultError

ROOMY = 2**28
SMALLEST = 2**17


def can_mount(bench: Bench) -> bool:
    """Whether this process may make small disks."""
    with contextlib.suppress(subprocess.CalledProcessError, FileNotFoundError), disk(bench, SMALLEST):
        return True
    return False


def fill(bench: Bench, chance: random.Random, needed: int, check) -> str:
    """Run on a disk that is too small, make room, and run again.

    Args:
        needed: Bytes of an undisturbed workspace.
        check: Called while the disk is there.
    """
    size = too_small(chance, needed)
    with disk(bench, size):
        bench.prepare()
        ended = bench.run()
        _check_message(ended.status, ended.printed)
        make_room(bench)
        bench.finish()
        check()
    return f"{size // 1024:,} KiB: exit status {ended.status}"


def _check_message(status: int, printed: str) -> None:
    if status not in (0, 1) or "Traceback" in printed or "Unexpected" in printed:
        raise FaultError(f"a full disk ends with exit status {status}:\n{printed}")
    if sum(line.startswith("Error: ") for line in printed.splitlines()) > 1:
        raise FaultError(f"more than one message:\n{printed}")


@contextlib.contextmanager
def disk(bench: Bench, size: int) -> Iterator[None]:
    """The folder on a disk of its own, of so many bytes."""
    bench.folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(bench.folder))
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(bench.folder)], check=True)


def too_small(chance: random.Random, needed: int) -> int:
    """Bytes, mostly fewer than are needed."""
    return int(SMALLEST * (1.5 * needed / SMALLEST) ** chance.random())


def make_room(bench: Bench) -> None:
    """Let the disk be large."""
    _mount("-o", f"remount,size={ROOMY}", str(bench.folder))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)
