"""The studies that can be named: files beside the user, and those that linstudy comes with."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linstudy.spec.document import read_document
from linstudy.spec.errors import StudyError
from linstudy.spec.study import NAME
from linstudy.spec.vocabulary import nearest

OWN_FOLDERS = (Path(), Path("studies"))
"""Where a study is looked for by its name, before those that linstudy comes with."""

SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class StudyFile:
    """The file of a study.

    Attributes:
        shipped: Whether it is one that linstudy comes with, and was found by its name: its relative paths then begin
            in the current folder.
    """

    path: Path
    shipped: bool = False

    @property
    def folder(self) -> Path:
        """Where its relative paths begin."""
        return Path() if self.shipped else self.path.parent


def find_study(study: Path) -> StudyFile:
    """The file that a path or a name means: `./NAME.yaml`, `./studies/NAME.yaml`, or the one that linstudy comes with.

    Raises:
        StudyError: If there is no study of the name; if there is no file at the path, but a study of its name.
    """
    if study.is_file():
        return StudyFile(study)
    name, known = study.name, named_studies()
    if not _is_name(str(study)):
        if not study.exists() and (found := known.get(study.stem)) and found.shipped:
            raise StudyError(f"{study}: there is no such file. linstudy comes with this study: name it {study.stem}")
        return StudyFile(study)
    if name not in known and not study.is_dir():  # of a folder it is said that it is one, where it is read
        raise StudyError(f'there is no study "{name}". {nearest(name, known)}, or the path of a file')
    return known.get(name, StudyFile(study))


def named_studies() -> dict[str, StudyFile]:
    """Every study by its name, those of the current folder first; of several of one name the first."""
    found: dict[str, StudyFile] = {}
    for folder in OWN_FOLDERS:
        for file in _files(folder):
            found.setdefault(file.stem, StudyFile(file))
    for file in _files(shipped_folder()):
        found.setdefault(file.stem, StudyFile(file, shipped=True))
    return found


def shipped_folder() -> Path:
    """Where the studies lie that linstudy comes with: in the package, or in its checkout."""
    package = Path(__file__).parents[1]
    own = package / "studies"
    return own if own.is_dir() else package.parent / "studies"


def describe_catalogue() -> Iterator[str]:
    """Every study that can be named: its name, title and profiles, under the place where it lies."""
    place = ""
    for name, file in named_studies().items():
        tree = _read(file.path)
        if "study" not in tree:  # another YAML file of the user's
            continue
        if place != (place := "linstudy comes with" if file.shipped else f"in {file.folder}/"):
            yield f"{place}:"
        profiles = tree.get("profiles")
        yield f"  {name:<22}  {tree.get('title') or ''}".rstrip()
        if isinstance(profiles, dict) and profiles:
            yield f"  {'':<22}  profiles: {', '.join(map(str, profiles))}"


def _read(path: Path) -> dict[str, Any]:
    """What a file says; a mistake in place of its title if it cannot be read."""
    try:
        return read_document(path).tree
    except StudyError as error:
        return {"study": path.stem, "title": str(error).splitlines()[0]}


def _files(folder: Path) -> list[Path]:
    """The files of a folder that may be studies: their names are names of studies."""
    files = sorted(folder.glob("*")) if folder.is_dir() else []
    return [file for file in files if file.suffix in SUFFIXES and _is_name(file.stem)]


def _is_name(text: str) -> bool:
    return re.match(NAME, text) is not None
