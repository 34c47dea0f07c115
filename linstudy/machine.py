"""This machine, and what this process may use of it: the least that machine, container and Slurm queue allow."""

import os
import platform
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

_UNITS = {"B": 1} | {
    f"{letter}{suffix}": base**power
    for power, letter in enumerate("KMGT", start=1)
    for suffix, base in (("", 1024), ("iB", 1024), ("B", 1000))
}
_UNLIMITED = 2**60
"""Bytes from which on a limit of cgroup v1 is none: it writes the largest multiple of a page instead."""

_SLURM_PROCESSORS = ("SLURM_CPUS_ON_NODE", "SLURM_CPUS_PER_TASK")


def host_name(environment: Mapping[str, str] = os.environ) -> str:
    """The name of this machine, or of the node that Slurm takes it for."""
    return environment.get("SLURMD_NODENAME") or platform.node()


def parse_memory(text: str) -> int:
    """The bytes that a text such as `12GB` means: kB, MB, GB, TB are powers of 1000; KiB or K, … powers of 1024.

    Raises:
        ValueError: With what is allowed.
    """
    found = re.fullmatch(r"(\d{1,18}(?:\.\d{1,18})?)\s*([A-Za-z]+)", text.strip())
    units = {name.upper(): size for name, size in _UNITS.items()}
    size = int(float(found[1]) * units.get(found[2].upper(), 0)) if found else 0
    if size < 1:
        raise ValueError(f'"{text}" is not a size of memory. Write a number and a unit, as in 12GB, 12GiB or 900M')
    return size


def available_memory(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> int | None:
    """Bytes of memory that this process may use; None where nothing tells.

    Args:
        root: Where `proc` and `sys` are.
    """
    limits = [_machine_memory(), *cgroup_memory(root), slurm_memory(environment)]
    return min((limit for limit in limits if limit is not None), default=None)


def available_threads(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> int:
    """Processors that this process may use, at least 1.

    Args:
        root: Where `proc` and `sys` are.
    """
    tasks = environment.get("SLURM_CPUS_PER_TASK", "")
    limits = [_machine_threads(), *cgroup_threads(root), *([int(tasks)] if tasks.isdecimal() else [])]
    return max(1, min(limits))


def _machine_memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows has none, other systems not all of the names
        return None


def _machine_threads() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def slurm_memory(environment: Mapping[str, str]) -> int | None:
    """Bytes that Slurm gives to a job on this node; its numbers without a unit are MiB, and 0 is all of the node's."""
    node, each = (_slurm_size(environment.get(f"SLURM_MEM_PER_{part}", "")) for part in ("NODE", "CPU"))
    processors = next((count for name in _SLURM_PROCESSORS if (count := environment.get(name, "")).isdecimal()), "1")
    return node or (int(processors) * each if each else None)


def _slurm_size(text: str) -> int | None:
    try:
        return parse_memory(f"{text}M" if text.isdecimal() else text)
    except ValueError:
        return None


def cgroup_memory(root: Path) -> Iterator[int]:
    """The limits in bytes of the cgroups that this process is in, from its own up; both versions of cgroups."""
    for text in _settings(root, "memory", "memory.max", "memory.limit_in_bytes"):
        if text.isdecimal() and int(text) < _UNLIMITED:
            yield int(text)


def cgroup_threads(root: Path) -> Iterator[int]:
    """The limits in processors of the cgroups that this process is in; a part of a processor counts as none."""
    current = (text.split() for text in _settings(root, "cpu", "cpu.max"))
    old = (_settings(root, "cpu", "", f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    for quota, period in (*current, *zip(*old, strict=False)):
        if quota.isdecimal():
            yield int(quota) // int(period)


def _settings(root: Path, controller: str, current: str, old: str = "") -> Iterator[str]:
    """The texts of a setting in the cgroups of a controller, of version 2 and 1, from this process's own upward."""
    listed = _text(root / "proc/self/cgroup") or ""
    for folder, unified in cgroups(listed, controller):
        mount, name = ("sys/fs/cgroup", current) if unified else (f"sys/fs/cgroup/{controller}", old)
        for path in (folder, *folder.parents):
            if name and (text := _text(root / mount / path.relative_to("/") / name)):
                yield text


def cgroups(listed: str, controller: str) -> list[tuple[Path, bool]]:
    """The cgroups that govern a controller by `/proc/self/cgroup`, and whether each is one of version 2.

    In a container the folders may be named as outside of it, where they are not found; the root then is its own.
    """
    parts = [line.split(":", 2) for line in listed.splitlines() if line.count(":") >= 2]
    return [(Path(path), not names) for _, names, path in parts if not names or controller in names.split(",")]


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
