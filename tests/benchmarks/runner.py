"""What the runner itself costs: planning, handing out, recording and showing runs that take no time."""

import io
import tempfile
import time
from pathlib import Path

from settings import Settings
from table import Line, Section

from linstudy import metrics
from linstudy.describe.status import describe_studies
from linstudy.execute.coordinator import Options
from linstudy.execute.display import Display
from linstudy.execute.execution import execute
from linstudy.execute.screen import PlainScreen
from linstudy.execute.terminal import Terminal
from linstudy.facts import CHECKPOINT, Artifact, Ending, Fact, Fingerprint, Method, Number, Report
from linstudy.prepare.study import plan_study
from linstudy.store.query import query
from linstudy.store.workspace import Workspace
from linstudy.workers.contract import Inbox, Share, Worker, Workers
from linstudy.workers.messages import Assignment, Command, Hello, Start

LEGEND = """A study of that many trainings of no epochs, each with a seed of its own, executed by workers that report \
at once what such a training reports: all of the time is the runner's own. Trainings go alone (`--no-fuse`). `plan` is \
from the file to the runs."""

STUDY = """study: many
data: {{kind: digits, train: 64, test: 32}}
model: {{kind: mlp, hidden: [4]}}
train: {{epochs: 0}}
seeds: [{seeds}]
"""


def section(settings: Settings) -> Section:
    """Seconds in all and milliseconds a run."""
    count = 20 if settings.smoke else 10_000
    with tempfile.TemporaryDirectory() as folder:
        path, workspace = Path(folder, "study.yaml"), Workspace(Path(folder))
        path.write_text(STUDY.format(seeds=", ".join(map(str, range(count)))))
        start = time.perf_counter()
        study, plan = plan_study(path, None, (), None)
        made = time.perf_counter()
        display = Display(PlainScreen(Terminal(io.StringIO())))
        execute(study, plan, workspace, display, Options(fuse=False), _Instant())
        ran = time.perf_counter()
        list(describe_studies(workspace))
        stood = time.perf_counter()
        query(workspace.results, "SELECT model_kind, avg(train_loss) FROM runs JOIN final USING (run_id) GROUP BY ALL")
        asked = time.perf_counter()
        size = workspace.results.stat().st_size / 2**20
    setting = f"{count:,} runs"
    return Section(
        "Runner",
        LEGEND,
        [
            Line(setting, "plan", made - start, remark=f"{(made - start) / count * 1e3:.2f} ms a run"),
            Line(setting, "run", ran - made, remark=f"{(ran - made) / count * 1e3:.2f} ms a run"),
            Line(setting, "status", stood - ran),
            Line(setting, "a query over all runs", asked - stood, remark=f"results.duckdb: {size:.1f} MiB"),
        ],
    )


class _Instant(Workers):
    def places(self) -> list[Share]:
        return [Share()]

    def start(self, share: Share, inbox: Inbox) -> Worker:
        inbox.put((worker := _InstantWorker(inbox), Hello("none: no device", {})))
        return worker


class _InstantWorker(Worker):
    def __init__(self, inbox: Inbox):
        self._inbox = inbox

    def send(self, command: Command) -> None:
        for assignment in command.attempts if isinstance(command, Start) else ():
            for facts in _facts(assignment):
                self._inbox.put((self, Report(assignment.attempt, facts)))

    def kill(self) -> None:
        pass

    def close(self) -> None:
        pass


def _facts(assignment: Assignment) -> list[tuple[Fact, ...]]:
    """What a training of no epochs reports."""
    splits = [(metric, split) for split in ("train", "test") for metric in (metrics.LOSS, metrics.ACCURACY)]
    places = [*splits, (metrics.DISTANCE_L2, ""), (metrics.DISTANCE_COSINE, "")]
    numbers = [Number(metric, 0.5, split, 0, 0) for metric, split in places]
    state = Artifact(CHECKPOINT, f"artifacts/00/{assignment.run_id}.safetensors", "0" * 64, 0, 0)
    return [(Fingerprint("0" * 64),), (Method("training", "parameters"),), (*numbers, state), (Ending("done"),)]
