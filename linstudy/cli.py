"""The command line: parse, call, print. Heavy modules are imported by the command that needs them."""

import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from linstudy import __version__
from linstudy.failures import reporting

STUDY = click.argument("study", type=click.Path(path_type=Path))
WORKSPACE = click.option(
    "--workspace",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("."),
    help="Folder of the results.  [default: the current one]",
)
DATA = click.option(
    "--data",
    "data_folder",
    envvar="LINSTUDY_DATA",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the data sets (LINSTUDY_DATA).  [default: the platform's cache]",
)
PROFILE = click.option("--profile", help="Apply one of the study's profiles.")
SET = click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Replace a value; repeatable.")
REPORTS = click.option(
    "--reports",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("reports"),
    help="Folder of the figures' and claims' SQL.  [default: reports]",
)
OUT = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to write.  [default: report/ in the workspace]",
)


def _example(text: str) -> Callable[[Any], Any]:
    def add(command: Any) -> Any:
        command.epilog = f"\b\nExample:\n  {text}"
        return command

    return add


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="linstudy")
def cli() -> None:
    """When does the linear (NTK) picture of a network say something true about it?"""


@_example("linstudy run studies/kernel_rotation.yaml --set train.epochs=200")
@cli.command()
@STUDY
@PROFILE
@SET
@WORKSPACE
@DATA
@click.option(
    "--workers", type=click.IntRange(min=1), help="Worker processes.  [default: one per accelerator, else one]"
)
@click.option("--device", help="cpu, gpu or another platform of JAX.  [default: the best there is]")
@click.option("--again", is_flag=True, help="Run also what is done.")
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=60.0,
    help="Seconds that workers have to stop after Ctrl-C before they are killed.  [default: 60]",
)
@click.option("--fuse/--no-fuse", default=True, help="Whether runs of one shape train together.  [default: --fuse]")
def run(
    study: Path,
    profile: str | None,
    overrides: tuple[str, ...],
    workspace: Path,
    data_folder: Path | None,
    workers: int | None,
    device: str | None,
    again: bool,
    grace: float,
    fuse: bool,
) -> None:
    """Run what is missing of STUDY. Ctrl-C publishes and stops, the same command resumes."""
    from linstudy.execute.coordinator import Options, execute
    from linstudy.execute.devices import worker_shares
    from linstudy.execute.display import LiveDisplay, PlainDisplay
    from linstudy.execute.local import local_workers
    from linstudy.execute.planning import planned
    from linstudy.store.workspace import Workspace

    loaded, plan = planned(study, profile, overrides, data_folder)
    display = LiveDisplay() if sys.stdout.isatty() else PlainDisplay(click.echo)
    options = Options(worker_shares(workers, device), again, fuse, grace)
    here = local_workers(Workspace(workspace), loaded, data_folder)
    try:
        summary = execute(loaded, plan, Workspace(workspace), display, options, here)
    finally:
        display.close()
    display.note(f"{summary}\nResults: {Workspace(workspace).results}")
    if summary.interrupted:
        display.note("The same command goes on from here.")
        sys.exit(130)
    if summary.failed:
        display.note("The same command tries again what failed; `linstudy status` shows why it did.")
        sys.exit(1)


@_example("linstudy plan studies/kernel_rotation.yaml")
@cli.command()
@STUDY
@PROFILE
@SET
@WORKSPACE
@DATA
def plan(
    study: Path, profile: str | None, overrides: tuple[str, ...], workspace: Path, data_folder: Path | None
) -> None:
    """List the runs of STUDY, what each needs, and whether it is done. Nothing is run."""
    from linstudy.execute.planning import planned, told
    from linstudy.store.workspace import Workspace

    _, runs = planned(study, profile, overrides, data_folder)
    for line in told(runs, Workspace(workspace)):
        click.echo(line)


@_example("linstudy status --failed")
@cli.command()
@WORKSPACE
@click.option("--failed", is_flag=True, help="Only what failed, with tracebacks.")
def status(workspace: Path, failed: bool) -> None:
    """Show how the studies of a workspace stand."""
    from linstudy.execute.standing import failures, standing
    from linstudy.store.workspace import Workspace

    for line in (failures if failed else standing)(Workspace(workspace)):
        click.echo(line)


@_example('linstudy query "SELECT model_kind, avg(test_accuracy) FROM final JOIN runs USING (run_id) GROUP BY ALL"')
@cli.command()
@click.argument("sql")
@WORKSPACE
@click.option("--format", "format_", type=click.Choice(["table", "csv", "json", "parquet"]), default="table")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write, instead of the terminal.")
def query(sql: str, workspace: Path, format_: str, out: Path | None) -> None:
    """Answer SQL, or the SQL in a file, from the results. Nothing is ever written by it."""
    from linstudy.store.query import export_parquet
    from linstudy.store.query import query as ask
    from linstudy.store.render import render
    from linstudy.store.workspace import Workspace

    results = Workspace(workspace).results
    text = Path(sql).read_text(encoding="utf-8") if sql.endswith(".sql") else sql
    if format_ == "parquet":
        with out.open("wb") if out else nullcontext(sys.stdout.buffer) as binary:
            export_parquet(results, text, binary)
    else:
        answer = ask(results, text)
        with out.open("w", encoding="utf-8") if out else nullcontext(sys.stdout) as stream:
            render(answer, format_, stream)


@_example("linstudy figure kernel_rotation --out figures")
@cli.command()
@click.argument("name")
@WORKSPACE
@REPORTS
@OUT
def figure(name: str, workspace: Path, reports: Path, out: Path | None) -> None:
    """Draw one figure from the results."""
    from linstudy.report.figures import draw
    from linstudy.store.workspace import Workspace

    click.echo(draw(name, Workspace(workspace).results, reports, out or workspace / "report"))


@_example("linstudy report")
@cli.command()
@WORKSPACE
@REPORTS
@OUT
def report(workspace: Path, reports: Path, out: Path | None) -> None:
    """Draw every figure that has rows, and write one page of claims with the queries that decide them."""
    from linstudy.report.page import write_report
    from linstudy.store.workspace import Workspace

    for line in write_report(Workspace(workspace).results, reports, out or workspace / "report"):
        click.echo(line)


@_example("linstudy schema > studies/schema.json")
@cli.command()
def schema() -> None:
    """Print the JSON Schema of a study file, for editors."""
    import json

    from linstudy.spec.study import study_schema

    click.echo(json.dumps(study_schema(), indent=2, ensure_ascii=False))


@_example("linstudy doctor")
@cli.command()
@WORKSPACE
@DATA
def doctor(workspace: Path, data_folder: Path | None) -> None:
    """Check the installation: versions, devices, data, whether a small gradient is right."""
    from linstudy.execute.doctor import diagnose

    healthy = True
    for line, fine in diagnose(workspace, data_folder):
        healthy &= fine
        click.echo(f"{'ok ' if fine else 'NO '} {line}")
    sys.exit(0 if healthy else 1)


def main() -> None:
    """Entry point: expected failures are one message, others a log file."""
    with reporting(sys.argv):
        cli(prog_name="linstudy")
