"""Start-up of every command, and of imports."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import Candidate, calls
from settings import Settings
from table import Line, Section

from linstudy.cli import cli
from linstudy.store.ledger import Ledger
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "studies" / "kernel_rotation.yaml"

LEGEND = """Whole processes, from a workspace whose results are empty; "× ours" is over the interpreter alone."""

WORK = {
    "plan": ["plan", str(STUDY)],
    "status": ["status"],
    "query": ["query", "SELECT count(*) FROM runs"],
    "report": ["report", "--reports", str(ROOT / "reports")],
    "schema": ["schema"],
    "doctor": ["doctor"],
}
"""What is timed of a command beside its help."""

IMPORTS = ("linstudy.cli", "linstudy.spec.study", "linstudy.store.ledger", "linstudy.tangent", "jax")


def section(settings: Settings) -> Section:
    """The bare interpreter, the commands, the imports."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        with Ledger.open(workspace) as ledger:
            publish(ledger, workspace.results)
        candidates = [_process("python -c pass", ["-c", "pass"], folder), *_commands(settings, folder)]
        timings = settings.measure(candidates)
    floor = timings[0].seconds
    ratios = [timing.seconds / floor if timing.seconds and floor else None for timing in timings]
    lines = [
        Line("process", timing.name, timing.seconds, ratio, remark=timing.remark)
        for timing, ratio in zip(timings, ratios, strict=True)
    ]
    return Section("Start-up", LEGEND, lines)


def _commands(settings: Settings, folder: str) -> list[Candidate]:
    helps = [["--help"], *([name, "--help"] for name in sorted(cli.commands) if name not in WORK)]
    arguments = [*helps, *WORK.values()]
    imports = [_process(f"import {name}", ["-c", f"import {name}"], folder) for name in IMPORTS]
    every = [*(_process(_shown(words), ["-m", "linstudy", *words], folder) for words in arguments), *imports]
    return every[:2] if settings.smoke else every


def _shown(words: list[str]) -> str:
    return " ".join(["linstudy", *(Path(word).name if word.startswith("/") else word for word in words)])


def _process(name: str, arguments: list[str], folder: str) -> Candidate:
    def call() -> None:
        # the process that asks may hold an accelerator
        environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
        subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, check=True)

    return Candidate(name, calls(call))
