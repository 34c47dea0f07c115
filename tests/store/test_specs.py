"""Specs that an earlier linstudy stored, which lack a field that specs have now."""

import json

import pytest

from linstudy import metrics
from linstudy.facts import Ending, Number
from linstudy.spec.stored import read_spec
from linstudy.store.exchange import export_tables
from linstudy.store.ledger import Ledger
from linstudy.store.merge import merged_results
from linstudy.store.query import query
from linstudy.store.rows import RunRow
from linstudy.store.snapshot import publish


def spec(**train):
    """A training of LeNet, as it is stored today."""
    text = {"kind": "training", "data": {"kind": "digits"}, "model": {"kind": "lenet"}, "train": train, "seed": 0}
    return read_spec(json.dumps({**text, "task": {"kind": "binary_classes"}})).model_dump(mode="json")


def earlier(**train):
    """The same, as it was stored before LeNet could be widened."""
    stored = spec(**train)
    return {**stored, "model": {name: value for name, value in stored["model"].items() if name != "widen"}}


@pytest.fixture
def old(ledger, workspace, study, tell):
    """A workspace whose network was stored by an earlier linstudy, and its linearization by this one."""
    network, linear = earlier(epochs=2), spec(epochs=2, linearize={"at": "init"})
    unread = {"kind": "training", "model": {"kind": "of old"}, "seed": 0}
    ledger.register(study, [RunRow("n", "training", network), RunRow("l", "training", linear)])
    ledger.register(study, [RunRow("u", "training", unread)])
    for run, accuracy in (("n", 0.75), ("l", 0.5)):
        tell(run, Number(metrics.ACCURACY, accuracy, "test", 2, 10), Ending("done"))
    publish(ledger, workspace.results)
    ledger.close()
    return workspace


ADVANTAGES = "SELECT run_id, linearization, advantage FROM comparisons"


def test_a_network_of_an_earlier_linstudy_is_compared_with_its_linearization(old):
    assert query(old.results, ADVANTAGES).rows == []
    with Ledger.open(old) as ledger:
        publish(ledger, old.results)
    assert query(old.results, ADVANTAGES).rows == [("n", "l", 0.25)]
    assert query(old.results, "SELECT DISTINCT model_widen FROM trainings").rows == [(1,)]


def test_so_it_is_where_an_export_is_read(old, tmp_path):
    export_tables(old.results, tmp_path / "exported")
    with merged_results([tmp_path / "exported"]) as results:
        assert query(results, ADVANTAGES).rows == [("n", "l", 0.25)]


def test_one_that_is_not_read_keeps_no_other_of_its_form_from_it(ledger, workspace, study):
    unread = earlier(epochs=2)
    unread["train"] = {**unread["train"], "schedule": "of old"}
    runs = [RunRow(name, "training", text) for name, text in (("a", unread), ("b", earlier(epochs=2)))]
    ledger.register(study, runs)
    ledger.close()
    with Ledger.open(workspace) as opened, opened.session() as session:
        found = dict(session.execute("SELECT run_id, spec::VARCHAR FROM run").fetchall())
    assert json.loads(found["a"]) == unread
    assert json.loads(found["b"]) == spec(epochs=2)


def test_a_spec_that_is_not_read_stays(old):
    with Ledger.open(old) as ledger, ledger.session() as session:
        [(stored,)] = session.execute("SELECT spec::VARCHAR FROM run WHERE run_id = 'u'").fetchall()
        today = dict(session.execute("SELECT run_id, spec::VARCHAR FROM run WHERE run_id <> 'u'").fetchall())
    assert json.loads(stored) == {"kind": "training", "model": {"kind": "of old"}, "seed": 0}
    assert json.loads(today["n"]) == spec(epochs=2)
