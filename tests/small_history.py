"""A small workspace that no study made: a spectrum, a training that failed and was run again, and a planned probe."""

from linstudy import metrics
from linstudy.facts import CHECKPOINT, Artifact, Ending, Method, Notice, Number, Report, Vector
from linstudy.store.ledger import Ledger
from linstudy.store.rows import RunRow, StudyRow
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace

SPECTRUM, TRAINING, PROBE = "5a" * 8, "7b" * 8, "7c" * 8
PARTS = {"data": {"kind": "digits", "train": 9}, "model": {"kind": "mlp"}}
TASK = {"task": {"kind": "eigenfunction", "index": 3}, "train": {"epochs": 4}}
RUNS = [
    RunRow(SPECTRUM, "spectrum", {"kind": "spectrum", **PARTS, "seed": 0}, (), None, "e0" * 8),
    RunRow(
        TRAINING,
        "training",
        {"kind": "training", **PARTS, **TASK, "seed": 0},
        (("spectrum", SPECTRUM),),
        '{"data": "digits-1", "model": {"nets.layers": "0123456789abcdef0123"}}',
        "e1" * 8,
    ),
    RunRow(
        PROBE,
        "probe",
        {"kind": "probe", **PARTS, **TASK, "probe": {"kind": "alignment"}, "epochs": [4], "seed": 0},
        (("training", TRAINING), ("spectrum", SPECTRUM)),
    ),
]


def make_history(folder):
    """The workspace, published."""
    workspace = Workspace(folder)
    with Ledger.open(workspace) as ledger:
        ledger.register(StudyRow("small", "laptop", "", "study: small\n"), RUNS)
        attempt(ledger, SPECTRUM, Vector(metrics.EIGENVALUES, [2.0, 1.0]), Ending("done"))
        attempt(ledger, TRAINING, Number(metrics.LOSS, 0.7, "train", 0, 0), Ending("failed", "odd\nvery"))
        attempt(
            ledger,
            TRAINING,
            Method("training", "parameters"),
            Notice("a warning"),
            Number(metrics.LOSS, 0.5, "train", 4, 8),
            Number(metrics.LOSS, float("nan"), "test", 4, 8),
            Artifact(CHECKPOINT, "artifacts/0", "0" * 64, 2_000, 4),
            Ending("done"),
        )
        publish(ledger, workspace.results)
    return workspace


def attempt(ledger, run_id, *facts):
    """One try at a run, with its log."""
    environment = {"host": "here", "device": "cpu: any", "versions": {"jax": "0.10"}, "git_commit": "c0", "dirty": True}
    log = f".linstudy/logs/{run_id}-{ledger.next_attempt}.log"
    ledger.record(Report(ledger.begin(run_id, {**environment, "log": log}), facts))
    ledger.flush()
