"""Commands that take things out of a workspace, or check what it keeps."""

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from linstudy.cli.completion import complete_stored_study, complete_variant
from linstudy.cli.options import DATA, DEVICE, MEMORY, SCRATCH, SELECTED, WORKERS, WORKSPACE, YES, example
from linstudy.cli.output import print_lines
from linstudy.failures import FAILED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from linstudy.execute.coordinator import Options
    from linstudy.store.workspace import Workspace
    from linstudy.workers.contract import Share


@example('linstudy forget kernel_rotation "seeds=[0]" --yes')
@click.command()
@click.argument("study", required=False, shell_complete=complete_stored_study)
@click.argument("variant", required=False, shell_complete=complete_variant)
@SELECTED
@WORKSPACE
@YES
def forget(study: str | None, variant: str | None, condition: str | None, workspace: Path, yes: bool) -> None:
    """Take a STUDY, one VARIANT of it, or selected runs out of the workspace; without --yes, say only what would go.

    Without a VARIANT all of them go; "" is the file as it stands. A run stays that another study or variant names, and
    one that is needed by a run that stays.
    """
    from linstudy.describe.removals import forget
    from linstudy.store.forget import Scope
    from linstudy.store.workspace import Workspace

    if study is None and condition is None:
        raise click.UsageError('Name a STUDY, or select runs with --only "…".')
    print_lines(forget(Workspace(workspace), Scope(study, variant, condition), yes=yes))


@example("linstudy clean --yes")
@click.command()
@WORKSPACE
@YES
def clean(workspace: Path, yes: bool) -> None:
    """Remove what nothing needs any more; without --yes, say only what would go.

    These are: files that no row names, states from which finished runs went on, logs of attempts that no run has any
    more, other logs after a week, compiled programs, and runs that no study names and that failed, were never
    tried, or were interrupted with nothing stored to go on from. A folder artifacts/ that several workspaces share is
    not to be cleaned.
    """
    from linstudy.describe.removals import clean
    from linstudy.store.workspace import Workspace

    print_lines(clean(Workspace(workspace), yes=yes))


@example("linstudy verify --again 5 --tolerance 1e-5")
@click.command()
@SELECTED
@WORKSPACE
@click.option("--again", "count", type=click.IntRange(min=1), help="Compute so many done runs anew, and compare them.")
@click.option("--seed", type=int, help="Which runs are computed anew.  [default: others each time]")
@click.option("--tolerance", type=click.FloatRange(min=0), default=0.0, help="Relative.  [default: 0, bit for bit]")
@DATA
@WORKERS
@DEVICE
@MEMORY
@SCRATCH
@click.pass_context
def verify(
    context: click.Context,
    condition: str | None,
    workspace: Path,
    count: int | None,
    seed: int | None,
    tolerance: float,
    data_folder: Path | None,
    workers: int | None,
    device: str | None,
    memory: int | None,
    scratch: Path | None,
) -> None:
    """Check every stored file against its hash; with --again N, compute N done runs anew too, and compare.

    Nothing is written into the workspace. Differences are relative: of numbers to the larger of two, of vectors and
    arrays to the largest entry. The exit status is 1 if anything is wrong or differs by more than the tolerance.
    """
    from linstudy.describe.verification import verify_files
    from linstudy.execute.coordinator import Options
    from linstudy.store.workspace import Workspace
    from linstudy.workers.devices import worker_shares

    verification, lines = verify_files(Workspace(workspace), condition)
    for line in lines:
        click.echo(line)
    sound = not verification.wrong
    if count is not None:
        shares = worker_shares(workers, device, memory)
        options = Options(scratch=scratch)
        sound &= _compute_anew(Workspace(workspace), condition, count, seed, tolerance, data_folder, options, shares)
    context.exit(0 if sound else FAILED)


def _compute_anew(
    workspace: "Workspace",
    condition: str | None,
    count: int,
    seed: int | None,
    tolerance: float,
    data_folder: Path | None,
    options: "Options",
    shares: "Sequence[Share]",
) -> bool:
    """Compute runs anew, and show how they differ; whether all are within the tolerance."""
    from linstudy.execute.audit import audit, choose_rounds, describe_rounds
    from linstudy.execute.display import make_display
    from linstudy.execute.findings import describe_findings
    from linstudy.execute.terminal import Terminal
    from linstudy.store.render import render
    from linstudy.workers.processes import worker_processes

    seed = secrets.randbelow(10**6) if seed is None else seed
    rounds = choose_rounds(workspace, condition, count, seed)
    terminal = Terminal(sys.stdout)
    terminal.print(describe_rounds(rounds, workspace, data_folder, seed))
    display, findings = make_display(terminal), []
    try:
        for finding in audit(
            rounds,
            workspace,
            display,
            options,
            lambda place, folder: worker_processes(place, folder, data_folder, options.scratch, shares=shares),
        ):
            findings.append(finding)
    finally:
        display.close()
        if findings:
            render(describe_findings(findings, tolerance), "table")
    return all(finding.is_within(tolerance) for finding in findings)
