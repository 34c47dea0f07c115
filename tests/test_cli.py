"""The command line: exact texts, exit statuses, and what it does not import."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from command import command

from linstudy import metrics
from linstudy.cli import cli, main
from linstudy.cli.options import FORMATS
from linstudy.describe.plan import ABANDONED
from linstudy.facts import Ending, Number, Report
from linstudy.prepare.study import plan_study
from linstudy.store import export
from linstudy.store.artifacts import ArtifactStore
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


def ends(monkeypatch, *arguments):
    """The exit status of the command, called in this process."""
    monkeypatch.setattr(sys, "argv", ["linstudy", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def at(workspace):
    return ["--workspace", str(workspace)]


SPEC = {"kind": "spectrum", "data": {"kind": "digits"}, "model": {"kind": "mlp"}, "spectrum": {}, "seed": 0}


def register(folder, study, runs, failing, error="odd"):
    """Publish a study more, one of whose runs has failed."""
    with Ledger.open(Workspace(folder)) as ledger:
        ledger.register(study, runs)
        ledger.record(Report(ledger.begin(failing, {}), (Ending("failed", error),)))
        ledger.flush()
        publish(ledger, folder / "results.duckdb")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Published results of one run, which failed after one number."""
    folder = tmp_path_factory.mktemp("published")
    with Ledger.open(Workspace(folder)) as ledger:
        spec = {
            "kind": "spectrum",
            "data": {"kind": "digits"},
            "model": {"kind": "mlp"},
            "spectrum": {},
            "seed": 0,
        }
        row = RunRow("r1", "spectrum", spec, source='{"data": "digits-sklearn-1"}')
        ledger.register(StudyRow("small", "", "", STUDY), [row])
        facts = (Number(metrics.TRACE, 2.5), Ending("failed", "ValueError: odd", "Traceback: here"))
        ledger.record(Report(ledger.begin("r1", {}), facts))
        ledger.flush()
        publish(ledger, folder / "results.duckdb")
    return folder


@pytest.fixture
def workspace(published, tmp_path):
    """A copy of them."""
    shutil.copytree(published, tmp_path, dirs_exist_ok=True)
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
    done = command("plan", "a.yaml", cwd=tmp_path)
    spectrum, training, counts, total = done.stdout.splitlines()
    assert spectrum.split()[0] == training.split()[0] == "planned"
    assert re.search(
        r"  spectrum digits\(train=1442, test=355\) mlp top=1000 seed=0  ~\d+ s, \d+ MB, 14 MB of files$", spectrum
    )
    assert re.search(
        r"  training digits\(train=1442, test=355\) mlp eigenfunction\(index=3\) seed=0  "
        rf"~\d+ s, \d+ MB, 134 kB of files  <- spectrum {spectrum.split()[1]}$",
        training,
    )
    assert counts == "2 runs: 2 planned"
    assert re.fullmatch(r"about \d+ s on this machine, peak \d+ MB, 15 MB of files \(2 by operations\)", total)


def test_plan_lists_what_a_condition_selects_and_what_that_needs(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "study: a\ndata: {kind: digits}\nmodel: {kind: mlp}\nsweep: {task.index: [3, 4, 5]}\n"
        "task: {kind: eigenfunction, index: 3}\n"
    )
    done = command("plan", "a.yaml", "--only", "task_index BETWEEN 4 AND 10", cwd=tmp_path)
    assert [line.split()[2] for line in done.stdout.splitlines()[:-3]] == ["spectrum", "training", "training"]
    assert done.stdout.splitlines()[-3] == "3 runs: 3 planned"
    assert done.stdout.splitlines()[-2].endswith("(3 by operations)")
    assert done.stdout.splitlines()[-1:] == [
        "--only selects 3 of 4 runs, what they need included",
    ]
    none = command("plan", "a.yaml", "--only", "task_index = 6", cwd=tmp_path)
    assert (none.returncode, none.stdout) == (1, "")
    assert none.stderr == "Error: --only: the condition holds for none of the 4 runs of the study\n"
    wrong = command("plan", "a.yaml", "--only", "index = 6", cwd=tmp_path)
    assert wrong.returncode == 1
    assert wrong.stderr.startswith('Error: --only: Binder Error: Referenced column "index" not found')


def test_plan_says_how_a_new_run_differs_from_the_nearest_that_is_stored(workspace):
    (workspace / "a.yaml").write_text(
        "study: a\ndata: {kind: digits, train: 9}\nmodel: {kind: mlp}\ntask: {kind: eigenfunction, index: 3}\n"
    )
    lines = command("plan", "a.yaml", "--set", "data.test=4", cwd=workspace).stdout.splitlines()
    assert lines[0].startswith("planned")
    assert lines[1] == (
        "            nearest: r1, data.train 9 (there nothing), data.test 4 (there nothing), "
        "spectrum.top 13 (there nothing)"
    )
    assert "nearest" not in "".join(lines[2:]), "no training is stored"


def test_a_run_that_was_planned_and_never_tried_is_not_its_own_nearest(workspace):
    (workspace / "a.yaml").write_text(
        "study: a\ndata: {kind: digits, train: 9}\nmodel: {kind: mlp}\ntask: {kind: eigenfunction, index: 3}\n"
    )
    lines = command("plan", "a.yaml", cwd=workspace).stdout.splitlines()
    run_id = lines[0].split()[1]
    with Ledger.open(Workspace(workspace)) as ledger:
        data = {"kind": "digits", "train": 9}
        spec = {"kind": "spectrum", "data": data, "model": {"kind": "mlp"}, "spectrum": {}, "seed": 0}
        ledger.register(StudyRow("a", "", "", STUDY), [RunRow(run_id, "spectrum", spec)])
        publish(ledger, workspace / "results.duckdb")
    assert command("plan", "a.yaml", cwd=workspace).stdout.splitlines() == lines


@pytest.mark.parametrize(
    ("data", "linearize", "words"),
    [
        ("digits", "{}", "(in function space)"),
        ("digits", "{space: parameters}", "(by parameters)"),
        ("cifar10", "{}", "(in function space if its Gram fits)"),
        ("npz, path: a.npz", "{}", "(in function space if its Gram fits)"),
    ],
)
def test_plan_says_how_a_linearization_will_be_trained(tmp_path, data, linearize, words):
    (tmp_path / "a.npz").write_bytes(b"any")
    (tmp_path / "a.yaml").write_text(
        f"study: a\ndata: {{kind: {data}}}\nmodel: {{kind: mlp}}\ntrain: {{linearize: {linearize}}}\n"
    )
    training, *_ = command("plan", "a.yaml", "--data", ".", cwd=tmp_path).stdout.splitlines()
    assert f"seed=0 {words}  " in training


def test_plan_says_what_is_unknown(tmp_path):
    (tmp_path / "nets.py").write_text("def make(input_shape, key): ...\n")
    (tmp_path / "a.yaml").write_text("study: a\ndata: {kind: digits}\nmodel: {kind: import, factory: 'nets:make'}\n")
    training, _, total = command("plan", "a.yaml", cwd=tmp_path).stdout.splitlines()
    assert training.endswith("  time unknown")
    assert total == "time unknown (1 run unknown)"


def test_status_tells_what_failed_and_why(workspace):
    assert command("status", cwd=workspace).stdout == (
        "small: 1 failed\nfailed      r1  spectrum digits mlp seed=0\n    ValueError: odd\n"
    )
    assert command("status", "--failed", cwd=workspace).stdout.endswith("ValueError: odd\nTraceback: here\n")


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
    command("query", "q.sql", "--format", "parquet", "--out", "q.parquet", cwd=workspace)
    import duckdb

    assert duckdb.execute(f"SELECT value FROM '{workspace / 'q.parquet'}'").fetchall() == [(2.5,)]


def test_the_formats_that_are_offered_are_those_that_there_are():
    assert export.FORMATS == FORMATS


@pytest.mark.parametrize(("suffix", "beginning"), [("csv", b"run_id,value\n"), ("json", b"[\n{"), ("parquet", b"PAR1")])
def test_query_takes_the_format_of_the_file(workspace, suffix, beginning):
    out = workspace / f"a.{suffix}"
    CliRunner().invoke(cli, ["query", "SELECT run_id, value FROM curves", "--out", str(out), *at(workspace)])
    assert out.read_bytes().startswith(beginning)


@pytest.mark.parametrize(
    "arguments",
    [
        ["missing.sql"],
        ["SELECT 1", "--out", "missing/a.csv"],
        ["SELECT 1", "--out", "."],
        ["SELECT 1", "--out", "a.xlsx"],
        ["SELECT nope", "--out", "a.csv"],
    ],
)
def test_a_query_that_cannot_be_answered_is_one_message(workspace, monkeypatch, capsys, arguments):
    monkeypatch.chdir(workspace)
    assert ends(monkeypatch, "query", *arguments) == 1
    told = capsys.readouterr().err
    assert told.startswith("Error: ")
    assert "log" not in told
    assert not (workspace / "a.csv").exists()


def test_query_cannot_write(workspace):
    done = command("query", "DELETE FROM metric", cwd=workspace)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: a query only reads; DELETE does not.")


def test_without_results_it_is_said_what_to_do(tmp_path):
    done = command("status", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: there is no results.duckdb: run a study here first")


def test_status_describes_the_runs_of_another_linstudy(workspace, monkeypatch, capsys):
    spec = {"kind": "training", "data": {"kind": "tapes"}, "model": {"kind": "mlp"}, "train": {"warmup": 5}, "seed": 0}
    register(workspace, StudyRow("old", "", "", ""), [RunRow("r2", "training", spec)], failing="r2")
    assert ends(monkeypatch, "status", *at(workspace)) == 0
    assert "failed      r2  training tapes mlp warmup=5 seed=0\n" in capsys.readouterr().out


def test_status_tells_apart_what_no_study_has_any_more(workspace):
    register(workspace, StudyRow("small", "", "", ""), [RunRow("r2", "nads", {**SPEC, "kind": "nads"})], failing="r2")
    told = CliRunner().invoke(cli, ["status", *at(workspace)]).output
    assert told == (
        "small: 1 failed\n"
        "failed      r2  nads digits mlp seed=0\n    odd\n"
        "of runs that no study has any more (`linstudy clean` takes them out):\n"
        "failed      r1  spectrum digits mlp seed=0\n    ValueError: odd\n"
    )


def test_status_cuts_a_long_error(workspace):
    register(workspace, StudyRow("long", "", "", ""), [RunRow("r2", "spectrum", SPEC)], failing="r2", error="x" * 10**6)
    told = CliRunner().invoke(cli, ["status", *at(workspace)]).output
    assert len(told) < 3000
    assert "more characters: linstudy query \"SELECT error FROM attempt WHERE run_id = 'r2'\"" in told


def told(*arguments):
    done = CliRunner().invoke(cli, list(arguments))
    return done.exit_code, done.output.splitlines()


def test_forget_and_clean_say_what_goes_before_anything_does(workspace):
    register(workspace, StudyRow("other", "", "", ""), [RunRow("r2", "spectrum", SPEC)], failing="r2")
    register(workspace, StudyRow("other", "", "", ""), [RunRow("r1", "spectrum", SPEC)], failing="r1")
    asks = "Nothing is taken out yet. The same command with --yes does it."
    lines = ["1 run without a result that no study names: 1 failed", asks]
    assert told("clean", *at(workspace)) == (0, lines)
    assert told("clean", "--yes", *at(workspace)) == (0, [lines[0], "Taken out."])
    assert told("clean", "--yes", *at(workspace)) == (0, ["Nothing to take out."])
    lines = ["study small", "0 runs: 0 attempts, 0 rows of numbers and vectors"]
    stays = "1 run stays, named by another study or variant: r1"
    assert told("forget", "small", *at(workspace)) == (0, [*lines, stays, asks])
    assert told("forget", "small", "--yes", *at(workspace)) == (0, [*lines, stays, "Taken out."])
    lines = ["1 run of study other", "1 run (1 failed): 2 attempts, 1 row of numbers and vectors"]
    assert told("forget", "--only", "seed = 0", *at(workspace)) == (0, [*lines, asks])
    assert told("forget", "--only", "seed = 0", "--yes", *at(workspace)) == (0, [*lines, "Taken out."])
    assert told("forget", *at(workspace))[0] == 2


def test_verify_names_what_is_wrong_and_what_to_do(workspace):
    assert told("verify", *at(workspace)) == (0, ["1 run, 0 artifacts, 0 kB"])
    store = ArtifactStore(workspace / "artifacts")
    with Ledger.open(Workspace(workspace)) as ledger:
        lost = store.save("spectrum", {"eigenvalues": np.ones(100)})
        ledger.record(Report(ledger.begin("r1", {}), (lost, Ending("done"))))
        ledger.flush()
        publish(ledger, workspace / "results.duckdb")
    assert told("verify", *at(workspace)) == (0, ["1 run, 1 artifact, 1 kB: 1 right"])
    advice = "What is missing is made again by the same `linstudy run` that made it, of small"
    store.file(lost.path).write_bytes(b"")
    lines = [f"damaged     {lost.path}  spectrum r1", "1 run, 1 artifact, 1 kB: 1 damaged"]
    assert told("verify", *at(workspace)) == (1, [*lines, f"Delete the damaged files. {advice}"])
    store.delete(lost.path)
    lines = [f"missing     {lost.path}  spectrum r1", "1 run, 1 artifact, 1 kB: 1 missing"]
    assert told("verify", *at(workspace)) == (1, [*lines, advice])


STUDY_A = "study: a\ndata: {kind: digits}\nmodel: {kind: mlp}\n"


@pytest.mark.parametrize("command", [["status"], ["plan", "a.yaml"]])
def test_runs_of_a_process_that_is_gone_are_told(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(STUDY_A)
    study, plan = plan_study(Path("a.yaml"), None, (), None)
    [run] = plan.runs.values()
    with Workspace(tmp_path).lock():
        with Ledger.open(Workspace(tmp_path)) as ledger:
            spec = run.spec.model_dump(mode="json")
            ledger.register(StudyRow("a", "", "", ""), [RunRow(run.run_id, run.kind, spec)])
            ledger.begin(run.run_id, {})
            ledger.flush()
            publish(ledger, tmp_path / "results.duckdb")
        assert ends(monkeypatch, *command) == 0
        assert ABANDONED not in capsys.readouterr().out
    assert ends(monkeypatch, *command) == 0
    assert capsys.readouterr().out.splitlines()[-1] == ABANDONED


@pytest.mark.parametrize(
    "command",
    [
        *(["status"], ["plan", "a.yaml"], ["query", "FROM runs"], ["doctor"], ["clean"], ["forget", "small"]),
        *(["verify"], ["page", "--out", os.devnull]),
    ],
)
def test_looking_leaves_a_workspace_as_it_was(workspace, monkeypatch, command):
    monkeypatch.chdir(workspace)
    Path("a.yaml").write_text(STUDY_A)

    def content():
        return {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in workspace.rglob("*")}

    with Workspace(workspace).lock():
        before = content()
        assert ends(monkeypatch, *command) == 0
        assert content() == before


LIGHT = [
    *(["plan", "a.yaml"], ["studies"], ["status"], ["watch"], ["query", "SELECT 1"], ["schema"], ["clean"]),
    *(["show", "--only", "status = 'failed'"], ["forget", "small"], ["verify"], ["page", "--out", os.devnull]),
]
IN_TURN = f"""
import sys
from linstudy.cli import main
for command in {LIGHT}:
    sys.argv = ["linstudy", *command]
    try:
        main()
    except SystemExit as end:
        heavy = {{"jax", "sklearn", "scipy", "matplotlib"}} & {{*sys.modules}}
        print(command, end.code, *heavy, file=sys.stderr)
"""


def test_light_commands_run_without_jax_and_scikit_learn(workspace):
    (workspace / "a.yaml").write_text("study: a\ndata: {kind: digits}\nmodel: {kind: mlp}\n")
    done = subprocess.run([sys.executable, "-c", IN_TURN], cwd=workspace, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == [f"{command} 0" for command in LIGHT]


def test_completions_start_without_what_is_heavy(workspace):
    words = {"_LINSTUDY_COMPLETE": "bash_complete", "COMP_WORDS": "linstudy show ", "COMP_CWORD": "2"}
    done = linstudy(cwd=workspace, env={**words, "PYTHONPROFILEIMPORTTIME": "1"})
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert done.stdout == "plain,r1\n"
    assert not {"jax", "sklearn", "scipy", "matplotlib", "numpy"} & imported


def test_show_names_one_run_or_several(workspace, monkeypatch, capsys):
    assert ends(monkeypatch, "show", *at(workspace)) == 2
    assert "Name one RUN, or several with --only CONDITION." in capsys.readouterr().err
    assert ends(monkeypatch, "show", "r1", *at(workspace)) == 1
    assert capsys.readouterr().err.startswith('Error: "r1" is no beginning of a run\'s id')
    assert ends(monkeypatch, "show", "--only", "status = 'failed'", *at(workspace)) == 0
    assert capsys.readouterr().out.startswith("failed      r1  spectrum digits mlp seed=0\n")


@pytest.mark.parametrize("name", list(cli.commands))
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_ends_with_an_example(name, option):
    result = CliRunner().invoke(cli, [name, option])
    assert result.exit_code == 0
    assert result.output.splitlines()[-1].strip().startswith(f"linstudy {name}")


def test_results_go_from_one_workspace_to_another_and_into_a_report(workspace, tmp_path):
    def tells(*arguments):
        done = command(*arguments, cwd=tmp_path)
        return done.returncode, [*done.stdout.splitlines(), *done.stderr.splitlines()]

    assert tells("export", "out", "--artifacts") == (0, ["out: 1 runs, 1 rows of numbers and vectors, 0 artifacts"])
    taken = ["out: 1 runs taken, 0 known already, 0 conflicts", "Results: other/results.duckdb"]
    assert tells("import", "out", "--workspace", "other") == (0, taken)
    assert tells("query", "SELECT status FROM runs", "--format", "csv", "--workspace", "other") == (
        0,
        ["status", "failed"],
    )
    status, lines = tells("report", "out", "other", "--out", "page")
    assert (status, lines) == (1, [NO_EXPORT])
    status, lines = tells("report", "out", "--out", "page")
    assert (status, lines[-2:]) == (0, ["page/report.md", "page/index.html"])
    assert "from `out`." in (tmp_path / "page/report.md").read_text()


NO_EXPORT = "Error: other holds no export. Make one there: linstudy export other --workspace WORKSPACE"
