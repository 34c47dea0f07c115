"""Commands about runs: what is stored of them, and what they printed."""

from pathlib import Path

import click

from linstudy.cli.completion import complete_run, complete_run_or_study
from linstudy.cli.options import DATA, ONLY, PROFILE, SELECTED, SET, WORKSPACE, example
from linstudy.cli.output import output_width, print_lines


@example("linstudy show a1e594")
@click.command()
@click.argument("run", required=False, metavar="RUN", shell_complete=complete_run)
@SELECTED
@WORKSPACE
def show(run: str | None, condition: str | None, workspace: Path) -> None:
    """Show all that is stored of RUN, or of several.

    Its spec, what it needs and what needs it, its attempts with their methods and versions, its numbers, its files, and
    the end of what it printed. RUN is an id, or as much of its beginning as no other has.
    """
    from linstudy.describe.details import describe_runs
    from linstudy.store.lookup import find_run, find_runs
    from linstudy.store.query import open_published
    from linstudy.store.workspace import Workspace

    if (run is None) == (condition is None):
        raise click.UsageError("Name one RUN, or several with --only CONDITION.")
    with open_published(Workspace(workspace).results) as ask:
        found = find_runs(ask, condition) if run is None else [find_run(ask, run)]
    print_lines(describe_runs(found, Workspace(workspace)))


@example("linstudy log a1e594 -f")
@click.command()
@click.argument("run", metavar="RUN", shell_complete=complete_run)
@click.option("-f", "--follow", "following", is_flag=True, help="Print on what comes, until the attempt is over.")
@click.option("--attempt", type=int, metavar="N", help="Another one, as numbered by `show`.  [default: the last]")
@WORKSPACE
def log(run: str, following: bool, attempt: int | None, workspace: Path) -> None:
    """Print what an attempt at RUN printed."""
    from linstudy.describe.log_reader import find_log, follow_log, read_log
    from linstudy.store.lookup import find_run
    from linstudy.store.query import open_published
    from linstudy.store.workspace import Workspace

    place = Workspace(workspace)
    with open_published(place.results) as ask:
        found = find_log(find_run(ask, run), place, attempt)
    if not following and not found.path.is_file():
        click.echo(f"attempt {found.attempt} of run {found.run_id} printed nothing, or its log is gone", err=True)
    piece = b"\n"
    for piece in follow_log(found, place) if following else read_log(found):
        click.echo(piece, nl=False)
    click.echo(nl=not piece.endswith(b"\n"))


@example("linstudy why kernel_rotation")
@click.command()
@click.argument("subject", metavar="STUDY|RUN", shell_complete=complete_run_or_study)
@PROFILE
@SET
@ONLY
@click.option("--again", is_flag=True, help="Explain `run --again`, which computes also what is done.")
@WORKSPACE
@DATA
def why(
    subject: str,
    profile: str | None,
    overrides: tuple[str, ...],
    condition: str | None,
    again: bool,
    workspace: Path,
    data_folder: Path | None,
) -> None:
    """Say why the runs of STUDY would be computed, or what RUN is there for.

    A new point; a field, a module or data that were changed, with old and new values and the line of the study; other
    numerics; a file that is missing; a failure. Runs that have one and the same reason are told together. Nothing is
    run.
    """
    from linstudy.describe.purpose import describe_purpose
    from linstudy.describe.reasons import describe_reasons
    from linstudy.prepare.study import plan_study, select_runs
    from linstudy.store.workspace import Workspace

    if (run_id := _run_of(subject, workspace)) is not None:
        return print_lines(describe_purpose(run_id, Workspace(workspace), data_folder))
    study, plan = plan_study(Path(subject), profile, overrides, data_folder)
    selected = select_runs(study, plan, condition, Workspace(workspace))
    print_lines(describe_reasons(study, plan, Workspace(workspace), selected.runs, again))


@example("linstudy diff a1e594 356314")
@click.command()
@click.argument("one", shell_complete=complete_run_or_study)
@click.argument("other", shell_complete=complete_run_or_study)
@WORKSPACE
@DATA
def diff(one: str, other: str, workspace: Path, data_folder: Path | None) -> None:
    """Show in which fields ONE differs from OTHER, then their last numbers side by side.

    Each is a run or a setting, by the beginning of its id, or a study: STUDY as its file stands, STUDY:PROFILE, or
    'STUDY:VARIANT', a variant as `status` names it. Of several seeds the mean is shown, and half of its 95 % interval.
    """
    from linstudy.describe.comparison import describe_comparison
    from linstudy.store.workspace import Workspace

    print_lines(describe_comparison((one, other), Workspace(workspace), data_folder, output_width()))


def _run_of(subject: str, workspace: Path) -> str | None:
    """The run that is named; None if it is a study's file or name."""
    from linstudy.spec.catalogue import named_studies
    from linstudy.store.lookup import find_run, may_be_an_id
    from linstudy.store.query import open_published
    from linstudy.store.workspace import Workspace

    if not may_be_an_id(subject) or Path(subject).exists() or subject in named_studies():
        return None
    with open_published(Workspace(workspace).results) as ask:
        return find_run(ask, subject)


@example("linstudy code a1e594 --out code-of-a1e594")
@click.command()
@click.argument("run", metavar="RUN", shell_complete=complete_run)
@click.option("--out", type=click.Path(path_type=Path), help="New folder to write it into.  [default: only list it]")
@WORKSPACE
def code(run: str, out: Path | None, workspace: Path) -> None:
    """Bring back the code that RUN was made with, as far as its commit does not tell it.

    The changes since that commit, the modules of a user's model that no repository tracked, and the list of packages.
    """
    from shlex import quote

    from linstudy.store.code import read_code, write_code
    from linstudy.store.lookup import find_run
    from linstudy.store.query import open_published
    from linstudy.store.workspace import Workspace

    with open_published(Workspace(workspace).results) as ask:
        found = read_code(ask, find_run(ask, run))
    for name, text in found.texts.items():
        click.echo(f"{name}: {'not kept: too long, or no UTF-8' if text is None else f'{len(text):,} characters'}")
    if out is not None:
        write_code(found, out)
        if found.commit:
            apply = f' && git -C "$(git rev-parse --show-toplevel)" apply {quote(str((out / "changes").absolute()))}'
            click.echo(f"git checkout {quote(found.commit)}{apply if found.texts.get('changes') else ''}")
