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
        LinstudyError: If the folder holds something already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LinstudyError(f"{folder} holds something already. Choose a new folder")
    files = []
    for name, text in code.texts.items():
        if text is not None:
            parts = [part for part in Path(name).parts if part not in ("..", Path(name).anchor)]
            files.append(folder.joinpath(*parts))
            files[-1].parent.mkdir(parents=True, exist_ok=True)
            files[-1].write_text(text, encoding="utf-8")
    return files
