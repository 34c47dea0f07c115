"""The README says what is there: every command, kind, metric and table, and its queries and code run."""

import re
from pathlib import Path

import pytest

from linstudy import metrics
from linstudy.cli import cli
from linstudy.data.kinds import KINDS as DATA
from linstudy.facts import Ending, Number, Report, Vector
from linstudy.metrics import METRICS
from linstudy.models.network import KINDS as MODELS
from linstudy.probes.kinds import PROBES
from linstudy.spec.points import load_study
from linstudy.spec.study import study_schema
from linstudy.store.ledger import Ledger
from linstudy.store.query import query
from linstudy.store.rows import RunRow, StudyRow
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace
from linstudy.tasks.kinds import KINDS as TASKS
from linstudy.train.optimizer import OPTIMIZERS, SCHEDULES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", [*DATA, *MODELS, *TASKS, *PROBES, *OPTIMIZERS, *SCHEDULES])
def test_every_kind_is_documented(name):
    assert f"`{name}`" in README


@pytest.mark.parametrize("name", list(cli.commands))
def test_every_command_is_documented_and_has_an_example(name):
    assert f"`linstudy {name}" in README
    assert f"linstudy {name}" in cli.commands[name].epilog


@pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
def test_every_metric_is_documented(metric):
    assert f"| `{metric.name}` | {metric.unit} | {metric.meaning} |" in README


def test_every_table_and_view_is_documented(tmp_path):
    with Ledger.open(Workspace(tmp_path)) as ledger:
        publish(ledger, tmp_path / "results.duckdb")
    rows = query(tmp_path / "results.duckdb", "SELECT table_name FROM information_schema.tables").rows
    assert {name for (name,) in rows} - {"ledger_version"} <= set(re.findall(r"`(\w+)`", README))


def test_the_study_that_is_shown_is_the_committed_one():
    shown = README.split("```yaml\n")[1].split("```")[0]
    assert shown == (ROOT / "studies" / "kernel_rotation.yaml").read_text()


def test_the_committed_schema_is_current():
    import json

    assert json.loads((ROOT / "studies" / "schema.json").read_text()) == study_schema()


@pytest.mark.parametrize("path", sorted((ROOT / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_study_is_valid_for_linstudy_and_for_an_editor(path):
    import jsonschema

    from linstudy.spec.document import read_document

    assert path.read_text().startswith("# yaml-language-server: $schema=schema.json\n")
    load_study(path)
    jsonschema.validate(read_document(path).tree, study_schema())


def readme_queries():
    block = next(part.split("```")[0] for part in README.split("```sql\n")[1:])
    return [text for text in block.split(";") if text.strip()]


def training(seed, rate=0.05):
    spec = {"kind": "training", "model": {"kind": "lenet"}, "task": {"kind": "eigenfunction", "index": 50}}
    spec |= {"train": {"optimizer": {"learning_rate": rate}}, "seed": seed}
    return RunRow(f"t{rate}{seed}", "training", spec, setting_id=f"training at {rate}")


def spectrum(seed):
    return RunRow(
        f"s{seed}", "spectrum", {"kind": "spectrum", "model": {"kind": "lenet"}, "seed": seed}, setting_id="s"
    )


def probe(seed):
    spec = {**training(seed).spec, "kind": "probe", "probe": {"kind": "alignment"}}
    return RunRow(f"p{seed}", "probe", spec, setting_id="p")


@pytest.fixture
def results(tmp_path):
    """Of each kind of run one that is done, and others that are not: each with numbers that would spoil a mean."""
    endings = {0: "done", 1: "failed", 2: "diverged", 3: "interrupted", 4: None}
    with Ledger.open(Workspace(tmp_path)) as ledger:
        runs = [make(seed) for seed in endings for make in (training, spectrum, probe)] + [training(0, rate=0.5)]
        ledger.register(StudyRow("s", "", "", ""), runs)
        for run in runs:
            outcome = endings[run.spec["seed"]]
            facts = _numbers(run, 4000, 0.75) if outcome == "done" else _numbers(run, 1246, 0.0)
            if outcome:
                facts.append(Ending(outcome, f"ended as {outcome}"))
            ledger.record(Report(ledger.begin(run.run_id, {}), tuple(facts)))
        ledger.flush()
        publish(ledger, tmp_path / "results.duckdb")
    return tmp_path / "results.duckdb"


def _numbers(run, last, accuracy):
    if run.kind == "training":
        return [
            Number(metrics.ACCURACY, accuracy, "test", last, last),
            Number(metrics.LOSS, float("nan") if run.spec["seed"] else 0.5, "train", 0, 0),
        ]
    if run.kind == "spectrum":
        return [Vector(metric, [2.0, 1.0]) for metric in (metrics.EIGENVALUES, metrics.GAPS)]
    return [Vector(metrics.ALIGNMENT, row, epoch=epoch) for epoch, row in ((0, [1.0, 1.0]), (last, [2.0, 3.0]))]


def test_the_queries_answer_from_what_is_done_alone(results):
    accuracy, missing, loss, spectra, growths, ahead = (query(results, text).rows for text in readme_queries())
    assert accuracy == [("learning_rate 0.05", 1, 0.75), ("learning_rate 0.5", 1, 0.75)]
    assert len(missing) == 3 * 4
    assert {row[0] for row in missing} == {"failed", "diverged", "interrupted", "running"}
    assert loss == [("training at 0.05", 0, 0.5, 1), ("training at 0.5", 0, 0.5, 1)]
    assert spectra == [("s", "lenet", 0, 1, 2.0, 2.0), ("s", "lenet", 0, 2, 1.0, 1.0)]
    assert growths == [("p", "lenet", 50, 0, 2, 3.0)]
    assert ahead == []


def test_final_says_which_epoch_its_numbers_are_of(results):
    sql = "SELECT status, epoch, test_accuracy FROM final WHERE run_id LIKE 't0.05%' ORDER BY run_id"
    assert query(results, sql).rows == [
        ("done", 4000, 0.75),
        *((status, 1246, 0.0) for status in ("failed", "diverged", "interrupted", "running")),
    ]


def test_the_queries_run_on_an_empty_workspace(tmp_path):
    with Ledger.open(Workspace(tmp_path)) as ledger:
        publish(ledger, tmp_path / "results.duckdb")
    queries = readme_queries()
    assert len(queries) == 6
    for text in queries:
        assert query(tmp_path / "results.duckdb", text).rows == []


def test_the_library_example_runs(capsys):
    [code] = [part.split("```")[0] for part in README.split("```python\n")[1:] if "ntk_gram" in part.split("```")[0]]
    exec(compile(code, "README.md", "exec"), {})
    assert float(capsys.readouterr().out) == pytest.approx(1, abs=1e-4)


@pytest.mark.product_settings
def test_the_example_of_an_own_model_keeps_the_contract(tmp_path, monkeypatch):
    import jax
    import numpy as np

    from linstudy.models.network import make_network
    from linstudy.models.parts import model_warnings
    from linstudy.spec.model import ImportModel
    from linstudy.spec.train import Train
    from linstudy.tangent import freeze, ntk_gram
    from linstudy.tasks.labelled import Labelled
    from linstudy.train.fit import fit
    from linstudy.train.learner import Course
    from linstudy.train.network import NetworkLearner

    [code] = [part.split("```")[0] for part in README.split("```python\n")[1:] if "def make(" in part.split("```")[0]]
    (tmp_path / "readme_nets.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    spec = ImportModel(kind="import", factory="readme_nets:make", arguments={"width": 4})
    model, state = make_network(spec, (2, 5, 5), 0)
    assert model_warnings(model) == []
    inputs = np.random.default_rng(0).normal(size=(24, 2, 5, 5)).astype(np.float32)
    labels = np.where(np.arange(24) % 2, 1.0, -1.0).astype(np.float32)
    course = Course(Labelled(inputs[:16], labels[:16], inputs[16:], labels[16:]), Train(epochs=1, batch_size=8), 0)
    *_, (result,) = fit([NetworkLearner(model, state, jax.numpy.asarray(inputs), course)], 1)
    assert result.finite
    assert result.step == 2
    told = []
    assert np.linalg.eigvalsh(ntk_gram(freeze(model, state), inputs, chose=told.append))[-1] > 0
    assert told == ["structured"]
