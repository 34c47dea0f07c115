"""Commands that read a workspace, or take another one's results into it."""

from pathlib import Path

import click

from linstudy.cli.options import FORMATS, WORKSPACE, example
from linstudy.cli.output import print_lines
from linstudy.failures import FAILED


@example("linstudy status --failed")
@click.command()
@WORKSPACE
@click.option("--failed", is_flag=True, help="Only what failed, with tracebacks.")
def status(workspace: Path, failed: bool) -> None:
    """Show how the studies of a workspace stand, and whether its report shows what it holds."""
    from linstudy.describe.status import describe_failures, describe_studies
    from linstudy.report.freshness import describe_report
    from linstudy.store.workspace import Workspace

    for describe in (describe_failures,) if failed else (describe_studies, describe_report):
        print_lines(describe(Workspace(workspace)))


@example('linstudy query "SELECT status, epoch, avg(test_accuracy) FROM final GROUP BY ALL"')
@click.command()
@click.argument("sql")
@WORKSPACE
@click.option("--format", "format_", type=click.Choice(FORMATS), help="[default: that of --out's suffix, else table]")
@click.option("--out", type=click.Path(path_type=Path), help="File to write, .csv, .json or .parquet.")
def query(sql: str, workspace: Path, format_: str | None, out: Path | None) -> None:
    """Answer SQL, or the SQL in a file, from the results. Nothing is ever written into them."""
    from linstudy.store.export import choose_format, export, read_sql
    from linstudy.store.workspace import Workspace

    export(Workspace(workspace).results, read_sql(sql), choose_format(format_, out), out)


@example("linstudy export results-of-monday --artifacts")
@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@WORKSPACE
@click.option(
    "--only",
    "condition",
    metavar="CONDITION",
    help="Only runs for which this SQL over the columns of `runs` holds, what they need, and the studies of these.",
)
@click.option("--artifacts", is_flag=True, help="Copy checkpoints, spectra and NADs along.")
def export(folder: Path, workspace: Path, condition: str | None, artifacts: bool) -> None:
    """Write what is published as Parquet files into FOLDER, one a table."""
    from linstudy.store.artifacts import ArtifactStore
    from linstudy.store.exchange import export_tables
    from linstudy.store.lookup import find_runs
    from linstudy.store.query import open_published
    from linstudy.store.workspace import Workspace

    source, runs = Workspace(workspace), None
    if condition is not None:
        with open_published(source.results) as ask:
            runs = find_runs(ask, condition)
    found = export_tables(source.results, folder, ArtifactStore(source.artifacts) if artifacts else None, runs)
    copied = f", {found.artifacts} artifacts" if artifacts else ""
    click.echo(f"{folder}: {found.runs} runs, {found.rows:,} rows of numbers and vectors{copied}")


@example("linstudy import results-of-monday results-of-tuesday")
@click.command("import")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@WORKSPACE
@click.pass_context
def import_(context: click.Context, folders: tuple[Path, ...], workspace: Path) -> None:
    """Take exported FOLDERS into the workspace, run by run. What is done here stays; what differs is named."""
    from linstudy.store.merge import merge_exports
    from linstudy.store.workspace import Workspace

    differ = False
    for folder, merged in merge_exports(Workspace(workspace), folders):
        print_lines([f"{folder}: {merged}", *merged.conflicts])
        differ |= bool(merged.conflicts)
    click.echo(f"Results: {Workspace(workspace).results}")
    context.exit(FAILED if differ else 0)
