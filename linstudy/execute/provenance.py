"""Where and from what an attempt was made."""

import platform
import shutil
import subprocess
from pathlib import Path


def git_state(folder: Path) -> tuple[str | None, bool | None]:
    """The commit that a folder's checkout is at, and whether it has uncommitted changes; None outside of one."""
    if shutil.which("git") is None:
        return None, None
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return (commit, bool(changes)) if commit else (None, None)


def host() -> str:
    """The name of this machine."""
    return platform.node()


def _git(folder: Path, *arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
