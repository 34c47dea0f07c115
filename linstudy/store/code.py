"""The code that attempts were made with, as far as their commit does not tell it."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from linstudy.spec.errors import LinstudyError
from linstudy.store.query import Ask
from linstudy.store.quoting import literal

_CODE = """
SELECT git_commit, code FROM attempt WHERE run_id = {run} AND code IS NOT NULL ORDER BY attempt_id DESC LIMIT 1
"""


class Code(NamedTuple):
    """What the last attempt at a run was made with; the text is None of what was too long to be kept."""

    commit: str | None
    texts: Mapping[str, str | None]


def read_code(ask: Ask, run_id: str) -> Code:
    """The code behind a published run.

    Raises:
        LinstudyError: If none was kept.
    """
    found = ask(_CODE.format(run=literal(run_id))).rows
    if not found:
        raise LinstudyError(f"nothing was kept of the code of run {run_id}")
    [(commit, names)] = found
    texts = dict(ask("SELECT sha256, content FROM code").rows)
    return Code(commit, {name: texts.get(sha256) for name, sha256 in names.items()})


def write_code(code: Code, folder: Path) -> list[Path]:
    """Write each text into a file of its name in a folder, whatever the name is, and give the files.

    Raises:
        LinstudyError: If the folder holds something already, or a file cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LinstudyError(f"{folder} holds something already. Choose a new folder")
    files = []
    for name, text in code.texts.items():
        if text is not None:
            files.append(folder.joinpath(*_parts(name)))
            _write(files[-1], text)
    return files


def _parts(name: str) -> list[str]:
    """The parts of a file's name below a folder."""
    parts = [part for part in Path(name).parts if part not in ("..", Path(name).anchor)]
    return [part.replace("\0", "") for part in parts] or ["nameless"]


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8", newline="") as stream:
            stream.write(text)
    except OSError as error:
        raise LinstudyError(f"{file} cannot be written ({error.strerror}). Choose another folder with --out") from error
