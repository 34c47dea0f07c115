import json

import pytest
from hostile import EVIL, MANY, training

from linstudy.page import contents
from linstudy.page.contents import encode, read_contents
from linstudy.page.logs import TextBudget, read_end
from linstudy.spec.errors import LinstudyError
from linstudy.store.workspace import Workspace


def decode(column, count):
    if "cells" in column:
        return column["cells"]
    codes = column.get("codes", [0] * count)
    return [column["values"][code] for code in codes]


@pytest.fixture(scope="module")
def page(workspace):
    """What a page says, as a browser reads it."""
    return json.loads(json.dumps(read_contents(workspace), allow_nan=False))


def cells(page, name):
    [column] = [column for column in page["columns"] if column["name"] == name]
    return decode(column, page["runs"])


@pytest.mark.parametrize(
    "column",
    [[], [None], ["a", "a", "a"], ["a", "b", "a", "a", None, "a"], [1, 1.0, True, "1", None], [{"a": [1]}] * 3],
)
def test_a_packed_column_is_the_same_when_unpacked(column):
    found = decode(encode(column), len(column))
    assert [(type(cell), cell) for cell in found] == [(type(cell), cell) for cell in column]


def test_a_spec_is_whole_again(page):
    place = cells(page, "run_id").index(training(0, 5).run_id)
    parts = {part["part"]: decode(part, page["runs"])[place] for part in page["specs"]}
    assert {name: value for name, value in parts.items() if value is not None} == training(0, 5).spec


def test_whole_numbers_that_a_browser_would_round_are_texts(page):
    [column] = [column for column in page["columns"] if column["name"] == "data_train"]
    assert not column["number"]
    assert str(2**60 + 1) in cells(page, "data_train")


def test_a_condition_chooses_runs_and_what_is_said_of_them(workspace):
    some = read_contents(workspace, "kind = 'spectrum' AND data_seed < 3")
    assert some["runs"] == 3
    assert some["curves"] == []
    assert [study["name"] for study in some["studies"]] == ["many"]
    assert some["attempts"]["count"] == 3


def test_too_many_runs_are_refused_with_what_to_do(workspace, monkeypatch):
    monkeypatch.setattr(contents, "MOST_RUNS", MANY)
    with pytest.raises(LinstudyError, match=r"72 runs are too many .* 63 at most\. Choose some: linstudy page --only"):
        read_contents(workspace)
    assert read_contents(workspace, "kind = 'spectrum'")["runs"] == MANY


def test_the_end_of_a_log_is_there_and_no_file_from_elsewhere(page):
    names = [column["name"] for column in page["attempts"]["columns"]]
    columns = [decode(column, page["attempts"]["count"]) for column in page["attempts"]["columns"]]
    attempts = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    logs = {attempt["log"]: attempt["end_of_log"] for attempt in attempts if attempt["log"]}
    assert logs.pop(".linstudy/logs/../../secret.log") is None
    [end] = logs.values()
    assert end.startswith("…xxx")
    assert end.endswith(EVIL)
    assert len(end) == 2001
    assert "SECRET" not in json.dumps(page)


def test_a_link_out_of_the_logs_is_not_followed(tmp_path):
    place = Workspace(tmp_path / "ws")
    place.logs.mkdir(parents=True)
    (tmp_path / "secret").write_text("SECRET")
    (place.logs / "a.log").symlink_to(tmp_path / "secret")
    assert read_end(place, ".linstudy/logs/a.log") is None
    assert read_end(place, "/etc/passwd") is None
    assert read_end(place, ".linstudy/logs/\0") is None
    assert read_end(place, None) is None


def test_texts_have_room_until_there_is_none_and_cost_nothing_twice():
    budget = TextBudget(5)
    assert [budget.take(text) for text in ("abc", "abc", "def", "de", None)] == ["abc", "abc", None, "de", None]
