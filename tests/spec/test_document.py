import contextlib
import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linstudy.spec import limits
from linstudy.spec.document import parse_argument, parse_document, read_document
from linstudy.spec.errors import StudyError

COLON = (
    'a ":" cannot stand here. Put a text that holds ": " in quotes, '
    'or else look for a missing ":" or a wrong indent in the line above'
)
TEXT = """\
study: a          # a comment
data: {kind: digits, train: 10}
probes:
  - kind: alignment
    at: [start, 40]
train:
seeds: null
"""


@pytest.fixture
def document():
    return parse_document(TEXT, "a.yaml")


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("study",), (1, 1), (1, 8)),
        (("data",), (2, 1), (2, 7)),
        (("data", "train"), (2, 22), (2, 29)),
        (("probes", 0), (4, 5), (4, 5)),
        (("probes", 0, "at"), (5, 5), (5, 9)),
        (("probes", 0, "at", 1), (5, 17), (5, 17)),
        (("seeds",), (7, 1), (7, 8)),
        (("train",), (6, 1), (6, 1)),  # an empty value has no place but its key's
    ],
)
def test_every_key_and_value_has_a_place(document, path, key, value):
    assert document.position(path, key=True) == key
    assert document.position(path) == value


def test_what_is_not_there_is_placed_at_what_would_hold_it(document):
    assert document.position(("data", "test")) == (2, 7)
    assert document.position(("probes", 0, "at", 7)) == (5, 9)
    assert document.position(("model", "kind")) is None
    assert document.position(()) is None


def test_values_are_plain(document):
    assert document.tree["data"] == {"kind": "digits", "train": 10}
    assert type(document.tree["data"]) is dict
    assert type(document.tree["probes"]) is list
    assert type(document.tree["data"]["train"]) is int
    assert document.text == TEXT


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1_000", 1000),
        ("0x10", 16),
        ("010", 10),
        ("true", True),
        ("&anchored true", True),
        ("yes", "yes"),
        ("", None),
        ("'4'", "4"),
        ("2020-01-01", "2020-01-01"),
        ("2020-13-45", "2020-13-45"),
        ("no", "no"),
        ("0b101", 5),
        ("-0o17", -15),
        ("1_0.5e1", 105.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("0x_", "0x_"),
        ("1e", "1e"),
        ("9223372036854775807", 2**63 - 1),
        ("{a: [1, {b: .5}]}", {"a": [1, {"b": 0.5}]}),
    ],
)
def test_yaml_values_arrive_as_meant(text, value):
    found = parse_document(f"a: {text}", "").tree["a"]
    assert found == value
    assert type(found) is type(value)
    assert parse_argument(text, "--set").tree == value


def test_aliases_and_merged_keys_are_written_out():
    document = parse_document("a: &a {kind: digits, train: 5}\nb: *a\nc:\n  <<: *a\n  train: 7\n", "")
    assert document.tree["b"] == {"kind": "digits", "train": 5}
    assert document.tree["c"] == {"kind": "digits", "train": 7}
    assert document.position(("c", "train")) == (5, 10)
    assert document.position(("c", "kind")) == document.position(("c",)) == (4, 3)


def test_a_byte_order_mark_is_no_part_of_a_study(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfstudy: a\n")
    assert read_document(tmp_path / "a.yaml").tree == {"study": "a"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "a.yaml: found an empty file; a study is a mapping of keys, such as study: and data:"),
        (b"# nothing\n", "a.yaml: found an empty file; a study is a mapping of keys, such as study: and data:"),
        (b"- a\n", "a.yaml: found a list; a study is a mapping of keys, such as study: and data:"),
        (b"word\n", "a.yaml: found a single value; a study is a mapping of keys, such as study: and data:"),
        (b"study: caf\xe9\n", "a.yaml: is not UTF-8 text (byte 11); save it as UTF-8"),
        (b"a: {x: 1}\nb: 2\na: {x: 1}\n", 'a.yaml:3:1  not valid YAML: "a" is written twice; keep one of them'),
        (b"a: {b: 1, b: 2}\n", 'a.yaml:1:11  not valid YAML: "b" is written twice; keep one of them'),
        (b"a: *b\n", "a.yaml:1:4  not valid YAML: *b stands for nothing: no value marked &b ends before it"),
        (b"a: 1\n---\nb: 2\n", "a.yaml:2:1  not valid YAML: found another document"),
    ],
)
def test_what_is_no_study_is_rejected(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.yaml"
    path.write_bytes(text)
    with pytest.raises(StudyError) as raised:
        read_document(path.relative_to(tmp_path))
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("study: a\ntrain:\n\tepochs: 3\n", "3:1", "a tab stands where only spaces may: indent with spaces"),
        ("study a\ndata: {kind: x}\n", "2:5", COLON),
        ("a: b: c\n", "1:5", COLON),
        ("study: a\ntrain\n  epochs: 3\n", "2:1", 'a ":" is missing after this key'),
        ("a:\n   b: 1\n  c: 2\n", "3:3", "this line is indented unlike those that it belongs to"),
        ("a: [\n", "1:4", 'this "[" is not closed, or a comma is missing in it'),
        ("a: {x: 1\nb: 2\n", "1:4", 'this "{" is not closed, or a comma is missing in it'),
        ("a:\n  b: {c: [1,\n  d: 2\n", "2:10", 'this "[" is not closed, or a comma is missing in it'),
        ("a: {x: [1}\n", "1:10", 'a comma or "]" is missing before this'),
        ("a: {b: 1 c: 2}\n", "1:11", 'a comma or "}" is missing before this'),
        ("a: [1,,2]\n", "1:7", 'a value is missing before this ","'),
        ("a: 'x\nb: 2\n", "1:4", "the quote that opens here is not closed"),
        ("a: 'x' y\n", "1:8", "a text cannot follow a text in quotes: put all of it in quotes"),
        (
            'a: "c:\\data"\n',
            "1:8",
            "in double quotes a backslash begins an escape, and \\d is none: use single quotes, or \\\\",
        ),
        ("a: - b\n", "1:4", 'a list with "-" begins on a line of its own, or is written [a, b]'),
        ("a: @x\n", "1:4", "a text that begins with @ needs quotes"),
        ("a: * x\n", "1:5", "a text that begins with * or & needs quotes"),
        ("- a\nb: c\n", "2:1", "a key cannot follow the entries of a list: check the indent"),
        ("a: b\n- c\n", "2:1", "an entry of a list cannot follow keys: check the indent"),
        ("a: 1\nb: \x01", "2:4", "the character U+0001 cannot stand in a text; delete it"),
        ('a: "\\UFFFFFFFF"\n', "1:1", "what follows cannot be read"),
        ("a: !e!x y\n", "1:4", "found undefined tag handle '!e!'"),
        ("a: &a [*a]\n", "1:8", "*a stands for nothing: no value marked &a ends before it"),
        ("a: {b\u0301: 1, \u0062\u0301: 2}\n", "1:12", '"b\u0301" is written twice; keep one of them'),
        ("a: {\u00e9: 1, e\u0301: 2}\n", "1:11", '"\u00e9" is written twice; keep one of them'),
    ],
)
def test_what_is_no_yaml_is_told_in_plain_words(text, place, message):
    with pytest.raises(StudyError) as raised:
        parse_document(text, "a.yaml")
    assert str(raised.value) == f"a.yaml:{place}  not valid YAML: {message}"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: 1e400\n", "1:4", "1e400 is beyond the largest number, 1.8e308"),
        ("a: [1, 9223372036854775808]\n", "1:8", "9223372036854775808 is beyond the whole numbers of 64 bits"),
        (f"a: {'9' * 5000}\n", "1:4", f"{'9' * 27}... is beyond the whole numbers of 64 bits"),
        ("a: !!str 5\n", "1:4", 'the tag "!!str" means nothing in a study; leave it out'),
        ("a: !mine {b: 1}\n", "1:4", 'the tag "!mine" means nothing in a study; leave it out'),
        ('a: "\\0"\n', "1:4", "the character U+0000 cannot stand in a text; delete it"),
        ('"a\\e": 1\n', "1:1", "the character U+001B cannot stand in a text; delete it"),
        ('a: "\\ud800"\n', "1:4", "the character U+D800 cannot stand in a text; delete it"),
        ("a: 1\n[b]: 2\n", "2:1", "a key is a word, and this is none"),
        ("? {b: c}\n: 2\n", "1:3", "a key is a word, and this is none"),
        ("a: {: 3}\n", "1:6", 'a key is missing before this ":"'),
        ("a:\n  <<: 3\n", "2:3", "<< takes a mapping, or a list of them, as in <<: *name"),
    ],
)
def test_yaml_that_no_study_can_hold_is_rejected_with_its_place(text, place, message):
    with pytest.raises(StudyError) as raised:
        parse_document(text, "a.yaml")
    assert str(raised.value) == f"a.yaml:{place}  {message}"


def nested_aliases(levels):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]" for i in range(1, levels)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (
            nested_aliases(12),
            "6:10",
            "with what *aliases stand for, the text holds 80,254 values up to here. Allowed: 50,000",
        ),
        ("a: [" + "1, " * 60_000 + "1]\n", "1:149996", "the text holds 50,001 values up to here. Allowed: 50,000"),
        (
            "a: &a {" + ", ".join(f"k{i}: 1" for i in range(200)) + "}\n" + "b: {<<: [" + "*a, " * 1000 + "*a]}\n",
            "2:502",
            "with what *aliases stand for, the text holds 50,131 values up to here. Allowed: 50,000",
        ),
        (
            "a: " + "[" * 3000 + "]" * 3000 + "\n",
            "1:53",
            "51 lists and mappings stand within one another here. Allowed: 50",
        ),
        (
            "a:\n" + "".join(" " * i + "b:\n" for i in range(1, 400)),
            "51:51",
            "51 lists and mappings stand within one another here. Allowed: 50",
        ),
    ],
    ids=["aliases", "values", "merged aliases", "brackets", "indents"],
)
def test_a_text_beyond_a_limit_is_refused_with_its_place_at_once(text, place, message):
    start = time.process_time()
    with pytest.raises(StudyError) as raised:
        parse_document(text, "a.yaml")
    assert str(raised.value) == f"a.yaml:{place}  {message}"
    assert time.process_time() - start < 4  # 1 s at most on one core at rest


def test_the_same_limits_hold_for_a_value_of_the_command_line():
    with pytest.raises(
        StudyError, match=r"^--set a: 51 lists and mappings stand within one another here. Allowed: 50$"
    ):
        parse_argument("[" * 60 + "]" * 60, "--set a")


def test_what_is_within_the_limits_is_read():
    assert parse_document(nested_aliases(5), "").root.size < limits.VALUES
    assert parse_document("a: " + "[" * 49 + "]" * 49, "").root.size == 51
    assert len(parse_document("a: '" + "x" * 300_000 + "'", "").tree["a"]) == 300_000


def test_a_file_is_read_no_further_than_its_limit(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"# " + b"x" * limits.TEXT)
    for endless in (path, Path("/dev/zero")):
        with pytest.raises(StudyError) as raised:
            read_document(endless)
        assert str(raised.value) == f"{endless}: is longer than a study may be. Allowed: 400,000 bytes"


@given(st.text("ab:-?,[]{}#&*!|>'\"%@`\\ \n\t0189.~<=_\r\0é\u0301\x85\ufeff\U0001f600", max_size=80))
@settings(deadline=2000, max_examples=500)
def test_any_text_is_a_document_or_a_study_error(text):
    for parse in (parse_document, parse_argument):
        with contextlib.suppress(StudyError):
            json.dumps(parse(text, "a.yaml").tree).encode()


def test_a_missing_file_is_told_with_the_nearest_of_those_that_are_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies").mkdir()
    for name in ("widths.yaml", "aligned.yml", "seeds.yaml", "notes.txt"):
        (tmp_path / "studies" / name).touch()
    nearest = "Studies there: studies/seeds.yaml, studies/aligned.yml, studies/widths.yaml"
    in_order = "Studies there: studies/aligned.yml, studies/seeds.yaml, studies/widths.yaml"
    for path, message in [
        ("studies/seed.yaml", f"studies/seed.yaml: there is no such file. {nearest}"),
        ("nowhere/seed.yaml", f"nowhere/seed.yaml: there is no such file. {nearest}"),
        ("studies", f"studies: is a folder; name one of its files. {in_order}"),
        ("c.yaml", "c.yaml: there is no such file."),
    ]:
        with pytest.raises(StudyError) as raised:
            read_document(tmp_path.joinpath(path).relative_to(tmp_path))
        assert str(raised.value) == message


def test_of_many_files_a_handful_is_named(tmp_path):
    for index in range(40):
        (tmp_path / f"s{index}.yaml").touch()
    with pytest.raises(StudyError) as raised:
        read_document(tmp_path / "s39.yml")
    assert str(raised.value).count(".yaml") == 5
    assert f"Studies there: {tmp_path}/s39.yaml, " in str(raised.value)
    assert str(raised.value).endswith(" and 35 more")


def test_an_argument_has_no_lines():
    document = parse_argument("{kind: mlp}", "--set model={kind: mlp}")
    assert document.position(("kind",)) is None
    with pytest.raises(StudyError, match=r'^--set a=\[1: not valid YAML: this "\[" is not closed'):
        parse_argument("[1", "--set a=[1")


def test_nothing_is_built_from_a_tag(tmp_path):
    with pytest.raises(StudyError, match="the tag .* means nothing in a study; leave it out"):
        parse_document(f"a: !!python/object/apply:os.mkdir [{tmp_path / 'made'}]", "")
    assert not (tmp_path / "made").exists()
