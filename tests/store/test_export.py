import io
import json
import os
import threading

import duckdb
import pytest

from linstudy.spec.errors import LinstudyError
from linstudy.store.export import choose_format, export, read_sql
from linstudy.store.query import QueryError
from linstudy.store.quoting import path_literal
from linstudy.store.snapshot import publish

SQL = "SELECT 1 AS a, 'φ' AS b"


@pytest.fixture
def results(ledger, workspace):
    publish(ledger, workspace.results)
    return workspace.results


def test_sql_is_taken_as_it_is_or_from_a_file(tmp_path):
    (tmp_path / "a.sql").write_text("SELECT 'é'")
    assert read_sql("SELECT 1") == "SELECT 1"
    assert read_sql(str(tmp_path / "a.sql")) == "SELECT 'é'"


def test_a_file_of_sql_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "folder.sql").mkdir()
    (tmp_path / "latin.sql").write_bytes(b"SELECT '\xe9'")
    for name, words in [
        ("missing.sql", r"cannot be read \(No such file or directory\)"),
        ("folder.sql", r"cannot be read \(Is a directory\)"),
        ("latin.sql", "is not UTF-8"),
        (f"{'x' * 300}.sql", r"cannot be read \(File name too long\)"),
    ]:
        with pytest.raises(QueryError, match=words):
            read_sql(str(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "out", "chosen"),
    [
        (None, None, "table"),
        (None, "a.csv", "csv"),
        (None, "a.JSON", "json"),
        (None, "a.parquet", "parquet"),
        ("table", "a.csv", "table"),
        ("json", "a.txt", "json"),
        ("parquet", None, "parquet"),
    ],
)
def test_the_format_is_that_of_the_suffix_unless_one_is_named(tmp_path, name, out, chosen):
    assert choose_format(name, tmp_path / out if out else None) == chosen


@pytest.mark.parametrize("out", ["a.xlsx", "a", "a.csv.gz"])
def test_an_unknown_suffix_is_refused(tmp_path, out):
    with pytest.raises(QueryError, match=r"Allowed: \.csv, \.json, \.parquet; or name a --format"):
        choose_format(None, tmp_path / out)


def test_parquet_is_not_written_to_a_terminal(monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr("sys.stdout", stream)
    with pytest.raises(QueryError, match="Name a file with --out"):
        choose_format("parquet", None)


def read(path):
    if path.suffix == ".json":
        return [tuple(row.values()) for row in json.loads(path.read_text(encoding="utf-8"))]
    return duckdb.execute(f"FROM {path_literal(path)}").fetchall()


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_a_failed_query_leaves_the_old_answer(results, tmp_path, suffix):
    out = tmp_path / f"a.{suffix}"
    export(results, SQL, suffix, out)
    assert read(out) == [(1, "φ")]
    with pytest.raises(QueryError):
        export(results, "SELECT nope", suffix, out)
    assert read(out) == [(1, "φ")]
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == [out.name]


def test_a_place_that_cannot_be_written_is_told(results, tmp_path, monkeypatch):
    (tmp_path / "folder.csv").mkdir()
    for out, words in [
        (tmp_path / "no" / "a.csv", f"there is no folder {tmp_path / 'no'}. Make it first: mkdir -p"),
        (tmp_path / "folder.csv", "is a folder. Name a file in it"),
        (tmp_path / f"{'x' * 250}.csv", r"cannot be written \(File name too long\)"),
    ]:
        with pytest.raises(LinstudyError, match=words):
            export(results, SQL, "csv", out)


def test_a_read_only_folder_is_told(results):
    from pathlib import Path

    with pytest.raises(LinstudyError, match="cannot be written"):
        export(results, SQL, "csv", Path("/proc/a.csv"))


def test_a_link_is_followed_and_a_pipe_is_written_to(results, tmp_path):
    (tmp_path / "link.csv").symlink_to(tmp_path / "target.csv")
    export(results, SQL, "csv", tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert read(tmp_path / "target.csv") == [(1, "φ")]
    os.mkfifo(tmp_path / "pipe.csv")
    heard = []
    reader = threading.Thread(target=lambda: heard.append((tmp_path / "pipe.csv").read_text(encoding="utf-8")))
    reader.start()
    export(results, SQL, "csv", tmp_path / "pipe.csv")
    reader.join(timeout=10)
    assert heard == ["a,b\n1,φ\n"]
    assert (tmp_path / "pipe.csv").is_fifo()
