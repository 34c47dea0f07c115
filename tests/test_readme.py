"""The README says what is there: every command, kind, metric and table, and its queries and code run."""

import re
from pathlib import Path

import pytest

from linstudy.cli import cli
from linstudy.data.kinds import KINDS as DATA
from linstudy.metrics import METRICS
from linstudy.models.network import KINDS as MODELS
from linstudy.probes.kinds import PROBES
from linstudy.spec.points import load_study
from linstudy.spec.study import study_schema
from linstudy.store.ledger import Ledger
from linstudy.store.query import query
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
    internal = {"ledger_version", "batch"}
    assert {name for (name,) in rows} - internal <= set(re.findall(r"`(\w+)`", README))


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


def test_the_queries_run(tmp_path):
    with Ledger.open(Workspace(tmp_path)) as ledger:
        publish(ledger, tmp_path / "results.duckdb")
    block = next(part.split("```")[0] for part in README.split("```sql\n")[1:])
    queries = [text for text in block.split(";") if text.strip()]
    assert len(queries) == 5
    for text in queries:
        query(tmp_path / "results.duckdb", text)


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
