"""What identifies the content behind a spec: data folders, label files, a user's model."""

from pathlib import Path

from linstudy.data.identity import source_identity
from linstudy.models.source import model_source
from linstudy.plan import Identify
from linstudy.spec.base import Spec
from linstudy.tasks.source import task_source

_SOURCES = {"import": model_source, "column": task_source}
"""The kinds of model and task whose content lies outside the study."""


def sources(data_folder: Path | None) -> Identify:
    """The `identify` of a plan, for data looked for in a folder; each content is looked at once."""

    def identify(part: str, spec: Spec) -> str:
        if part == "data":
            return source_identity(spec, data_folder)  # type: ignore[arg-type]
        source = _SOURCES.get(spec.kind)  # type: ignore[attr-defined]
        return source(spec) if source is not None else ""  # type: ignore[arg-type]

    known: dict[tuple[str, str], str] = {}

    def remembered(part: str, spec: Spec) -> str:
        key = (part, repr(spec))
        if key not in known:
            known[key] = identify(part, spec)
        return known[key]

    return remembered
