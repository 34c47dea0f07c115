import subprocess
import sys
from importlib import import_module
from typing import get_args

import pytest
from pydantic import TypeAdapter

from linstudy.data import KINDS, input_shape, load, sizes
from linstudy.data.kinds import form
from linstudy.spec.data import Data

HEAVY = {"jax", "numpy", "scipy", "sklearn", "pooch", "requests", "PIL", "rich", "duckdb", "jaxtyping"}
ADAPTER = TypeAdapter(Data)


def spec(**fields):
    return ADAPTER.validate_python(fields)


def test_the_table_lists_the_kinds_that_can_be_written():
    union, _ = get_args(Data)
    assert list(KINDS) == [get_args(member.model_fields["kind"].annotation)[0] for member in get_args(union)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_module_that_opens_it(kind):
    assert callable(import_module(f"linstudy.data.{KINDS[kind].module}").open_source)


@pytest.mark.parametrize(
    ("fields", "expected_sizes", "expected_shape"),
    [
        ({"kind": "digits"}, (1442, 355), (1, 8, 8)),
        ({"kind": "mnist", "train": 100}, (100, 10_000), (1, 28, 28)),
        ({"kind": "fashion_mnist", "test": 50}, (60_000, 50), (1, 28, 28)),
        ({"kind": "cifar10", "train": 4000, "test": 500}, (4000, 500), (3, 32, 32)),
        ({"kind": "cifar100"}, (50_000, 10_000), (3, 32, 32)),
        ({"kind": "image_folder", "path": "x"}, (None, None), None),
        ({"kind": "npz", "path": "x.npz", "test": 5}, (None, 5), None),
        ({"kind": "gaussian"}, (10_000, 10_000), (1, 32, 32)),
        ({"kind": "gaussian", "shape": (7,), "train": 3, "test": 2}, (3, 2), (7,)),
    ],
)
def test_what_is_known_without_loading(fields, expected_sizes, expected_shape):
    assert sizes(spec(**fields)) == expected_sizes
    assert input_shape(spec(**fields)) == expected_shape


@pytest.mark.parametrize(
    ("fields", "classes"),
    [
        ({"kind": "digits"}, 10),
        ({"kind": "cifar100"}, 100),
        ({"kind": "gaussian"}, None),
        ({"kind": "npz", "path": "x.npz"}, None),
    ],
)
def test_the_form_of_data_is_all_that_is_known_without_loading(fields, classes):
    known = form(spec(**fields))
    assert (known.train, known.test) == sizes(spec(**fields))
    assert known.shape == input_shape(spec(**fields))
    assert known.classes == classes
    assert known.samples == (None if known.train is None else known.train + known.test)


def test_the_embedded_digits_have_the_classes_that_are_said():
    assert len(load(spec(kind="digits", train=20, test=20)).classes) == form(spec(kind="digits")).classes


def test_planning_imports_nothing_heavy(npz):
    code = (
        "import sys; from linstudy.data import source_identity; from linstudy.spec.data import NpzData\n"
        f"source_identity(NpzData(kind='npz', path={str(npz())!r}))\n"
        "print(*sorted(set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert HEAVY.isdisjoint(loaded)
    assert "linstudy.data.identity" in loaded


def test_load_is_reachable_from_the_room_and_unknown_names_are_not():
    room = import_module("linstudy.data")
    assert room.load is import_module("linstudy.data.dataset").load
    with pytest.raises(AttributeError, match="has no attribute 'fetch'"):
        _ = room.fetch
