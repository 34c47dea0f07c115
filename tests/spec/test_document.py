import pytest

from linstudy.spec.document import parse_argument, parse_document, read_document
from linstudy.spec.errors import StudyError

TEXT = """\
study: a          # a comment
data: {kind: digits, train: 10}
probes:
  - kind: alignment
    at: [start, 40]
train:
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
        (b"a: [\n", "a.yaml:2:1  not valid YAML: expected the node content, but found '<stream end>'"),
        (b"a: b: c\n", "a.yaml:1:5  not valid YAML: mapping values are not allowed here"),
        (b"a: {x: 1}\nb: 2\na: {x: 1}\n", 'a.yaml:3:1  not valid YAML: "a" is written twice; keep one of them'),
        (b"a: {b: 1, b: 2}\n", 'a.yaml:1:11  not valid YAML: "b" is written twice; keep one of them'),
        (b"a: *b\n", "a.yaml:1:4  not valid YAML: found undefined alias 'b'"),
        (b"a: 1\n---\nb: 2\n", "a.yaml:2:1  not valid YAML: found another document"),
        (b"a: 2020-13-45\n", "a.yaml: not valid YAML: month must be in 1..12"),
    ],
)
def test_what_is_no_study_is_rejected(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.yaml"
    path.write_bytes(text)
    with pytest.raises(StudyError) as raised:
        read_document(path.relative_to(tmp_path))
    assert str(raised.value) == message


def test_a_missing_file_is_told_with_those_that_are_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies").mkdir()
    for name in ("b.yaml", "a.yml", "notes.txt"):
        (tmp_path / "studies" / name).touch()
    there = "Studies there: studies/a.yml, studies/b.yaml"
    for path, message in [
        ("studies/c.yaml", f"studies/c.yaml: there is no such file. {there}"),
        ("nowhere/c.yaml", f"nowhere/c.yaml: there is no such file. {there}"),
        ("studies", f"studies: is a folder; name one of its files. {there}"),
        ("c.yaml", "c.yaml: there is no such file."),
    ]:
        with pytest.raises(StudyError) as raised:
            read_document(tmp_path.joinpath(path).relative_to(tmp_path))
        assert str(raised.value) == message


def test_an_argument_has_no_lines():
    document = parse_argument("{kind: mlp}", "--set model={kind: mlp}")
    assert document.position(("kind",)) is None
    with pytest.raises(StudyError, match=r"^--set a=\[1: not valid YAML: expected ',' or '\]'"):
        parse_argument("[1", "--set a=[1")


def test_nothing_is_built_from_a_tag(tmp_path):
    document = parse_document(f"a: !!python/object/apply:os.mkdir [{tmp_path / 'made'}]", "")
    assert document.tree == {"a": [str(tmp_path / "made")]}
    assert not (tmp_path / "made").exists()
