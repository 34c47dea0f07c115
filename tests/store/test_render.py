import io
import json
import uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import duckdb
import pytest

from linstudy.store.query import Result
from linstudy.store.render import FORMATS, render

NAN, INF = float("nan"), float("inf")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def rendered(result, format, stream=None):
    stream = stream or io.StringIO()
    render(result, format, stream)
    return stream.getvalue()


def test_json_is_strict():
    rows = [(1, NAN, [INF, None, {"a": (1, NAN)}], True, "θ\n"), (2, 0.1, [], False, None)]
    text = rendered(Result(("id", "x", "nested", "flag", "text"), rows), "json")

    def reject(constant):
        raise AssertionError(constant)

    assert json.loads(text, parse_constant=reject) == [
        {"id": 1, "x": None, "nested": [None, None, {"a": [1, None]}], "flag": True, "text": "θ\n"},
        {"id": 2, "x": 0.1, "nested": [], "flag": False, "text": None},
    ]
    assert rendered(Result(("id",), []), "json") == "[]\n"


def test_json_has_a_form_for_every_value_of_duckdb():
    moment = datetime(2026, 1, 2, 3, 4, 5, 600000)
    row = (
        moment,
        date(2026, 1, 2),
        time(3, 4),
        timedelta(days=1),
        Decimal("1.50"),
        b"\x01\xff",
        uuid.UUID(int=1),
        {1: 2},
    )
    [values] = json.loads(rendered(Result(tuple("abcdefgh"), [row]), "json"))
    assert list(values.values()) == [
        *("2026-01-02T03:04:05.600000", "2026-01-02", "03:04:00", "1 day, 0:00:00", 1.5, "01ff"),
        *("00000000-0000-0000-0000-000000000001", {"1": 2}),
    ]


def test_csv_reads_back_as_it_was(tmp_path):
    row = (None, "", 'a "b",\nc', "NULL", NAN, 0.1, [1, None], datetime(2026, 1, 2, 3, 4, 5), True)
    text = rendered(Result(tuple("abcdefghi"), [row]), "csv")
    assert text == 'a,b,c,d,e,f,g,h,i\n,"","a ""b"",\nc",NULL,nan,0.1,"[1, null]",2026-01-02 03:04:05,true\n'
    file = tmp_path / "result.csv"
    file.write_text(text)
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT a, b, c, d, isnan(e::DOUBLE), f::DOUBLE, g, h::TIMESTAMP, i::BOOLEAN "
            f"FROM read_csv('{file}', all_varchar = true, allow_quoted_nulls = false)"
        ).fetchall()
    assert found == [(None, "", 'a "b",\nc', "NULL", True, 0.1, "[1, null]", row[7], True)]


TABLE = Result(("run_id", "loss", "error"), [("a" * 60, 0.123456789, "line 1\nline 2 " + "x" * 150), ("b", None, None)])


def test_a_table_in_a_file_is_aligned_and_not_wrapped():
    assert rendered(TABLE, "table") == (
        f"run_id{' ' * 54}      loss  error\n"
        f"{'a' * 60}  0.123457  line 1\\nline 2 {'x' * 150}\n"
        f"b{' ' * 59}      NULL  NULL\n"
        "2 rows\n"
    )
    assert rendered(Result(("a", "b"), []), "table") == "a  b\n0 rows\n"


def test_a_table_on_a_terminal_is_drawn_and_keeps_brackets():
    text = rendered(Result(("[bold]list",), [("[1, 2]",)]), "table", Terminal())
    for part in ("─", "[bold]list", "[1, 2]", "\n1 row\n"):
        assert part in text


WIDE = Result(("run_id", "φ", "error"), [("184f8ed886851ca9", 0.5, "line 1\nline 2 " + "x" * 50), ("b", None, None)])


@pytest.mark.parametrize("width", [40, 94, 95, 200])
def test_a_table_that_does_not_fit_the_terminal_is_told_row_by_row(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    text = rendered(WIDE, "table", Terminal())
    for row in WIDE.rows:
        assert row[0] in text, "an id is never split"
    assert f"line 1\\nline 2 {'x' * 50}" in text
    assert ("─" in text) == (width >= 95)
    assert "row 1\n  run_id  184f8ed886851ca9\n  φ       0.5\n" in text or width >= 95
    assert text.endswith("2 rows\n")


def test_a_table_of_seventy_columns_is_not_empty(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    columns = tuple(f"column_{number}" for number in range(70))
    text = rendered(Result(columns, [tuple(range(70))]), "table", Terminal())
    assert all(f"  {name:<9}  {number}\n" in text for number, name in enumerate(columns))


def test_formats_are_the_documented_ones():
    assert list(FORMATS) == ["table", "csv", "json"]
