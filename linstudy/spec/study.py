"""The keys of a study file."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue, TypeAdapter

from linstudy.spec.base import Spec
from linstudy.spec.data import Data
from linstudy.spec.model import Model
from linstudy.spec.nads import Nads
from linstudy.spec.probe import AnyProbe
from linstudy.spec.spectrum import Spectrum
from linstudy.spec.task import BinaryClassesTask, Task
from linstudy.spec.train import Train

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Axes = dict[str, Annotated[tuple[JsonValue, ...], Field(min_length=1)]]
Selection = Annotated[dict[str, JsonValue], Field(min_length=1)]
NAME = r"^[A-Za-z_][A-Za-z0-9_-]*$"


def _check_name(name: str) -> str:
    if not re.match(NAME, name):
        raise ValueError(f'"{name}" is not a name. Write letters, digits, _ and -, as in kernel_rotation')
    return name


class Point(Spec):
    """One point of a study: everything that its runs are made of."""

    data: Data
    model: Model
    task: Task = BinaryClassesTask(kind="binary_classes")
    train: Train = Train()
    spectrum: Spectrum = Spectrum()
    nads: Nads = Nads()
    probes: tuple[AnyProbe, ...] = ()
    seed: Seed = 0


class Frame(Spec):
    """What a study says about its points: their name and how they vary."""

    study: Annotated[str, AfterValidator(_check_name)] = Field(
        description="Name of the study, used in tables and figures.", json_schema_extra={"pattern": NAME}
    )
    title: str = Field(default="", description="What the study is about, in one line.")
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = Field(
        default=(0,), description="Every point is run with each: initialization and batch order."
    )
    sweep: Axes = Field(default={}, description="The product over dotted paths, such as task.index: [10, 50].")
    zip: Axes = Field(default={}, description="Axes of one length that vary together.")
    include: tuple[Selection, ...] = Field(default=(), description="Points added: dotted paths and values.")
    exclude: tuple[Selection, ...] = Field(default=(), description="Points dropped: dotted paths and values.")
    profiles: dict[str, dict[str, JsonValue]] = Field(
        default={}, description="Replacements of whole top-level keys, chosen by --profile."
    )


POINT_KEYS = tuple(key for key in Point.model_fields if key != "seed")
STUDY_KEYS = (*Frame.model_fields, *POINT_KEYS)
PROFILE_KEYS = tuple(key for key in STUDY_KEYS if key not in ("study", "profiles"))


def study_schema() -> dict[str, Any]:
    """JSON Schema of a study file, for editors.

    A field that a sweep may fill in is not required, so only `study` and every `kind` are.
    """
    frame, point = TypeAdapter(Frame).json_schema(), TypeAdapter(Point).json_schema()
    point["properties"].pop("seed")
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "linstudy study",
        "type": "object",
        "additionalProperties": False,
        "required": ["study"],
        "properties": {**frame["properties"], **point["properties"]},
        "$defs": {**frame.get("$defs", {}), **point["$defs"]},
    }
    for definition in schema["$defs"].values():
        if "required" in definition:
            definition["required"] = [name for name in definition["required"] if name == "kind"]
    return schema
