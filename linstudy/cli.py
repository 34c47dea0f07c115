"""The command line: parse, call, print. Heavy modules are imported by the command that needs them."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from linstudy import __version__
from linstudy.failures import FAILED, INTERRUPTED, Command, run_command

if TYPE_CHECKING:
    from linstudy.plan import Plan
    from linstudy.spec.points import Study


def _note_workspace(context: click.Context, parameter: click.Parameter, value: Path) -> Path:
    context.ensure_object(Command).workspace = value
    return value


STUDY = click.argument("study", type=click.Path(path_type=Path))
WORKSPACE = click.option(
    "--workspace",
    callback=_note_workspace,
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("."),
    help="Folder of the results.  [default: the current one]",
)
FORMATS = ("table", "csv", "json", "parquet")
DATA = click.option(
    "--data",
    "data_folder",
    envvar="LINSTUDY_DATA",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the data sets (LINSTUDY_DATA).  [default: the platform's cache]",
)
PROFILE = click.option("--profile", help="Apply one of the study's profiles.")
SET = click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Replace a value; repeatable.")
ONLY = click.option(
    "--only",
    "condition",
    metavar="CONDITION",
    help="Only runs for which this SQL over the columns of `runs` holds, and what they need.",
)
REPORTS = click.option(
    "--reports",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the figures' and claims' SQL.  [default: reports, or what linstudy comes with]",
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


class MemorySize(click.ParamType):
    """A size such as 12GB, in bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from linstudy.machine import parse_memory

        try:
            return value if isinstance(value, int) else parse_memory(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="linstudy")
def cli() -> None:
    """When does the linear (NTK) picture of a network say something true about it?"""


@_example("linstudy run kernel_rotation --set train.epochs=200")
@cli.command()
@STUDY
@PROFILE
@SET
@ONLY
@WORKSPACE
@DATA
@click.option(
    "--workers", type=click.IntRange(min=1), help="Worker processes.  [default: one per accelerator, else one]"
)
@click.option("--device", help="cpu, gpu or another platform of JAX.  [default: the best there is]")
@click.option(
    "--memory",
    type=MemorySize(),
    help="Memory that all workers together may use, as in 12GB.  [default: what machine, container or queue give]",
)
@click.option(
    "--scratch",
    type=click.Path(file_okay=False, exists=True, writable=True, path_type=Path),
    help="Folder for files that exceed memory.  [default: in the workspace]",
)
@click.option("--again", is_flag=True, help="Run also what is done.")
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    help="Seconds that workers have to stop after Ctrl-C before they are killed.  [default: 60]",
)
@click.option("--fuse/--no-fuse", default=True, help="Whether runs of one shape train together.  [default: --fuse]")
@click.pass_context
def run(
    context: click.Context,
    study: Path,
    profile: str | None,
    overrides: tuple[str, ...],
    condition: str | None,
    workspace: Path,
    data_folder: Path | None,
    workers: int | None,
    device: str | None,
    memory: int | None,
    scratch: Path | None,
    again: bool,
    grace: float | None,
    fuse: bool,
) -> None:
    """Run what is missing of STUDY: a file, or one of the names that `linstudy studies` lists.

    Ctrl-C publishes and stops, the same command resumes.
    """
    from linstudy.execute.coordinator import GRACE, Options
    from linstudy.execute.devices import worker_shares
    from linstudy.execute.display import make_display
    from linstudy.execute.execution import execute
    from linstudy.execute.local import local_workers
    from linstudy.execute.planning import select_runs
    from linstudy.execute.terminal import Terminal
    from linstudy.store.workspace import Workspace

    loaded, plan = _plan(study, profile, overrides, data_folder)
    terminal = Terminal(sys.stdout)
    selected = select_runs(loaded, plan, condition, Workspace(workspace))
    if selected is not plan:
        terminal.print(_selected(selected, plan))
    display = make_display(terminal)
    options = Options(worker_shares(workers, device, memory), again, fuse, GRACE if grace is None else grace, scratch)
    here = local_workers(Workspace(workspace), loaded, data_folder, scratch)
    try:
        summary = execute(loaded, plan, Workspace(workspace), display, options, here, selected)
    finally:
        display.close()
    terminal.print(f"{summary}\nResults: {Workspace(workspace).results}")
    if summary.interrupted:
        terminal.print("The same command goes on from here.")
        context.exit(INTERRUPTED)
    if summary.failed:
        terminal.print("The same command tries again what failed; `linstudy status` shows why it did.")
        context.exit(FAILED)


@_example("linstudy plan kernel_rotation")
@cli.command()
@STUDY
@PROFILE
@SET
@ONLY
@WORKSPACE
@DATA
def plan(
    study: Path,
    profile: str | None,
    overrides: tuple[str, ...],
    condition: str | None,
    workspace: Path,
    data_folder: Path | None,
) -> None:
    """List the runs of STUDY, a file or a name, what each needs, and whether it is done. Nothing is run."""
    from linstudy.execute.planning import describe_plan, select_runs, study_places
    from linstudy.store.workspace import Workspace

    loaded, runs = _plan(study, profile, overrides, data_folder)
    selected = select_runs(loaded, runs, condition, Workspace(workspace))
    for line in describe_plan(selected, Workspace(workspace), study_places(loaded.file, data_folder)):
        click.echo(line)
    if selected is not runs:
        click.echo(_selected(selected, runs))


@_example("linstudy studies")
@cli.command()
def studies() -> None:
    """List the studies that have a name: those of this folder and its studies/, and those that linstudy comes with."""
    from linstudy.spec.catalogue import describe_catalogue

    for line in describe_catalogue():
        click.echo(line)


@_example("linstudy status --failed")
@cli.command()
@WORKSPACE
@click.option("--failed", is_flag=True, help="Only what failed, with tracebacks.")
def status(workspace: Path, failed: bool) -> None:
    """Show how the studies of a workspace stand, and whether its report shows what it holds."""
    from linstudy.execute.status import describe_failures, describe_studies
    from linstudy.report.freshness import describe_report
    from linstudy.store.workspace import Workspace

    for describe in (describe_failures,) if failed else (describe_studies, describe_report):
        for line in describe(Workspace(workspace)):
            click.echo(line)


@_example('linstudy query "SELECT status, epoch, avg(test_accuracy) FROM final GROUP BY ALL"')
@cli.command()
@click.argument("sql")
@WORKSPACE
@click.option("--format", "format_", type=click.Choice(FORMATS), help="[default: that of --out's suffix, else table]")
@click.option("--out", type=click.Path(path_type=Path), help="File to write, .csv, .json or .parquet.")
def query(sql: str, workspace: Path, format_: str | None, out: Path | None) -> None:
    """Answer SQL, or the SQL in a file, from the results. Nothing is ever written into them."""
    from linstudy.store.export import choose_format, export, read_sql
    from linstudy.store.workspace import Workspace

    export(Workspace(workspace).results, read_sql(sql), choose_format(format_, out), out)


@_example("linstudy export results-of-monday --artifacts")
@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@WORKSPACE
@click.option("--artifacts", is_flag=True, help="Copy checkpoints, spectra and NADs along.")
def export(folder: Path, workspace: Path, artifacts: bool) -> None:
    """Write what is published as Parquet files into FOLDER, one a table."""
    from linstudy.store.artifacts import ArtifactStore
    from linstudy.store.exchange import export_tables
    from linstudy.store.workspace import Workspace

    source = Workspace(workspace)
    found = export_tables(source.results, folder, ArtifactStore(source.artifacts) if artifacts else None)
    copied = f", {found.artifacts} artifacts" if artifacts else ""
    click.echo(f"{folder}: {found.runs} runs, {found.rows:,} rows of numbers and vectors{copied}")


@_example("linstudy import results-of-monday results-of-tuesday")
@cli.command("import")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@WORKSPACE
@click.pass_context
def import_(context: click.Context, folders: tuple[Path, ...], workspace: Path) -> None:
    """Take exported FOLDERS into the workspace, run by run. What is done here stays; what differs is named."""
    from linstudy.store.merge import merge_exports
    from linstudy.store.workspace import Workspace

    differ = False
    for folder, merged in merge_exports(Workspace(workspace), folders):
        for line in (f"{folder}: {merged}", *merged.conflicts):
            click.echo(line)
        differ |= bool(merged.conflicts)
    click.echo(f"Results: {Workspace(workspace).results}")
    context.exit(FAILED if differ else 0)


@_example("linstudy figure kernel_rotation --out figures")
@cli.command()
@click.argument("name")
@WORKSPACE
@REPORTS
@OUT
def figure(name: str, workspace: Path, reports: Path | None, out: Path | None) -> None:
    """Draw one figure from the results."""
    from linstudy.report.figures import draw
    from linstudy.report.question import reports_folder
    from linstudy.store.workspace import Workspace

    click.echo(draw(name, Workspace(workspace).results, reports or reports_folder(), out or workspace / "report"))


@_example("linstudy report")
@cli.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@WORKSPACE
@REPORTS
@OUT
def report(folders: tuple[Path, ...], workspace: Path, reports: Path | None, out: Path | None) -> None:
    """Draw every figure that has rows, and write one page: claims and the queries that decide them, figures, tables.

    The rows are those of the workspace, or those of exported FOLDERS together.
    """
    from contextlib import nullcontext

    from linstudy.report.page import write_report
    from linstudy.report.question import reports_folder
    from linstudy.store.merge import merged_results
    from linstudy.store.workspace import Workspace

    results = merged_results(folders) if folders else nullcontext(Workspace(workspace).results)
    with results as path:
        # All of it is written before a reader of these lines, such as `head`, can end it.
        names = list(map(str, folders))
        lines = write_report(path, reports or reports_folder(), out or workspace / "report", names)
    for line in lines:
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
@REPORTS
@click.pass_context
def doctor(context: click.Context, workspace: Path, data_folder: Path | None, reports: Path | None) -> None:
    """Check the installation: versions, devices, folders, data, whether a small gradient is right."""
    from linstudy.execute.doctor import diagnose
    from linstudy.report.question import reports_folder

    healthy = True
    for finding in diagnose(workspace, data_folder, reports or reports_folder()):
        healthy &= finding.fine is not False
        click.echo(finding)
    context.exit(0 if healthy else FAILED)


def _plan(study: Path, profile: str | None, overrides: tuple[str, ...], data: Path | None) -> "tuple[Study, Plan]":
    """The plan of a study, of which it is said if it is none of the user's own."""
    from linstudy.execute.planning import plan_study

    loaded, plan = plan_study(study, profile, overrides, data)
    if loaded.file.shipped:
        click.echo(f"{study}: the study that linstudy comes with", err=True)
    return loaded, plan


def _selected(selected: "Plan", plan: "Plan") -> str:
    return f"--only selects {len(selected.runs)} of {len(plan.runs)} runs, what they need included"


def main() -> None:
    """Entry point: every command ends here, with the status that `run_command` decides."""
    command = Command(sys.argv)
    sys.exit(run_command(lambda: _call(command), command))


def _call(command: Command) -> None:
    if "_LINSTUDY_COMPLETE" in os.environ:  # a shell asks for completions
        cli(prog_name="linstudy")
    # What click's own `main` adds is an end of its own: it takes a closed pipe for a failure, and EOFError for Ctrl-C.
    with cli.make_context("linstudy", list(command.arguments[1:]), obj=command) as context:
        cli.invoke(context)
