"""Mistakes of a user's factory that its source tells."""

import pytest

from linstudy.models.factory import factory_mistakes
from linstudy.spec.model import ImportModel

SOURCE = """
from somewhere import other as made_elsewhere
if True:
    def under_a_condition(input_shape, key): ...
WIDTH = 3
later = make_any = lambda shape, key, **more: None
def make(input_shape, key, width=3, *, depth): ...
def keywords(input_shape, key, **more): ...
@decorated
def wrapped(input_shape, key): ...
"""


@pytest.fixture
def mistakes(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)

    def mistakes(name, source=SOURCE, **arguments):
        (tmp_path / "mine_own.py").write_text(source)
        found = factory_mistakes(ImportModel(kind="import", factory=f"mine_own:{name}", arguments=arguments))
        return [(field, text.replace(str(tmp_path), "")) for field, text in found]

    return mistakes


@pytest.mark.parametrize("name", ["made_elsewhere", "under_a_condition", "later", "make_any", "keywords", "wrapped"])
def test_what_is_defined_is_no_mistake(mistakes, name):
    assert mistakes(name) == []
    assert mistakes("make", depth=2, width=4) == []
    assert mistakes("keywords", anything=1) == []
    assert mistakes("wrapped", anything=1) == []


def test_names_and_arguments_that_the_source_lacks_are_told_with_the_nearest(mistakes):
    [(field, text)] = mistakes("mak")
    assert field == "factory"
    assert text.startswith('/mine_own.py has no "mak". Did you mean "make"? Allowed: ')
    assert mistakes("make", widht=3) == [
        ("arguments", 'make takes no argument "widht". Did you mean "width"? Allowed: width, depth'),
        ("arguments", 'make needs an argument "depth"'),
    ]
    assert mistakes("under_a_condition", x=1) == []  # which of several it is, is not known


def test_code_that_is_not_python_is_told_with_its_line(mistakes):
    [(field, text)] = mistakes("make", "def make(:\n    pass\n")
    assert (field, text[:16]) == ("factory", "/mine_own.py:1: ")


@pytest.mark.parametrize("source", ["from somewhere import *\n", "def __getattr__(name): ...\n"])
def test_what_the_source_leaves_open_is_no_mistake(mistakes, source):
    assert mistakes("make", source) == []
