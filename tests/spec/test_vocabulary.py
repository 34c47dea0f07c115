import pytest

from linstudy.spec.study import Point
from linstudy.spec.vocabulary import default_kind, description_at, fields_at, kinds_at, nearest


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("lenett", 'Did you mean "lenet"? Allowed: mlp, lenet'),
        ("LeNet", 'Did you mean "lenet"? Allowed: mlp, lenet'),
        ("transformer", "Allowed: mlp, lenet"),
        (3, "Allowed: mlp, lenet"),
    ],
)
def test_the_nearest_word_is_named(word, text):
    assert nearest(word, ["mlp", "lenet"]) == text


def test_kinds_and_fields_follow_a_location_of_pydantic():
    assert kinds_at(Point, ("model",)) == ["mlp", "lenet", "resnet", "import"]
    assert kinds_at(Point, ("probes", 3, "alignment")) == ["alignment"]
    assert fields_at(Point, ("task", "nad")) == ["kind", "margin", "index"]
    assert fields_at(Point, ("train", "linearize", "at", "AnchorEpoch")) == ["epoch"]
    assert fields_at(Point, ("nowhere",)) == []
    assert description_at(Point, ("task", "eigenfunction", "index")).startswith("j, counted from 1")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (("task",), "binary_classes"),
        (("train", "optimizer"), "sgd"),
        (("train",), None),
        (("model",), None),
        (("train", "linearize"), None),
        (("nowhere", "else"), None),
    ],
)
def test_a_part_left_out_has_the_kind_of_its_default(path, kind):
    assert default_kind(Point, path) == kind
