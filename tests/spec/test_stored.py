import pytest

from linstudy.plan import describe, describe_fields, make_plan
from linstudy.spec.stored import without_defaults
from linstudy.spec.study import Point

PARTS = {"data": {"kind": "digits"}, "model": {"kind": "mlp"}, "task": {"kind": "binary_classes"}}
POINTS = [
    {**PARTS, "train": {}, "seed": 0},
    {**PARTS, "train": {"epochs": 3, "optimizer": {"kind": "adam", "learning_rate": 0.5}}, "seed": 1},
    {**PARTS, "train": {"linearize": {}}, "seed": 1},
    {**PARTS, "train": {"linearize": {"at": {"epoch": 4}, "centred": True}}, "seed": 1},
    {**PARTS, "data": {"kind": "npz", "path": "a.npz", "train": 7}, "train": {"batch_size": 4}, "seed": 2},
    {**PARTS, "model": {"kind": "import", "factory": "a:b", "arguments": {"width": 3}}, "train": {}, "seed": 2},
    {**PARTS, "task": {"kind": "eigenfunction", "index": 3}, "spectrum": {"top": 9}, "train": {}, "seed": 2},
    {**PARTS, "probes": [{"kind": "alignment", "top": 5, "at": ["start", "end"]}], "train": {}, "seed": 2},
]


@pytest.mark.parametrize("point", POINTS)
def test_a_stored_spec_is_described_as_the_spec_itself(point):
    plan = make_plan([Point.model_validate(point, strict=False)], lambda part, spec: "")
    for run in plan.runs.values():
        assert describe_fields(without_defaults(run.spec.model_dump(mode="json"))) == describe(run.spec)


def test_what_no_spec_has_any_more_stays():
    stored = {"kind": "training", "data": {"kind": "tapes", "reels": 3}, "model": {"kind": "mlp", "gain": 2}, "seed": 0}
    assert without_defaults({**stored, "train": {"epochs": 100, "warmup": 5}}) == {**stored, "train": {"warmup": 5}}
    assert without_defaults({"kind": "dream", "depth": 1}) == {"kind": "dream", "depth": 1}
