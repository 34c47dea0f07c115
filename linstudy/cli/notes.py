"""Commands that write what people say about runs and studies."""

from pathlib import Path

import click

from linstudy.cli.options import WORKSPACE, example

REMOVE = click.option("--remove", is_flag=True, help="Take it away again.")


@example('linstudy note a1e594 "the seed that got stuck"')
@click.command()
@click.argument("subject", metavar="RUN|STUDY")
@click.argument("text", required=False)
@REMOVE
@WORKSPACE
def note(subject: str, text: str | None, remove: bool, workspace: Path) -> None:
    """Write a note about a run or a study, or print those that there are.

    Notes and tags change no identity: nothing is run again for them. `show` and `status` print them.
    """
    from linstudy.store.notes import find_subject, read_notes, write_notes
    from linstudy.store.query import open_published
    from linstudy.store.workspace import Workspace

    place = Workspace(workspace)
    if text is not None:
        write_notes(place, subject, [text], are_tags=False, remove=remove)
        return
    with open_published(place.results) as ask:
        for found in read_notes(ask, [find_subject(ask, subject)]):
            click.echo(f"#{found.text}" if found.is_tag else found.text)


@example("linstudy tag a1e594 good figure-2")
@click.command()
@click.argument("subject", metavar="RUN|STUDY")
@click.argument("tags", nargs=-1, required=True, metavar="TAG…")
@REMOVE
@WORKSPACE
def tag(subject: str, tags: tuple[str, ...], remove: bool, workspace: Path) -> None:
    """Tag a run or a study. `--only "list_contains(tags, 'good')"` selects by the tags of runs."""
    from linstudy.store.notes import write_notes
    from linstudy.store.workspace import Workspace

    write_notes(Workspace(workspace), subject, tags, are_tags=True, remove=remove)
