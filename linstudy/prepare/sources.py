"""What identifies the content behind a spec: data folders, label files, a user's model."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from linstudy.data.identity import source_identity
from linstudy.data.places import Places
from linstudy.models.factory import factory_mistakes
from linstudy.models.source import model_source
from linstudy.plan import PARTS, Identify, read_source
from linstudy.spec.base import Spec
from linstudy.spec.errors import LinstudyError
from linstudy.spec.points import Outside
from linstudy.spec.run import RunSpec
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


def changed_sources(spec: RunSpec, source: str, identify: Identify, parts: Collection[str] = PARTS) -> list[str]:
    """What lies behind parts of a run and is not what its source says: `data`, or of several files `model nets.layers`.

    Raises:
        LinstudyError: If it is missing.
    """
    then = read_source(source)
    now = {name: identify(name, part) for name in parts if (part := getattr(spec, name, None)) is not None}
    return [text for name, its in now.items() for text in _changes(name, its, then.get(name, ""))]


def _changes(name: str, now: Source, then: Source) -> Iterator[str]:
    if isinstance(now, Mapping) and isinstance(then, Mapping):
        yield from (f"{name} {file}" for file in sorted({*now, *then}) if now.get(file) != then.get(file))
    elif (now or then) and now != then:
        yield name


def missing_sources(identify: Identify) -> Outside:
    """What `load_study` asks of the world outside a study: whether all that it names is there, and fits it."""

    def missing(part: str, spec: Spec) -> Iterator[tuple[str, str]]:
        try:
            identify(part, spec)
        except LinstudyError as error:
            yield FIELDS[part], str(error)
            return
        if part == "model":
            yield from factory_mistakes(spec)  # pyright: ignore[reportArgumentType]

    return missing
