"""The command line: exact texts, exit statuses, and what it does not import."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from linstudy import metrics
from linstudy.cli import cli
from linstudy.facts import Ending, Number, Report
from linstudy.store.ledger import Ledger
from linstudy.store.rows import RunRow, StudyRow
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace

STUDY = """study: small
data: {kind: digits}
model: {kind: mlp}
sweep: {model.kind: [mlp, lenett]}
"""


def linstudy(*arguments, cwd, env=None):
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "linstudy", *arguments],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def workspace(tmp_path):
    """Published results of one run, which failed after one number."""
    with Ledger.open(Workspace(tmp_path)) as ledger:
        spec = {
            "kind": "spectrum",
            "data": {"kind": "digits"},
            "model": {"kind": "mlp"},
            "spectrum": {},
            "seed": 0,
        }
        ledger.register(StudyRow("small", "", "", STUDY), [RunRow("r1", "spectrum", spec)])
        facts = (Number(metrics.TRACE, 2.5), Ending("failed", "ValueError: odd", "Traceback: here"))
        ledger.record(Report(ledger.begin("r1", {}), facts))
        ledger.flush()
        publish(ledger, tmp_path / "results.duckdb")
    return tmp_path


def test_a_typo_is_told_with_its_place_and_exit_status_1(tmp_path):
    (tmp_path / "a.yaml").write_text(STUDY)
    done = linstudy("plan", "a.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        'a.yaml:4:27  sweep.model.kind.1: "lenett" is not a model. Did you mean "lenet"? '
        "Allowed: mlp, lenet, resnet, import\n"
        "             1 of the study's 2 runs comes from this line\n"
    )


def test_wrong_usage_has_exit_status_2(tmp_path):
    done = linstudy("run", cwd=tmp_path)
    assert done.returncode == 2
    assert "Missing argument 'STUDY'" in done.stderr


def test_an_unexpected_error_leaves_a_log_and_exit_status_3(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import linstudy.spec.study\ndef broken():\n    raise ZeroDivisionError('on purpose')\n"
        "linstudy.spec.study.study_schema = broken\n"
    )
    done = linstudy("schema", cwd=tmp_path, env={"PYTHONPATH": str(tmp_path), "TMPDIR": str(tmp_path)})
    assert done.returncode == 3
    first, second = done.stderr.splitlines()
    assert first == "Unexpected error: ZeroDivisionError: on purpose"
    log = Path(second.removeprefix("Traceback and versions: ")).read_text()
    assert "Traceback (most recent call last)" in log
    assert "duckdb" in log


def test_plan_lists_runs_needs_and_status(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "study: a\ndata: {kind: digits}\nmodel: {kind: mlp}\ntask: {kind: eigenfunction, index: 3}\n"
    )
    done = linstudy("plan", "a.yaml", cwd=tmp_path)
    spectrum, training, counts = done.stdout.splitlines()
    assert spectrum.split()[0] == training.split()[0] == "planned"
    assert spectrum.endswith("spectrum digits mlp seed=0")
    assert training.endswith(f"training digits mlp eigenfunction(index=3) seed=0  <- spectrum {spectrum.split()[1]}")
    assert counts == "2 runs: 2 planned"


@pytest.mark.parametrize(
    ("data", "linearize", "words"),
    [
        ("digits", "{}", "(in function space)"),
        ("digits", "{space: parameters}", "(by parameters)"),
        ("cifar10", "{}", "(by parameters)"),
        ("npz, path: a.npz", "{}", "(in function space if its Gram fits)"),
    ],
)
def test_plan_says_how_a_linearization_will_be_trained(tmp_path, data, linearize, words):
    (tmp_path / "a.npz").write_bytes(b"any")
    (tmp_path / "a.yaml").write_text(
        f"study: a\ndata: {{kind: {data}}}\nmodel: {{kind: mlp}}\ntrain: {{linearize: {linearize}}}\n"
    )
    training, _ = linstudy("plan", "a.yaml", "--data", ".", cwd=tmp_path).stdout.splitlines()
    assert training.endswith(f"seed=0 {words}")


def test_status_tells_what_failed_and_why(workspace):
    assert linstudy("status", cwd=workspace).stdout == (
        "small: 1 failed\nfailed      r1  spectrum digits mlp seed=0\n    ValueError: odd\n"
    )
    assert linstudy("status", "--failed", cwd=workspace).stdout.endswith("ValueError: odd\nTraceback: here\n")


@pytest.mark.parametrize(
    ("format_", "text"),
    [
        ("table", "run_id  value\nr1        2.5\n1 row\n"),
        ("csv", "run_id,value\nr1,2.5\n"),
        ("json", '[\n{"run_id": "r1", "value": 2.5}\n]\n'),
    ],
)
def test_query_prints_each_format(workspace, format_, text):
    assert linstudy("query", "SELECT run_id, value FROM curves", "--format", format_, cwd=workspace).stdout == text


def test_query_reads_sql_from_a_file_and_writes_to_one(workspace):
    (workspace / "q.sql").write_text("SELECT value FROM curves -- a comment\n")
    linstudy("query", "q.sql", "--format", "parquet", "--out", "q.parquet", cwd=workspace)
    import duckdb

    assert duckdb.execute(f"SELECT value FROM '{workspace / 'q.parquet'}'").fetchall() == [(2.5,)]


def test_query_cannot_write(workspace):
    done = linstudy("query", "DELETE FROM metric", cwd=workspace)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: a query only reads; DELETE does not.")


def test_without_results_it_is_said_what_to_do(tmp_path):
    done = linstudy("status", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: there is no results.duckdb: run a study here first")


@pytest.mark.parametrize("command", [["plan", "a.yaml"], ["status"], ["query", "SELECT 1"], ["schema"]])
def test_light_commands_start_without_jax_and_scikit_learn(workspace, command):
    (workspace / "a.yaml").write_text("study: a\ndata: {kind: digits}\nmodel: {kind: mlp}\n")
    done = linstudy(*command, cwd=workspace, env={"PYTHONPROFILEIMPORTTIME": "1"})
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "linstudy.cli" in imported
    assert not {"jax", "sklearn", "scipy", "matplotlib"} & imported


def test_light_commands_start_fast(workspace):
    """Half a second is the goal, and is measured by the benchmark; three times that fails even on a busy machine."""
    (workspace / "a.yaml").write_text("study: a\ndata: {kind: digits}\nmodel: {kind: mlp}\n")
    times = []
    for _ in range(3):
        start = time.perf_counter()
        linstudy("plan", "a.yaml", cwd=workspace)
        times.append(time.perf_counter() - start)
    assert min(times) < 1.5


@pytest.mark.parametrize("name", list(cli.commands))
def test_help_ends_with_an_example(name):
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    assert result.output.splitlines()[-1].strip().startswith(f"linstudy {name}")
