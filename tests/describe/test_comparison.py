from dataclasses import dataclass

import pytest

from linstudy import metrics
from linstudy.describe.comparison import describe_comparison
from linstudy.facts import Ending, Method, Number, Report
from linstudy.spec.errors import LinstudyError
from linstudy.store.ledger import Ledger
from linstudy.store.rows import RunRow, StudyRow
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace
from linstudy.text.layout import in_columns

STUDY = "study: small\ndata: {kind: digits}\nmodel: {kind: mlp}\nprofiles: {long: {train: {epochs: 300}}}\n"


@dataclass(frozen=True)
class Made:
    """A training that is stored, as it is told to be."""

    index: int
    rate: float
    seed: int
    accuracy: float | None = None
    status: str = "done"

    @property
    def run_id(self):
        return f"{self.index:02}{round(self.rate * 100):02}{self.seed:02}".ljust(16, "a")

    @property
    def row(self):
        spec = {"kind": "training", "task": {"index": self.index}, "train": {"rate": self.rate}, "seed": self.seed}
        return RunRow(self.run_id, "training", spec, (), '{"data": "d1"}', f"{self.run_id[:4]}".ljust(16, "b"))


def store(folder, **variants):
    """A workspace in which study `s` has variants of some trainings."""
    workspace = Workspace(folder)
    with Ledger.open(workspace) as ledger:
        for variant, runs in variants.items():
            ledger.register(StudyRow("s", variant, "", ""), [run.row for run in runs])
            for run in runs:
                if run.accuracy is not None:
                    attempt = ledger.begin(run.run_id, {"device": f"device {run.seed}", "git_commit": "c0"})
                    number = Number(metrics.ACCURACY, run.accuracy, "test", 3, 3)
                    facts = (Method("gram", "tiles"), number, Ending(run.status, "odd"))
                    ledger.record(Report(attempt, facts))
        ledger.flush()
        publish(ledger, workspace.results)
    return workspace


def compared(workspace, one, other, width=200):
    return [*describe_comparison((one, other), workspace, None, width)]


def test_two_runs(tmp_path):
    workspace = store(tmp_path, a=[Made(1, 0.1, 0, 0.75), Made(1, 0.5, 1, 0.5, "failed")])
    assert compared(workspace, "0110", "0150") == [
        "            011000aaaaaaaaaa  015001aaaaaaaaaa",
        "train.rate  0.1               0.5",
        "seed        0                 1",
        "device      device 0          device 1",
        "",
        "training, last numbers",
        "               011000aaaaaaaaaa  015001aaaaaaaaaa  change",
        "test_accuracy  0.75              0.5               -0.25",
    ]


def test_two_settings_of_which_what_is_done_counts(tmp_path):
    runs = [Made(1, 0.1, 0, 0.5), Made(1, 0.1, 1, 0.7), Made(1, 0.1, 2, 0.0, "failed"), Made(1, 0.5, 0, 0.9)]
    assert compared(store(tmp_path, a=runs), "0110b", "0150b") == [
        "            0110bbbbbbbbbbbb  0150bbbbbbbbbbbb",
        "runs        3                 1",
        "train.rate  0.1               0.5",
        "seed        0, 1, 2           0",
        "",
        "training, last numbers",
        "               0110bbbbbbbbbbbb  0150bbbbbbbbbbbb  change",
        "test_accuracy  0.6 ± 1.3 (2)     0.9               +0.3",
        "(n): the mean over the n seeds that are done, ± half of its 95 % interval",
    ]


def test_two_variants_have_their_settings_beside_each_other(tmp_path):
    slow = [Made(index, 0.1, 0, index / 10) for index in (1, 2, 3)]
    fast = [Made(1, 0.5, 0, 0.4), Made(2, 0.5, 0)]
    assert compared(store(tmp_path, **{"": slow, "fast": fast}), "s", "s:fast") == [
        "            s        s:fast",
        "runs        3        2",
        "task.index  1, 2, 3  1, 2",
        "train.rate  0.1      0.5",
        "",
        "training task.index=1, last numbers",
        "               s    s:fast  change",
        "test_accuracy  0.1  0.4     +0.3",
        "",
        "training task.index=2, last numbers",
        "               s    s:fast  change",
        "test_accuracy  0.2  none",
        "1 settings have no counterpart of the other side, and are left out",
    ]


def test_profiles_that_were_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(STUDY)
    assert compared(Workspace(tmp_path), "small", "small:long") == [
        "              small  small:long",
        "runs          1      1",
        "train.epochs  100    300",
        "1 of 1 pairs of settings have no numbers yet",
    ]
    assert compared(Workspace(tmp_path), "small", "small:train.epochs=100")[2] == "no field differs"


@pytest.mark.parametrize(
    ("one", "message"),
    [
        ("ffff", "no run of the workspace begins with ffff"),
        ("0110", "2 runs begin with 0110"),
        ("what", "no study"),
        ("s:b", 'study s has no variant "b" in the workspace. Allowed: "a"'),
    ],
)
def test_what_is_not_there(tmp_path, one, message):
    workspace = store(tmp_path, a=[Made(1, 0.1, 0), Made(1, 0.1, 1)])
    with pytest.raises(LinstudyError, match=message):
        compared(workspace, one, one)


def test_columns_that_do_not_fit_are_blocks():
    rows = [("", "left", "right"), ("a", "1", "22"), ("b", "", "3")]
    assert [*in_columns(rows, 14)] == ["   left  right", "a  1     22", "b        3"]
    assert [*in_columns(rows, 13)] == ["a", "    left: 1", "    right: 22", "b", "    right: 3"]
