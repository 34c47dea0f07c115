import json

import pytest
from pydantic import ValidationError

from linstudy.spec.document import parse_document
from linstudy.spec.problems import Problem, problems_of, shown
from linstudy.spec.study import Point


def problems(text):
    document = parse_document(text, "a.yaml")
    with pytest.raises(ValidationError) as raised:
        Point.model_validate_json(json.dumps(document.tree))
    return list(problems_of(raised.value, Point, document.tree))


HEAD = "data: {kind: digits}\nmodel: {kind: mlp}\n"


def test_a_place_has_one_problem_whatever_the_branches_of_a_union_say():
    (problem,) = problems(HEAD + "probes: [{kind: alignment, at: [begin]}]\n")
    assert problem == Problem(
        ("probes", 0, "at", 0), '"begin" is not allowed. Allowed: start, end, or a whole number', at_key=False
    )


def test_the_branch_of_a_union_that_was_not_meant_is_silent():
    assert problems(HEAD + "train: {linearize: {at: {epok: 3}}}\n") == [
        Problem(("train", "linearize", "at", "epoch"), "is missing"),
        Problem(
            ("train", "linearize", "at", "epok"),
            '"epok" is not a field of at. Did you mean "epoch"? Allowed: epoch',
            at_key=True,
        ),
    ]


def test_a_list_of_wrong_entries_is_not_called_too_short():
    assert problems("data: {kind: digits}\nmodel: {kind: mlp, hidden: [0, x]}\n") == [
        Problem(("model", "hidden", 0), "expected at least 1, found 0"),
        Problem(("model", "hidden", 1), 'expected a whole number, found "x"'),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        (True, "true"),
        (1.5, "1.5"),
        ("word", '"word"'),
        (["a", None], "[a, null]"),
        ({"kind": "mlp", "hidden": [1]}, "{kind: mlp, hidden: [1]}"),
        ("x" * 100, '"' + "x" * 56 + "..."),
    ],
)
def test_a_value_is_shown_as_yaml_on_one_short_line(value, text):
    assert shown(value) == text
