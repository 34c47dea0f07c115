"""Commands that write what people say about runs and studies."""

from pathlib import Path

import click

from linstudy.cli.completion import complete_run_or_study
from linstudy.cli.options import WORKSPACE, example

REMOVE = click.option("--remove", is_flag=True, help="Take it away again.")


@example('linstudy note a1e594 "the seed that got stuck"')
@click.command()
@click.argument("subject", metavar="RUN|STUDY", shell_complete=complete_run_or_study)
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
        named = write_notes(place, subject, [text], are_tags=False, remove=remove)
        click.echo(f"{named}: {'the note is removed' if remove else 'noted'}")
        return
    with open_published(place.results) as ask:
        for found in read_notes(ask, [find_subject(ask, subject)]):
            click.echo(f"{found.kind:<12}{found.text}")


@example("linstudy tag a1e594 good figure-2")
@click.command()
@click.argument("subject", metavar="RUN|STUDY", shell_complete=complete_run_or_study)
@click.argument("tags", nargs=-1, metavar="TAG…")
@REMOVE
@WORKSPACE
def tag(subject: str, tags: tuple[str, ...], remove: bool, workspace: Path) -> None:
    """Tag a run or a study, or print its tags. `--only "list_contains(tags, 'good')"` selects by the tags of runs."""
    from linstudy.store.notes import find_subject, read_notes, write_notes
    from linstudy.store.query import open_published
    from linstudy.store.workspace import Workspace

    place = Workspace(workspace)
    if tags:
        subject = write_notes(place, subject, tags, are_tags=True, remove=remove)
    with open_published(place.results) as ask:
        own = [note.text for note in read_notes(ask, [find_subject(ask, subject)]) if note.is_tag]
    click.echo(f"{subject}: {', '.join(own) or 'no tags'}")
