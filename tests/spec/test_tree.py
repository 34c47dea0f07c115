import pytest

from linstudy.spec.document import parse_argument, parse_document
from linstudy.spec.tree import Tree, display, dotted, existing_part, matches, value_at

TEXT = """\
train: {epochs: 3}
probes: [{kind: alignment, at: [end]}]
sweep:
  train.epochs: [5]
  model: [{kind: mlp}]
"""
AXIS = ("sweep", "train.epochs")


@pytest.fixture
def tree():
    document = parse_document(TEXT, "a.yaml")
    return Tree(document.tree, document)


def assign(tree, path, value, origin, axis):
    return tree.replace(path, value, tree.document, origin=origin, axis=axis)


def test_replacing_leaves_the_tree_as_it_was(tree):
    changed = assign(tree, ("probes", 0, "at", 0), "start", ("x",), ("x",))
    assert changed.get(("probes", 0, "at")) == ["start"]
    assert tree.get(("probes", 0, "at")) == ["end"]


def test_a_replaced_value_comes_from_where_it_is_written(tree):
    changed = assign(tree, ("model",), {"kind": "mlp"}, ("sweep", "model", 0), ("sweep", "model"))
    assert changed.origin(("model", "kind")).path == ("sweep", "model", 0, "kind")
    assert changed.origin(("model", "kind"), at_key=True).path == ("sweep", "model", 0, "kind")
    assert changed.origin(("train", "epochs")).path == ("train", "epochs")


def test_the_last_replacement_wins(tree):
    changed = assign(tree, ("model",), {"kind": "mlp"}, ("sweep", "model", 0), ("sweep", "model"))
    argument = parse_argument("lenet", "--set model.kind=lenet")
    changed = changed.replace(("model", "kind"), "lenet", argument, origin=("model", "kind"), axis=("model", "kind"))
    assert changed.origin(("model", "kind")).document is argument
    assert changed.origin(("model", "width")).document is tree.document


def test_the_key_of_a_set_value_is_its_axis(tree):
    changed = assign(tree, ("train", "epochs"), 5, (*AXIS, 0), AXIS)
    assert changed.origin(("train", "epochs")).path == (*AXIS, 0)
    assert changed.origin(("train", "epochs"), at_key=True).path == AXIS
    assert changed.origin(("train",), at_key=True).path == ("train",)


def test_what_is_made_on_the_way_comes_from_the_axis(tree):
    changed = assign(tree, ("trian", "epochs"), 5, (*AXIS, 0), AXIS)
    assert changed.get(("trian",)) == {"epochs": 5}
    assert changed.origin(("trian",), at_key=True).path == AXIS
    assert changed.origin(("trian",)).is_axis


def test_a_default_comes_from_the_axis_that_called_for_it(tree):
    changed = assign(tree, ("task",), {"kind": "binary_classes"}, None, AXIS)
    origin = changed.origin(("task", "index"))
    assert (origin.path, origin.is_axis) == (AXIS, True)


@pytest.mark.parametrize("path", ["train.epochs.x", "probes.1.top", "probes.top", "other.0", "probes.0.at.1"])
def test_a_path_that_leads_nowhere_is_rejected(tree, path):
    with pytest.raises(LookupError):
        assign(tree, dotted(path), 1, (), ())


def test_values_are_found_by_path(tree):
    assert tree.get(("probes", 0, "at", 0)) == "end"
    assert tree.get(("probes", 1)) is None
    assert value_at({"a": None}, ("a",), "default") is None
    assert tree.has(("train", "epochs"))
    assert not tree.has(("train", "epochs", "x"))
    assert set(tree.only({"train", "absent"}).value) == {"train"}


def test_paths_are_read_and_written_with_dots():
    assert dotted("probes.0.top") == ("probes", 0, "top")
    assert display(("probes", 0, "top")) == "probes.0.top"


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        (1, 1, True),
        (1, 1.0, True),
        (1, True, False),
        (False, 0, False),
        ({"kind": "mlp"}, {"kind": "mlp", "hidden": [1]}, True),
        ({"kind": "mlp", "hidden": [1]}, {"kind": "mlp"}, False),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, True),
        ([1], [1, 2], False),
        (None, None, True),
        (None, ..., False),
    ],
)
def test_a_mapping_matches_what_holds_its_entries(pattern, value, expected):
    assert matches(pattern, value) is expected


def test_the_tags_of_unions_are_no_part_of_a_path():
    value = {"task": {"kind": "nad", "index": 0}, "probes": [{"at": [5]}]}
    assert existing_part(value, ("task", "nad", "index")) == ("task", "index")
    assert existing_part(value, ("probes", 0, "alignment", "at", 0, "literal['start']")) == ("probes", 0, "at", 0)
