"""What identifies the content behind a spec: data folders, label files, a user's model."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from linstudy.data.identity import source_identity
from linstudy.data.places import Places
from linstudy.models.source import model_source
from linstudy.plan import Identify
from linstudy.spec.base import Spec
from linstudy.spec.errors import LinstudyError
from linstudy.spec.points import Outside
from linstudy.tasks.source import task_source

Source = str | Mapping[str, str]

FIELDS = {"data": "path", "model": "factory", "task": "path"}
"""The fields in which they name it."""


def sources(places: Places) -> Identify:
    """The `identify` of a plan; each content is looked at once."""
    parts: dict[str, Callable[[Any], Source]] = {
        "data": lambda spec: source_identity(spec, places),
        "model": lambda spec: model_source(spec, places),
        "task": lambda spec: task_source(spec, places),
    }
    known: dict[tuple[str, str], Source] = {}

    def identify(part: str, spec: Spec) -> Source:
        key = (part, repr(spec))
        if key not in known:
            known[key] = parts[part](spec)
        return known[key]

    return identify


def missing_sources(identify: Identify) -> Outside:
    """What `load_study` asks of the world outside a study: whether all is there that it names."""

    def missing(part: str, spec: Spec) -> Iterator[tuple[str, str]]:
        try:
            identify(part, spec)
        except LinstudyError as error:
            yield FIELDS[part], str(error)

    return missing
