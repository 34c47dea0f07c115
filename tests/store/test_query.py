import errno
import io
import os
import shutil
import subprocess
import sys

import duckdb
import pytest

from linstudy.facts import Report
from linstudy.store.database import attach_to_read
from linstudy.store.ledger import Ledger
from linstudy.store.query import (
    QueryError,
    Result,
    export_parquet,
    open_published,
    open_studies,
    query,
    schema_version,
)
from linstudy.store.quoting import literal, path_literal
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace


@pytest.fixture(scope="module")
def published(tmp_path_factory, study, runs, loss):
    """A workspace with results; to publish some takes longer than a query."""
    workspace = Workspace(tmp_path_factory.mktemp("published"))
    with Ledger.open(workspace) as ledger:
        ledger.register(study, runs)
        ledger.record(Report(ledger.begin("t", {}), tuple(map(loss, range(3)))))
        ledger.flush()
        publish(ledger, workspace.results)
    return workspace


@pytest.fixture
def results(published, workspace):
    shutil.copytree(published.root, workspace.root)
    return workspace.results


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) AS n FROM curves",
        "FROM (SELECT count(*) AS n FROM metric); -- all of them é",
        "WITH x AS (SELECT 3 AS n) FROM x;;",
    ],
)
def test_a_reading_statement_gives_columns_and_rows(results, sql):
    assert query(results, sql) == Result(("n",), [(3,)])


def test_pivot_describe_and_explain_read_too(results):
    assert query(results, "PIVOT (SELECT name, value FROM metric) ON name USING max(value)").columns == ("loss",)
    assert ("status", "VARCHAR") in [row[:2] for row in query(results, "DESCRIBE runs").rows]
    assert query(results, "EXPLAIN FROM runs").rows


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("""'{"a": [1]}'::JSON""", {"a": [1]}),
        ("""['{"a": 1}'::JSON, NULL]""", [{"a": 1}, None]),
        ("""array_value('[1]'::JSON, '2'::JSON)""", [[1], 2]),
        ("""{x: '[1]'::JSON, y: '[1]'}""", {"x": [1], "y": "[1]"}),
        ("""map(['k'], [{x: ['"t"'::JSON]}])""", {"k": {"x": ["t"]}}),
        ("NULL::JSON", None),
        ("{JSON: 1}", {"JSON": 1}),
    ],
)
def test_json_comes_as_what_it_holds_also_within_other_types(results, sql, value):
    assert query(results, f"SELECT {sql}").rows == [(value,)]


VERSION_3 = (
    "DROP VIEW runs",
    "ALTER TABLE study DROP COLUMN file",
    "ALTER TABLE attempt DROP COLUMN code",
    "DROP TABLE code",
    "DROP TABLE note",
    "UPDATE ledger_version SET schema_version = 3",
)
"""What makes a published file one of the third schema version."""


def test_results_of_an_earlier_schema_are_read_as_those_of_today(results):
    expected = query(results, "SELECT * EXCLUDE (started, seconds) FROM curves")
    with duckdb.connect(str(results)) as connection:
        for statement in VERSION_3:
            connection.execute(statement)
    before, content = schema_version(results), results.read_bytes()
    assert query(results, "SELECT * EXCLUDE (started, seconds) FROM curves") == expected
    assert (
        query(results, "SELECT file, (SELECT count(*) FROM note), tags FROM study, runs").rows == [(None, 0, None)] * 2
    )
    with open_studies(results, ["rotation"]) as ask:
        assert ask("SELECT count(*) FROM averages").rows == [(1,)]
    assert (before, results.read_bytes()) == (3, content)


PIVOT = "PIVOT (SELECT 1 AS a) ON a USING max(a)"
ATTACKS = [
    *(
        template.replace("FILE", file)
        for template in (
            "COPY run TO FILE (USE_TMP_FILE false)",
            "WITH x AS (COPY run TO FILE (USE_TMP_FILE false)) FROM x",
            "EXPLAIN ANALYZE COPY run TO FILE (USE_TMP_FILE false)",
            f"COPY ({PIVOT}) TO FILE (USE_TMP_FILE false)",
        )
        for file in ("{results}", "{log}", "{other}")
    ),
    "EXPORT DATABASE {other}",
    "ATTACH {other} AS other",
    "SELECT * FROM read_csv({secret})",
    "FROM {secret}",
    "FROM read_text({secret})",
    "FROM glob({anything})",
    "FROM python_variable",
    "CREATE TABLE mine (a INTEGER)",
    "DELETE FROM metric",
    "WITH x AS (DELETE FROM metric RETURNING value) FROM x",
    "SET enable_external_access = true",
    "SET disabled_filesystems = ''",
    "INSTALL httpfs",
    "LOAD httpfs",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_sql_can_neither_write_nor_reach_another_file(results, tmp_path, attack):
    python_variable = {"a": [1]}
    (tmp_path / "secret.csv").write_text("a\n1\n")
    content = results.read_bytes()
    files = {"results": results, "log": f"{results}.wal", "other": tmp_path / "other"}
    files |= {"secret": tmp_path / "secret.csv", "anything": tmp_path / "*"}
    sql = attack.format(**{name: literal(str(file)) for name, file in files.items()})
    with pytest.raises(QueryError):
        query(results, sql)
    with pytest.raises(QueryError):
        export_parquet(results, sql, io.BytesIO())
    assert results.read_bytes() == content, python_variable
    assert sorted(file.name for file in tmp_path.rglob("*")) == [
        *(".linstudy", "ledger.duckdb", "results.duckdb", "secret.csv", "study's folder")
    ]


def test_the_attacks_work_on_an_open_connection(results, tmp_path):
    """The control: without the room's restrictions, reading SQL writes a file."""
    other = tmp_path / "other"
    with duckdb.connect(results, read_only=True) as connection:
        connection.execute(f"WITH x AS (COPY (SELECT 1) TO {literal(str(other))} (USE_TMP_FILE false)) FROM x")
    assert other.exists()


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("SELECT losss FROM curves", 'column "losss" not found'),
        ("SELECT 1; SELECT 2", "one statement is expected, 2 arrived"),
        ("-- nothing", "one statement is expected, 0 arrived"),
        ("DROP TABLE run", "a query only reads; DROP does not. Allowed: SELECT"),
        ("SELECT now() AS t", 'column "t" is a TIMESTAMP WITH TIME ZONE. Write it as CAST'),
    ],
)
def test_wrong_sql_is_explained(results, sql, message):
    with pytest.raises(QueryError) as caught:
        query(results, sql)
    assert message.lower() in str(caught.value).lower()


def test_missing_results_are_explained(tmp_path):
    for ask in (query, lambda path, sql: export_parquet(path, sql, io.BytesIO())):
        with pytest.raises(QueryError, match=r"there is no .*results.duckdb: run a study here first"):
            ask(tmp_path / "results.duckdb", "SELECT 1")


def test_query_works_beside_a_connection_of_the_same_process(results):
    with duckdb.connect(results, read_only=True):
        assert query(results, "SELECT count(*) FROM run").rows == [(2,)]


def test_parquet_keeps_duckdbs_types(results, tmp_path):
    sql = """SELECT run_id, [1, 2] AS l, 1.5::DECIMAL(4, 2) AS d, {'a': TIMESTAMP '2026-01-02 03:04:05'} AS s,
             'nan'::DOUBLE AS x FROM run; -- é"""
    file = tmp_path / "result.parquet"
    with file.open("wb") as stream:
        export_parquet(results, sql, stream)
    with duckdb.connect() as connection:
        columns = connection.execute(f"DESCRIBE FROM {literal(str(file))}").fetchall()
        assert [column[1] for column in columns] == [
            *("VARCHAR", "INTEGER[]", "DECIMAL(4,2)", "STRUCT(a TIMESTAMP)", "DOUBLE")
        ]
        assert connection.execute(f"SELECT run_id FROM {literal(str(file))} ORDER BY 1").fetchall() == [("s",), ("t",)]


def test_importing_the_room_needs_neither_duckdb_nor_rich():
    code = (
        "import sys, linstudy.store.query, linstudy.store.render; assert not {'duckdb', 'rich', 'jax'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_lists_and_objects_come_as_they_are(results):
    sql = "SELECT model_hidden, train_optimizer, train_linearize, task_kind FROM runs WHERE run_id = 't'"
    assert query(results, sql).rows == [
        ([100, 100], {"kind": "sgd", "learning_rate": 0.05}, None, "eigenfunction"),
    ]


def test_opened_studies_outlive_a_wrong_statement(results):
    with open_studies(results, ["rotation"]) as ask:
        with pytest.raises(QueryError, match="nothing_like_it"):
            ask("FROM nothing_like_it")
        with pytest.raises(QueryError, match="a query only reads; DELETE does not"):
            ask("DELETE FROM run")
        assert ask("SELECT count(*) FROM runs").rows == [(2,)]
    with open_studies(results, ["another"]) as ask:
        assert ask("FROM runs").rows == ask("FROM curves").rows == ask("FROM study_runs").rows == []


def test_what_is_opened_once_stays_as_it_was_while_another_file_takes_its_place(results, workspace, loss):
    with open_published(results) as ask:
        assert ask("SELECT count(*) FROM metric").rows == [(3,)]
        with Ledger.open(workspace) as ledger:
            ledger.record(Report(ledger.begin("t", {}), (loss(3),)))
            ledger.flush()
            publish(ledger, results)
        assert ask("SELECT count(*) FROM metric").rows == [(3,)]
    assert query(results, "SELECT count(*) FROM metric").rows == [(4,)]


class Locking:
    """A connection for which some file cannot be locked, as DuckDB tells it."""

    def __init__(self, connection, file, reason):
        self._connection, self._file, self._reason = connection, file, reason

    def execute(self, sql):
        if path_literal(self._file) in sql:
            message = (
                f'IO Error: Could not set lock on file "{self._file}": {self._reason}. See also https://duckdb.org'
            )
            raise duckdb.IOException(message)
        return self._connection.execute(sql)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS])
def test_where_there_are_no_locks_a_copy_is_read(results, tmp_path, monkeypatch, code):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with duckdb.connect() as connection:
        attach_to_read(Locking(connection, results, os.strerror(code)), results)
        assert connection.execute("SELECT count(*) FROM results.metric").fetchall() == [(3,)]
        [(read,)] = connection.execute("SELECT path FROM duckdb_databases() WHERE database_name = 'results'").fetchall()
        assert read.startswith(str(tmp_path / "linstudy-"))
        assert list(tmp_path.glob("linstudy-*")) == []


def test_a_file_that_somebody_has_locked_is_not_copied(results):
    held = "Conflicting lock is held in /usr/bin/duckdb (PID 7)"
    with duckdb.connect() as connection, pytest.raises(duckdb.IOException, match="Conflicting lock"):
        attach_to_read(Locking(connection, results, held), results)
