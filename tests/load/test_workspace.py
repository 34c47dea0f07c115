"""An opened workspace: closed SQL, results of one moment, and what is refused: damage, changed code, changed data."""

import gc
import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import jax.numpy as jnp
import numpy as np
import pytest

import linstudy
from linstudy.facts import CHECKPOINT
from linstudy.plan import NUMERICS
from linstudy.spec.errors import LinstudyError
from linstudy.store.ledger import Ledger
from linstudy.store.rows import RunRow, StudyRow
from linstudy.store.snapshot import publish

pytestmark = pytest.mark.product_settings

NETWORK = "kind = 'training' AND model_kind = 'mlp' AND train_linearize IS NULL"
NORMED = "kind = 'training' AND model_kind = 'import' AND data_kind = 'npz'"


def one(ws, condition):
    [run] = ws.runs(condition)
    return run


def test_a_relation_goes_on_where_sql_began(ws):
    relation = ws.sql("FROM runs").filter("kind = 'training'").aggregate("count(*) AS n")
    assert relation.fetchall() == [(5,)]
    assert list(relation.fetchnumpy()) == ["n"]


def test_runs_are_found_by_a_condition_and_by_the_beginning_of_an_id(ws):
    run = one(ws, NETWORK)
    assert (run.kind, run.status, run.spec.train.epochs, set(run.needs)) == ("training", "done", 3, {"spectrum"})
    assert ws.run(run.run_id[:8]).run_id == run.run_id
    assert len(ws.runs()) == 8
    assert ws.runs("seed = 7") == []
    assert re.fullmatch(rf"{run.run_id} done training npz\(train=48.*\) mlp\(hidden=\[8\]\).* seed=0", repr(run))


def test_vectors_are_those_of_the_run(ws):
    probe = one(ws, "kind = 'probe'")
    rows = probe.vectors.select("name, epoch, len(value)").fetchall()
    assert rows == [("alignment", 0, 3), ("alignment", 3, 3)]
    rows = probe.metrics.select("name, split, epoch").fetchall()
    assert rows == [("label_alignment", "train", 0), ("label_alignment", "train", 3)]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda ws: ws.sql("SELEC 1"), "syntax error"),
        (lambda ws: ws.sql("DELETE FROM metric"), "a query only reads; DELETE does not"),
        (lambda ws: ws.sql("FROM read_text('study.yaml')"), "disabled"),
        (lambda ws: ws.sql("FROM python_variable"), "python_variable does not exist"),
        (lambda ws: ws.sql("WITH x AS (COPY run TO 'other.csv' (USE_TMP_FILE false)) FROM x"), "disabled"),
        (lambda ws: ws.runs("nope = 1"), "nope"),
        (lambda ws: ws.run("zz"), '"zz" is no beginning of a run\'s id'),
        (lambda ws: ws.run("0000000"), "no run of the workspace begins with 0000000"),
    ],
)
def test_what_cannot_be_asked_is_explained(ws, tmp_path, monkeypatch, ask, message):
    monkeypatch.chdir(tmp_path)
    python_variable = {"a": [1]}
    with pytest.raises(LinstudyError) as caught:
        ask(ws)
    assert message.lower() in str(caught.value).lower(), python_variable
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "write",
    [
        lambda relation, file: relation.to_csv(file),
        lambda relation, file: relation.to_parquet(file),
        lambda relation, file: relation.create("mine"),
        lambda relation, file: relation.query("v", f"COPY (FROM v) TO '{file}' (USE_TMP_FILE false)").fetchall(),
    ],
)
def test_no_method_of_a_relation_writes(ws, tmp_path, write):
    with pytest.raises(duckdb.Error):
        write(ws.sql("FROM run"), str(tmp_path / "file"))
    assert list(tmp_path.iterdir()) == []


def test_what_is_opened_stays_as_it_was_and_its_relations_outlive_it(bench):
    ws = bench.open()
    relation, run = ws.sql("SELECT count(*) FROM run"), one(ws, NETWORK)
    with Ledger.open(bench.workspace) as ledger:
        ledger.register(
            StudyRow("later", "", "", ""), [RunRow("n", "nads", {"kind": "nads", "model": {"kind": "tape"}})]
        )
        publish(ledger, bench.workspace.results)
    assert relation.fetchall() == ws.sql("SELECT count(*) FROM run").fetchall() == [(8,)]
    assert run.metrics.fetchall()
    del ws, run
    gc.collect()
    assert relation.fetchall() == [(8,)]
    later = bench.open()
    assert later.sql("SELECT count(*) FROM run").fetchall() == [(9,)]
    odd = one(later, "run_id = 'n'")
    assert repr(odd) == "n planned nads tape"
    with pytest.raises(LinstudyError, match=r"nads n: another version of linstudy stored its spec"):
        odd.network()


def content(folder):
    return {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in folder.rglob("*")}


HOLDER = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def test_it_reads_beside_a_study_that_runs_and_leaves_the_workspace_as_it_was(bench):
    command = [sys.executable, "-c", HOLDER, str(bench.workspace.ledger)]
    with bench.workspace.lock(), subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout.readline() == "held\n"
        for folder in (bench.workspace.root, *filter(lambda path: path.is_dir(), bench.workspace.root.rglob("*"))):
            folder.chmod(0o555)
        before = content(bench.workspace.root)
        run = one(bench.open(), NETWORK)
        run.network(), run.data(), run.spectrum(), run.linearization(), run.metrics.fetchall()
        assert content(bench.workspace.root) == before
        process.stdin.close()


@pytest.mark.parametrize(
    "damage", [lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\7"), lambda path: path.unlink()]
)
def test_a_damaged_file_is_refused_whatever_is_accepted(bench, damage):
    ws = bench.open(accept_changes=True)
    run = one(ws, NETWORK)
    damage(bench.artifact(run.run_id, CHECKPOINT, 3))
    with pytest.raises(LinstudyError) as caught:
        run.network(3)
    told = rf"training {run.run_id}: .*safetensors: (damaged, SHA-256|cannot be read).*linstudy run small --workspace "
    assert re.match(told, str(caught.value))
    run.network(2)
    damage(bench.artifact(run.needs["spectrum"], "spectrum"))
    for call in (run.spectrum, run.data):
        with pytest.raises(LinstudyError, match="safetensors: (damaged|cannot be read)"):
            call()


def test_an_artifact_that_came_not_along_is_named(bench):
    with Ledger.open(bench.workspace) as ledger:
        ledger.forget(ledger.paths())
        publish(ledger, bench.workspace.results)
    run = one(bench.open(), NETWORK)
    missing = rf"spectrum is missing. Make it again: linstudy run small --workspace {bench.workspace.root}"
    for call in (run.spectrum, run.data):
        with pytest.raises(LinstudyError, match=missing):
            call()
    assert run.epochs == (0,)


def edit(module, old, new):
    text = module.read_text()
    assert old in text
    module.write_text(text.replace(old, new))


def test_changed_code_is_refused_unless_it_is_accepted(bench):
    module, run = bench.folder / "loaded_nets.py", one(bench.open(), NORMED)
    edit(module, "class Net", "# A comment changes nothing\nclass Net")
    x = jnp.asarray(run.data().inputs[0])
    expected = run.network()(x)
    edit(module, "jnp.tanh(x)", "jnp.sin(x)")
    for call in (run.network, run.stateful_network, run.linearization):
        with pytest.raises(LinstudyError) as caught:
            call()
        assert str(caught.value) == (
            f"training {run.run_id}: changed since it was run: model loaded_nets. "
            f"To take what is there now: linstudy.open('{bench.workspace.root}', accept_changes=True)"
        )
    run.data(), run.metrics.fetchall()
    accepting = one(bench.open(accept_changes=True), NORMED)
    with (
        pytest.warns(UserWarning, match="changed since it was run: model loaded_nets. What is there now is taken"),
        pytest.raises(LinstudyError, match=r"the module loaded_nets was imported before its file changed\. Restart"),
    ):
        accepting.network()
    importlib.reload(sys.modules["loaded_nets"])
    with pytest.warns(UserWarning, match="model loaded_nets"):
        assert accepting.network()(x) != expected


def test_code_that_is_back_as_it_was_is_not_taken_from_an_import_of_the_changed_one(bench):
    """What the file says is what was run, and what the process has imported is not."""
    module, run = bench.folder / "loaded_nets.py", one(bench.open(accept_changes=True), NORMED)
    edit(module, "jnp.tanh(x)", "jnp.sin(x)")
    with pytest.warns(UserWarning, match="model loaded_nets"):
        run.network()
    edit(module, "jnp.sin(x)", "jnp.tanh(x)")
    with pytest.raises(LinstudyError, match=r"imported before its file changed\. .*importlib.reload\(loaded_nets\)"):
        run.network()


def test_changed_data_are_refused_unless_they_are_accepted(bench):
    run = one(bench.open(), NETWORK)
    before = run.data().train_inputs
    bench.write_samples(seed=1)
    with pytest.raises(LinstudyError, match=rf"training {run.run_id}: changed since it was run: data\. To take"):
        one(bench.open(), NETWORK).data()
    run.network(), run.spectrum(), run.linearization()
    accepting = one(bench.open(accept_changes=True), NETWORK)
    with pytest.warns(UserWarning, match="What is there now is taken") as told:
        after = accepting.data().train_inputs
    assert [str(warning.message).partition(":")[0] for warning in told] == [
        "changed since it was run",
        "the arrays of the data are not those of an earlier attempt at this run",
    ]
    assert before.shape == after.shape
    assert not np.array_equal(before, after)


def test_arrays_that_are_not_what_was_loaded_are_refused_though_their_file_is_the_same(bench):
    """As another version of a decoder makes them."""
    with Ledger.open(bench.workspace) as ledger:
        with ledger.session() as session:
            session.execute("UPDATE attempt SET fingerprint = repeat('0', 64)")
        publish(ledger, bench.workspace.results)
    with pytest.raises(LinstudyError, match=r"fingerprint \w{16} now, 0{16} then.* accept_changes=True"):
        one(bench.open(), NETWORK).data()


def test_a_run_of_other_numerics_is_refused_unless_it_is_accepted(ws, run_study, monkeypatch):
    monkeypatch.setitem(NUMERICS, "training", -1)
    with pytest.raises(LinstudyError, match="made by another version of linstudy, whose numbers can differ. To take"):
        one(ws, NETWORK).network()
    with pytest.warns(UserWarning, match="made by another version"):
        one(run_study.open(accept_changes=True), NETWORK).network()


def test_what_cannot_be_opened_is_explained(run_study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LinstudyError, match=rf"{tmp_path} is no workspace: there is no results.duckdb in it"):
        linstudy.open()
    changed = tmp_path / "results.duckdb"
    shutil.copyfile(run_study.workspace.results, changed)
    with duckdb.connect(changed) as connection:
        connection.execute("UPDATE ledger_version SET schema_version = 99")
    with pytest.raises(LinstudyError, match=r"has schema version 99; .*\. Install the linstudy that wrote it"):
        linstudy.open()
    elsewhere = one(linstudy.open(run_study.workspace.root), NETWORK)
    with pytest.raises(LinstudyError) as caught:
        elsewhere.data()
    told = f'there is no "samples.npz" in the study folder ("{tmp_path}")'
    assert told in str(caught.value)
    assert "linstudy.open(PATH, study_folder=…, data=…)" in str(caught.value)


def test_the_data_folder_is_an_argument_or_of_the_environment(run_study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expected = one(run_study.open(), NETWORK).data().inputs
    root = run_study.workspace.root
    np.testing.assert_array_equal(one(linstudy.open(root, data=run_study.folder), NETWORK).data().inputs, expected)
    monkeypatch.setenv("LINSTUDY_DATA", str(run_study.folder))
    np.testing.assert_array_equal(one(linstudy.open(root), NETWORK).data().inputs, expected)


def test_the_example_of_the_readme_runs(run_study, monkeypatch, capsys):
    monkeypatch.chdir(run_study.folder)
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    [code] = [
        part.split("```")[0] for part in readme.split("```python\n")[1:] if "linstudy.open(" in part.split("```")[0]
    ]
    found = {}
    exec(
        compile(
            code.replace("status = 'done'", "data_kind = 'npz'").replace('open(".")', 'open("results")'),
            "README.md",
            "exec",
        ),
        found,
    )
    accuracy = "name = 'accuracy' AND split = 'test' AND epoch = 3"
    [(stored,)] = found["run"].metrics.filter(accuracy).select("value").fetchall()
    *_, epochs, distance = capsys.readouterr().out.splitlines()
    assert float(epochs.split()[-1]) == pytest.approx(stored)
    assert float(distance) > 0


LIGHT = """
import sys, linstudy
ws = linstudy.open(sys.argv[1])
assert ws.sql("FROM final").fetchall() and ws.runs("kind = 'training'")[0].metrics.fetchall()
print(*({"jax", "sklearn", "scipy", "matplotlib"} & {*sys.modules}))
"""


def test_numbers_are_read_without_jax(run_study):
    command = [sys.executable, "-c", LIGHT, str(run_study.workspace.root)]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "\n"
