"""What identifies the content behind a spec: data folders, label files, a user's model."""

from collections.abc import Iterator

from linstudy.data.identity import source_identity
from linstudy.data.places import Places
from linstudy.models.source import model_source
from linstudy.plan import Identify
from linstudy.spec.base import Spec
from linstudy.spec.errors import LinstudyError
from linstudy.spec.points import Outside
from linstudy.tasks.source import task_source

_SOURCES = {"import": model_source, "column": task_source}
"""The kinds of model and task whose content lies outside the study."""

_FIELDS = {"data": "path", "model": "factory", "task": "path"}
"""The fields in which they name it."""


def sources(places: Places) -> Identify:
    """The `identify` of a plan; each content is looked at once."""

    def identify(part: str, spec: Spec) -> str:
        if part == "data":
            return source_identity(spec, places)  # type: ignore[arg-type]
        source = _SOURCES.get(spec.kind)  # type: ignore[attr-defined]
        return source(spec, places) if source is not None else ""  # type: ignore[arg-type]

    known: dict[tuple[str, str], str] = {}

    def remembered(part: str, spec: Spec) -> str:
        key = (part, repr(spec))
        if key not in known:
            known[key] = identify(part, spec)
        return known[key]

    return remembered


def missing_sources(identify: Identify) -> Outside:
    """What `load_study` asks of the world outside a study: whether all is there that it names."""

    def missing(part: str, spec: Spec) -> Iterator[tuple[str, str]]:
        try:
            identify(part, spec)
        except LinstudyError as error:
            yield _FIELDS[part], str(error)

    return missing
