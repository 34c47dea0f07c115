"""The ledger on another disk than its workspace, while a study runs: a copy that is brought back at the end.

A note in the workspace says where the copy is as long as it alone has everything. What is left of a run that was killed
is found by it.
"""

import json
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from linstudy.machine import host_name
from linstudy.store.files import replacement
from linstudy.store.workspace import Workspace


@dataclass(frozen=True)
class WorkingCopy:
    """What the note says.

    Attributes:
        path: Of the copy; a name that no other copy has, so that it is this one wherever it is found.
        host: Whose disk it may be on.
        published: What told `results.duckdb` from a later one when the copy was made.
    """

    path: str
    host: str
    published: str

    @property
    def file(self) -> Path:
        """The copy."""
        return Path(self.path)

    def is_here(self) -> bool:
        """Whether it can be read from this machine."""
        return self.file.is_file()


def find(workspace: Workspace) -> WorkingCopy | None:
    """The copy that has what the workspace's own ledger has not; None if there is none."""
    with suppress(FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return WorkingCopy(**json.loads(workspace.away.read_text(encoding="utf-8")))
    return None


def new_file(folder: Path) -> Path:
    """Where a copy may lie in a folder, which is made if there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder.absolute() / f"linstudy-ledger-{uuid4().hex}.duckdb"


def note(workspace: Workspace, file: Path) -> None:
    """From now on the ledger is this file."""
    copy = WorkingCopy(str(file), host_name(), _stamp(workspace.results))
    with replacement(workspace.away) as place:
        place.write_text(json.dumps(asdict(copy)), encoding="utf-8")


def copy_file(source: Path, target: Path) -> None:
    """Copy a file that is there whole, and on the disk, or not at all."""
    with replacement(target) as place:
        shutil.copyfile(source, place)


def was_published(workspace: Workspace, copy: WorkingCopy) -> bool:
    """Whether something was published from a copy."""
    return _stamp(workspace.results) not in ("", copy.published)


def describe_loss(workspace: Workspace, copy: WorkingCopy) -> str:
    """What is missing without a copy that is not here."""
    source = workspace.results if was_published(workspace, copy) else workspace.ledger
    state = f"{source} is of {_changed(source)}" if source.is_file() else "nothing was published before"
    return (
        f"the ledger of the last run is not here: it lies on {copy.host}, in {copy.path}. {state}; what was recorded "
        "after that is missing"
    )


def _stamp(file: Path) -> str:
    with suppress(OSError):
        found = file.stat()
        return f"{found.st_mtime_ns} {found.st_size}"
    return ""


def _changed(file: Path) -> str:
    return datetime.fromtimestamp(file.stat().st_mtime).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
