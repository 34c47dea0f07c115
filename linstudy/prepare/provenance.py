"""Where and from what an attempt was made."""

import os
import shutil
import subprocess
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import linstudy
from linstudy.machine import host_name
from linstudy.models.source import own_files
from linstudy.spec.points import Study

_TIMEOUT = 30.0
"""Seconds; a repository on a network may hang."""


MOST_CHARACTERS = 2**18
"""Of a text that is kept: code that is longer is named alone."""

PACKAGES = "packages"
"""The name of the list of installed packages among what is kept."""


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
    own = [] if study.file.shipped else [study.file.path]  # the version of linstudy says what it comes with
    return [*own, *own_modules(study)]


def own_modules(study: Study) -> list[Path]:
    """The user's own modules behind a study's models."""
    models = {repr(point.model): point.model for point in study.points}
    return list(dict.fromkeys(file for model in models.values() for file in own_files(model)))


def code_behind(study: Study) -> dict[str, str | None]:
    """What a commit does not tell of the code that runs, by name: nothing else is looked at, so no secrets are.

    The changes in the user's own modules and in linstudy since the commits that they are at; the modules that no
    repository tracks; the installed packages. None for a text of more than `MOST_CHARACTERS`, or that is no UTF-8.
    """
    package = Path(linstudy.__file__).parent
    is_checkout = _is_checkout(package)
    commit = _git(package, "rev-parse", "HEAD").stdout.strip() if is_checkout else ""
    texts = {
        **_changes(study.folder, own_modules(study), "changes"),
        **(_changes(package.parent, _sources(package), "changes in linstudy") if is_checkout else {}),
        PACKAGES: "".join(f"{line}\n" for line in _packages(commit)),
    }
    return {name: text if text is None or len(text) <= MOST_CHARACTERS else None for name, text in texts.items()}


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
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    is_clean = changes.returncode == 0 and not changes.stdout and _are_tracked(files, folder)
    return GitState(commit.stdout.strip(), not is_clean)


def origin(git: GitState, code: Mapping[str, str | None] | None = None) -> dict[str, object]:
    """What an attempt records of where and from what it is made.

    Args:
        code: The SHA-256 of texts that the ledger keeps, by name.
    """
    return {"host": host_name(), "git_commit": git.commit, "dirty": git.dirty, "code": code}


def _changes(folder: Path, files: Collection[Path], name: str) -> dict[str, str | None]:
    """The difference of those files from their commit that a folder's repository tracks, and the others whole."""
    tracked = [file for file in files if _are_tracked([file], folder)]
    patch = _patch(folder, tracked) if tracked else b""
    if patch is None:
        patch, tracked = b"", []
    others = {_name(file, folder): _read(file) for file in files if file not in tracked}
    return {**({name: _text(patch)} if patch else {}), **others}


_PLAIN = ("-c", "core.quotePath=true", "-c", "diff.relative=false")
_PATCH = (
    "--binary",
    "--unified=3",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
)
"""What makes a difference one that `git apply` takes, whatever a user's configuration says."""


def _patch(folder: Path, files: Collection[Path]) -> bytes | None:
    """The difference of tracked files from their commit; None where there is no commit yet, or git fails."""
    names = [str(file.resolve()) for file in files]
    found = _run(folder, *_PLAIN, "diff", *_PATCH, "HEAD", "--", *names)
    return found.stdout if found.returncode == 0 else None


def _read(file: Path) -> str | None:
    try:
        return _text(file.read_bytes())
    except OSError:
        return None


def _text(content: bytes) -> str | None:
    """What is kept of a text: all of it, with the ends of its lines, or nothing."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _name(file: Path, folder: Path) -> str:
    """A file as it is named from a folder that it is in; else its whole path."""
    pairs = ((file.absolute(), folder.absolute()), (file.resolve(), folder.resolve()))
    found = next((one.relative_to(other) for one, other in pairs if one.is_relative_to(other)), file)
    return str(found).encode(errors="backslashreplace").decode()


def _sources(package: Path) -> list[Path]:
    """The files of linstudy that differ from its commit."""
    own = ("--", str(package))
    listed = _git(package, "ls-files", "--modified", "--others", "--exclude-standard", "--full-name", *own).stdout
    top = Path(_git(package, "rev-parse", "--show-toplevel").stdout.strip())
    return [file for line in listed.splitlines() if (file := top / line).suffix in (".py", ".sql") and file.is_file()]


def _is_checkout(package: Path) -> bool:
    """Whether linstudy runs from a repository of its own, and not from a folder of installed packages."""
    return shutil.which("git") is not None and _are_tracked([Path(linstudy.__file__)], package)


def _packages(commit: str) -> Iterator[str]:
    """Every installed package with its version, as `pip freeze` writes it, and the commit of linstudy, if any."""
    found = {dist.metadata["Name"]: dist.version for dist in metadata.distributions()}
    for name in sorted(found, key=str.lower):
        yield f"{name}=={found[name]}" + (f"  # commit {commit}" if commit and name == "linstudy" else "")


def _are_tracked(files: Collection[Path], folder: Path) -> bool:
    """Whether all belong to the repository of the folder, those outside of it never."""
    names = [str(file.resolve()) for file in files]
    return not names or _git(folder, "ls-files", "--error-unmatch", "--", *names).returncode == 0


def _git(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    done = _run(folder, *arguments)
    out, error = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, out, error)


def _run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    command = ["git", "--literal-pathspecs", *arguments]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_DIFF_OPTS": "", "LC_ALL": "C"}
    try:
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, b"", str(error).encode(errors="replace"))
