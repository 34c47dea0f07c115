"""Where and from what an attempt was made."""

import os
import platform
import shutil
import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from linstudy.models.source import own_files
from linstudy.spec.points import Study

_TIMEOUT = 30.0
"""Seconds; a repository on a network may hang."""


@dataclass(frozen=True)
class GitState:
    """The commit that a checkout is at, and whether it tells all: None outside of a repository.

    Attributes:
        dirty: Whether tracked files have changes, or files of the study are not tracked.
        note: Why there is no commit although there is a repository.
    """

    commit: str | None = None
    dirty: bool | None = None
    note: str | None = None


def study_files(study: Study) -> list[Path]:
    """The study, if it is the user's own, and the user's own modules behind its models."""
    models = {repr(point.model): point.model for point in study.points}
    own = [] if study.file.shipped else [study.file.path]  # the version of linstudy says what it comes with
    return [*own, *dict.fromkeys(file for model in models.values() for file in own_files(model))]


def git_state(folder: Path, files: Collection[Path] = ()) -> GitState:
    """The state of the checkout that a folder is in. Nothing is written.

    Args:
        files: The study and the user's own modules, without which a commit cannot make the numbers again.
    """
    if shutil.which("git") is None:
        return GitState()
    commit = _git(folder, "rev-parse", "HEAD")
    if "dubious ownership" in commit.stderr:
        return GitState(note=f"no git commit is recorded: {' '.join(commit.stderr.split())}")
    if commit.returncode != 0:
        return GitState()
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no").stdout
    return GitState(commit.stdout.strip(), bool(changes) or not _are_tracked(files, folder))


def host() -> str:
    """The name of this machine."""
    return platform.node()


def _are_tracked(files: Collection[Path], folder: Path) -> bool:
    """Whether all belong to the repository of the folder, those outside of it never."""
    names = [str(file.resolve()) for file in files]
    return not names or _git(folder, "ls-files", "--error-unmatch", "--", *names).returncode == 0


def _git(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = ["git", "--literal-pathspecs", *arguments]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))
