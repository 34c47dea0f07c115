"""Commands that take things out of a workspace, or check what it keeps."""

from pathlib import Path

import click

from linstudy.cli.options import SELECTED, WORKSPACE, YES, example


@example('linstudy forget kernel_rotation "seeds=[0]" --yes')
@click.command()
@click.argument("study", required=False)
@click.argument("variant", required=False)
@SELECTED
@WORKSPACE
@YES
def forget(study: str | None, variant: str | None, condition: str | None, workspace: Path, yes: bool) -> None:
    """Take a STUDY, one VARIANT of it, or selected runs out of the workspace; without --yes, say only what would go.

    Without a VARIANT all of them go; "" is the file as it stands. A run stays that another study or variant names, and
    one that is needed by a run that stays.
    """
    from linstudy.execute.removals import forget
    from linstudy.store.forget import Scope
    from linstudy.store.workspace import Workspace

    if study is None and condition is None:
        raise click.UsageError('Name a STUDY, or select runs with --only "…".')
    for line in forget(Workspace(workspace), Scope(study, variant, condition), yes=yes):
        click.echo(line)


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
    from linstudy.execute.removals import clean
    from linstudy.store.workspace import Workspace

    for line in clean(Workspace(workspace), yes=yes):
        click.echo(line)
