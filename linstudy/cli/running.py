"""Commands that start from a study file: list it, plan it, run it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from linstudy.cli.options import (
    DASK,
    DATA,
    DEVICE,
    LAUNCH,
    LEDGER,
    MEMORY,
    ONLY,
    PROFILE,
    SCRATCH,
    SET,
    STUDY,
    WORKERS,
    WORKSPACE,
    example,
)
from linstudy.cli.output import print_lines
from linstudy.failures import FAILED, INTERRUPTED

if TYPE_CHECKING:
    from linstudy.plan import Plan
    from linstudy.spec.points import Study
    from linstudy.store.workspace import Workspace
    from linstudy.workers.contract import Workers


@example("linstudy run kernel_rotation --set train.epochs=200")
@click.command()
@STUDY
@PROFILE
@SET
@ONLY
@WORKSPACE
@DATA
@WORKERS
@LAUNCH
@DASK
@DEVICE
@MEMORY
@SCRATCH
@LEDGER
@click.option(
    "--variant", metavar="NAME", help="Keep this STUDY as a variant NAME, beside that of another file of its name."
)
@click.option("--replace", is_flag=True, help="Let this STUDY take the place of another file of its name.")
@click.option("--again", is_flag=True, help="Run anew what is done; of --only's runs not what they need.")
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
    launcher: str | None,
    scheduler: str | None,
    device: str | None,
    memory: int | None,
    scratch: Path | None,
    ledger_folder: Path | None,
    variant: str | None,
    replace: bool,
    again: bool,
    grace: float | None,
    fuse: bool,
) -> None:
    """Run what is missing of STUDY: a file, or one of the names that `linstudy studies` lists.

    Ctrl-C publishes and stops, the same command resumes.
    """
    from linstudy.describe.plan import describe_dependants
    from linstudy.execute.coordinator import GRACE, Options
    from linstudy.execute.display import make_display
    from linstudy.execute.execution import execute
    from linstudy.execute.live import LiveFile
    from linstudy.execute.terminal import Terminal
    from linstudy.prepare.forecast import expected_runs
    from linstudy.prepare.naming import Naming
    from linstudy.prepare.study import choose_runs, study_places
    from linstudy.store.workspace import Workspace

    home = Workspace(workspace, ledger_folder)
    loaded, plan = _plan(study, profile, overrides, data_folder)
    naming = Naming(variant, replace)
    loaded = naming.apply(loaded)
    terminal = Terminal(sys.stdout)
    chosen = choose_runs(loaded, plan, condition, home)
    selected = plan if condition is None else plan.with_needs(chosen)
    if selected is not plan:
        terminal.print(_selected(selected, plan))
    if again:
        for line in describe_dependants(chosen, home):
            terminal.print(line)
    anew, patience = chosen if again else (), GRACE if grace is None else grace
    estimates = expected_runs(selected, home, study_places(loaded.file, data_folder))
    options = Options(anew, fuse, patience, scratch, estimates)
    folders = home, loaded.folder, data_folder, scratch
    with _workers(folders, launcher, scheduler, workers, device, memory) as (places, note):
        if note:
            terminal.print(note)
        display = make_display(
            terminal,
            LiveFile(home.live, loaded.name),
            estimates={run_id: one.seconds for run_id, one in estimates.items() if one.seconds is not None},
            workers=max(1, len(places.places())),
        )
        try:
            summary = execute(loaded, plan, home, display, options, places, selected, naming)
        finally:
            display.close()
    terminal.print(f"{summary}\nResults: {home.results}")
    if summary.interrupted:
        terminal.print("The same command goes on from here.")
        context.exit(INTERRUPTED)
    if summary.failed:
        terminal.print("The same command tries again what failed; `linstudy status` shows why it did.")
        context.exit(FAILED)


@contextmanager
def _workers(
    folders: "tuple[Workspace, Path, Path | None, Path | None]",
    launcher: str | None,
    scheduler: str | None,
    count: int | None,
    device: str | None,
    memory: int | None,
) -> "Iterator[tuple[Workers, str]]":
    """The workers that are asked for, and what is to be said of them."""
    if scheduler is not None:
        from linstudy.workers.dask import dask_workers

        if launcher is not None or memory is not None:
            raise click.UsageError(
                "--dask goes without --launch, and without --memory: a worker has the memory limit of its Dask worker"
            )
        with dask_workers(scheduler, *folders, workers=count, device=device) as workers:
            yield workers, str(workers)
    else:
        from linstudy.workers.launch import plan_launch
        from linstudy.workers.processes import worker_processes

        launch = plan_launch(launcher, count, device, memory)
        yield worker_processes(*folders, shares=launch.shares, launcher=launch.launcher), launch.note


@example("linstudy plan kernel_rotation")
@click.command()
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
    from linstudy.describe.plan import describe_plan
    from linstudy.prepare.study import select_runs, study_places
    from linstudy.store.workspace import Workspace

    loaded, runs = _plan(study, profile, overrides, data_folder)
    selected = select_runs(loaded, runs, condition, Workspace(workspace))
    print_lines(describe_plan(selected, Workspace(workspace), study_places(loaded.file, data_folder)))
    if selected is not runs:
        click.echo(_selected(selected, runs))


@example("linstudy watch")
@click.command()
@WORKSPACE
def watch(workspace: Path) -> None:
    """Show what runs in the workspace, from another terminal: runs done and time left, and what each worker is at.

    On a terminal it is drawn anew until the study ends; else it is said once.
    """
    import shutil

    from linstudy.execute import live
    from linstudy.store.workspace import Workspace

    if sys.stdout.isatty() and Workspace(workspace).holder() is not None:
        live.watch(Workspace(workspace))
    else:
        for line in live.describe_live(Workspace(workspace), shutil.get_terminal_size().columns):
            click.echo(line)


@example("linstudy studies")
@click.command()
def studies() -> None:
    """List the studies that have a name: those of this folder and its studies/, and those that linstudy comes with."""
    from linstudy.spec.catalogue import describe_catalogue

    print_lines(describe_catalogue())


def _plan(study: Path, profile: str | None, overrides: tuple[str, ...], data: Path | None) -> "tuple[Study, Plan]":
    """The plan of a study, of which it is said if it is none of the user's own."""
    from linstudy.prepare.study import plan_study

    loaded, plan = plan_study(study, profile, overrides, data)
    if loaded.file.shipped:
        click.echo(f"{study}: the study that linstudy comes with", err=True)
    return loaded, plan


def _selected(selected: "Plan", plan: "Plan") -> str:
    return f"--only selects {len(selected.runs)} of {len(plan.runs)} runs, what they need included"
