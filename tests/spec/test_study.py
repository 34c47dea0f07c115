from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from linstudy.spec.study import POINT_KEYS, PROFILE_KEYS, STUDY_KEYS, Frame, Point, study_schema

STUDIES = Path(__file__).parents[2] / "studies"
STUDY = {"study": "a", "data": {"kind": "digits"}, "model": {"kind": "mlp"}}


@pytest.fixture(scope="module")
def validator():
    schema = study_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_schema_accepts_the_studies_here(validator, path):
    validator.validate(YAML(typ="safe").load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"task": {"kind": "eigenfunction"}, "sweep": {"task.index": [1, 2]}},
        {"train": {"linearize": {"at": {"epoch": 3}, "centred": True}}},
        {"probes": [{"kind": "alignment", "at": ["start", 40]}], "seeds": [0, 1]},
        {"include": [{"train.epochs": 3}], "profiles": {"paper": {"sweep": {}}}},
    ],
)
def test_the_schema_accepts_what_can_be_written(validator, parts):
    validator.validate({**STUDY, **parts})


@pytest.mark.parametrize(
    "parts",
    [
        {"modle": {}},
        {"seed": 3},
        {"study": "a b"},
        {"study": 3},
        {"model": {"kind": "lenett"}},
        {"model": {}},
        {"train": {"epoch": 3}},
        {"sweep": {"train.epochs": 3}},
        {"exclude": [{}]},
        {"model": {"kind": "import", "factory": "nothing"}},
    ],
)
def test_the_schema_rejects_what_is_wrong(validator, parts):
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({**STUDY, **parts})


def test_only_the_name_of_a_study_and_kinds_are_required():
    schema = study_schema()
    assert schema["required"] == ["study"]
    assert all(definition.get("required", ["kind"]) in ([], ["kind"]) for definition in schema["$defs"].values())


def test_keys_belong_to_the_points_or_to_how_they_vary():
    assert set(POINT_KEYS) == set(Point.model_fields) - {"seed"}
    assert set(STUDY_KEYS) == {*Frame.model_fields, *POINT_KEYS}
    assert set(STUDY_KEYS) - set(PROFILE_KEYS) == {"study", "profiles"}
