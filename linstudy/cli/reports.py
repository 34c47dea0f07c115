"""Commands that draw."""

from pathlib import Path

import click

from linstudy.cli.completion import complete_figure
from linstudy.cli.options import OUT, REPORTS, WORKSPACE, example


@example("linstudy figure kernel_rotation --out figures")
@click.command()
@click.argument("name", shell_complete=complete_figure)
@WORKSPACE
@REPORTS
@OUT
def figure(name: str, workspace: Path, reports: Path | None, out: Path | None) -> None:
    """Draw one figure from the results."""
    from linstudy.report.figures import draw
    from linstudy.report.question import reports_folder
    from linstudy.store.workspace import Workspace

    click.echo(draw(name, Workspace(workspace).results, reports or reports_folder(), out or workspace / "report"))


@example("linstudy report")
@click.command()
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


@example("linstudy page --only \"model_kind = 'lenet'\" --out lenet.html")
@click.command()
@WORKSPACE
@click.option(
    "--only",
    "condition",
    metavar="CONDITION",
    help="Only runs for which this SQL over the columns of `runs` holds.",
)
@click.option(
    "--every",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="Write it anew while a study runs; an open page loads itself anew.",
)
@click.option("--out", type=click.Path(path_type=Path), help="File to write.  [default: page.html in the workspace]")
def page(workspace: Path, condition: str | None, every: float | None, out: Path | None) -> None:
    """Write one page to browse the runs with: a table, curves, spectra and last numbers, each with its SQL.

    It is one file that needs no other, no server and no network.
    """
    from linstudy.page.writing import PAGE, keep_writing, write_page
    from linstudy.store.workspace import Workspace

    place = Workspace(workspace)
    file = out or workspace / PAGE
    lines = keep_writing(place, file, condition, every) if every else [write_page(place, file, condition)]
    for line in lines:
        click.echo(line)
