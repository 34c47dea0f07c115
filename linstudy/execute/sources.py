"""What identifies the content behind a spec: data folders, label files, a user's model."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from linstudy.data.identity import source_identity
from linstudy.models.source import model_source
from linstudy.plan import Identify
from linstudy.spec.base import Spec
from linstudy.tasks.source import task_source

Source = str | Mapping[str, str]


def sources(data_folder: Path | None, study_folder: Path) -> Identify:
    """The `identify` of a plan, for what is looked for in these folders and here; each content is looked at once."""
    folders = [folder for folder in (study_folder, data_folder, Path.cwd()) if folder is not None]
    parts: dict[str, Callable[[Any], Source]] = {
        "data": lambda spec: source_identity(spec, data_folder),
        "model": lambda spec: model_source(spec, folders),
        "task": task_source,
    }
    known: dict[tuple[str, str], Source] = {}

    def identify(part: str, spec: Spec) -> Source:
        key = (part, repr(spec))
        if key not in known:
            known[key] = parts[part](spec)
        return known[key]

    return identify
