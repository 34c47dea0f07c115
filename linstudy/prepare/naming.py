"""Whose name a study's name is in a workspace: two files of one name are two studies."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from linstudy.spec.catalogue import StudyFile, shipped_folder
from linstudy.spec.errors import LinstudyError
from linstudy.spec.points import Study
from linstudy.store.rows import StudyRow
from linstudy.store.workspace import Workspace

_SHIPPED = "linstudy:"
_VARIANT = re.compile(r"[\w.-]+")


@dataclass(frozen=True)
class Naming:
    """What is to be done where another file has the study's name.

    Attributes:
        variant: Keep both: this one is a variant of that name, whatever its profile and its values.
        replace: Let this one take the place of the other.
    """

    variant: str | None = None
    replace: bool = False

    def apply(self, study: Study) -> Study:
        """The study with the name of the variant before those of its profile and its values.

        Raises:
            LinstudyError: If the name is none.
        """
        if self.variant is None:
            return study
        if not _VARIANT.fullmatch(self.variant):
            raise LinstudyError(f'--variant "{self.variant}": use letters, digits, and any of "_.-"')
        return replace(study, variant=f"{self.variant} {study.variant}".strip())


def file_note(file: StudyFile, workspace: Workspace) -> str:
    """How a file is noted: as seen from the workspace, so that both can move together."""
    if file.shipped:
        return _SHIPPED + file.path.name
    return os.path.relpath(file.path.resolve(), workspace.root.resolve())


def noted_folder(note: str | None, workspace: Workspace) -> Path:
    """Where the relative paths of a study begin whose file was noted; the current folder where that is not known."""
    folder = Path() if note is None or note.startswith(_SHIPPED) else (workspace.root / note).resolve()
    return folder.parent if folder.parent.is_dir() else Path()


def check_name(study: StudyRow, known: Sequence[StudyRow], workspace: Workspace, naming: Naming) -> str | None:
    """See that no other file's points are replaced unless that is asked for.

    A file is the same one if it lies where it lay, whatever was edited in it, or has the same text, wherever it lies.
    One that lies elsewhere with another text takes the place of one that is gone.

    Args:
        known: The variants that are stored under the study's name.

    Returns:
        What is to be said, if the points of a file that is gone, or whose place is not known, are replaced.

    Raises:
        LinstudyError: If another file has the name.
    """
    if naming.variant is None and not any(one.variant == study.variant for one in known):
        others = [] if any(_is_same(one, study) for one in known) else known
    else:
        others = [one for one in known if one.variant == study.variant and not _is_same(one, study)]
    another = next((one for one in others if _exists(one, workspace)), None)
    if another is not None and not naming.replace:
        raise LinstudyError(
            f"study {study.name}: in this workspace the name belongs to {_place(another)}, and {study.file} is another "
            f"file. Give this one a name of its own (its line `study: {study.name}`), keep both with "
            "--variant NAME, or let this one take the other's place with --replace: its runs stay then, without a study"
        )
    if replaced := next((one for one in others if one.variant == study.variant), None):
        earlier = _fate(replaced, workspace)
        return f"study {study.name}: its points are now those of {study.file}, no longer those of {earlier}"
    return None


def _is_same(one: StudyRow, other: StudyRow) -> bool:
    return one.document == other.document or (one.file is not None and one.file == other.file)


def _exists(study: StudyRow, workspace: Workspace) -> bool:
    if study.file is None:  # imported, or of an earlier linstudy
        return False
    if study.file.startswith(_SHIPPED):
        return (shipped_folder() / study.file.removeprefix(_SHIPPED)).is_file()
    return (workspace.root.resolve() / study.file).is_file()


def _place(study: StudyRow) -> str:
    if study.file is not None and study.file.startswith(_SHIPPED):
        return "the one that linstudy comes with"
    return str(study.file)


def _fate(study: StudyRow, workspace: Workspace) -> str:
    if study.file is None:
        return "a file that is not known"
    return f"{_place(study)}{'' if _exists(study, workspace) else ', which is gone'}"
