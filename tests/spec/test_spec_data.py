import pytest
from pydantic import TypeAdapter, ValidationError

from linstudy.spec.data import Data, GaussianData

ADAPTER = TypeAdapter(Data)


def message(document):
    with pytest.raises(ValidationError) as error:
        ADAPTER.validate_json(document)
    return str(error.value)


def test_lists_become_tuples():
    assert ADAPTER.validate_json('{"kind": "gaussian", "shape": [3, 8, 8]}') == GaussianData(
        kind="gaussian", shape=(3, 8, 8)
    )


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ('{"kind": "cifar11"}', "does not match any of the expected tags: 'digits', 'mnist'"),
        ('{"train": 5}', "Unable to extract tag using discriminator 'kind'"),
        ('{"kind": "digits", "train": 0}', "greater than 0"),
        ('{"kind": "digits", "train": 10.5}', "valid integer"),
        ('{"kind": "digits", "train": "10"}', "valid integer"),
        ('{"kind": "digits", "seed": -1}', "greater than or equal to 0"),
        ('{"kind": "digits", "path": "x"}', "Extra inputs are not permitted"),
        ('{"kind": "image_folder"}', "Field required"),
        ('{"kind": "image_folder", "path": " "}', "the path is empty"),
        ('{"kind": "image_folder", "path": "a\\u0000b"}', "null character"),
        ('{"kind": "npz", "path": "set.npy"}', '"set.npy" does not end in .npz'),
        ('{"kind": "gaussian", "shape": []}', "write [channels, height, width] or [dimension]"),
        ('{"kind": "gaussian", "shape": [28, 28]}', "[28, 28] has 2 entries; write [channels, height, width]"),
        ('{"kind": "gaussian", "shape": [0]}', "greater than 0"),
        ('{"kind": "gaussian", "train": null}', "valid integer"),
    ],
)
def test_what_cannot_be_meant_is_rejected(document, expected):
    assert expected in message(document)


def test_every_public_field_is_described():
    schema = ADAPTER.json_schema()
    undescribed = [
        f"{name}.{field}"
        for name, definition in schema["$defs"].items()
        for field, content in definition["properties"].items()
        if "description" not in content
    ]
    assert undescribed == []
    assert all("description" in definition for definition in schema["$defs"].values())
