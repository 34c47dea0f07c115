"""What a shell offers at the tab key: names and ids. Quick, and silent whatever goes wrong."""

from collections.abc import Callable, Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

MOST_RUNS = 500
"""Ids that are offered at once."""


def _silent(complete: Callable[[click.Context, str], Iterable[CompletionItem]]) -> Complete:
    """A function as click calls it; it offers nothing where it fails."""

    def completed(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
        try:
            return list(complete(context, begun))
        except Exception:  # a message would land in the line that is being typed
            return []

    return completed


@_silent
def complete_study(context: click.Context, begun: str) -> Iterable[CompletionItem]:
    """The names of studies, and files, which the shell knows; they come first, since bash drops what comes before."""
    from linstudy.spec.catalogue import named_studies

    return [CompletionItem(begun, type="file"), *_beginning(begun, named_studies())]


@_silent
def complete_profile(context: click.Context, begun: str) -> Iterable[CompletionItem]:
    """The profiles of the study that was named before."""
    from linstudy.spec.catalogue import find_study
    from linstudy.spec.document import read_document

    # Of a command line that ends with an option without its value click gives no parameters, but what was left.
    study = context.params.get("study") or context.params.get("subject") or context.args[0]
    tree = read_document(find_study(Path(study)).path).tree
    return _beginning(begun, tree["profiles"])


@_silent
def complete_figure(context: click.Context, begun: str) -> Iterable[CompletionItem]:
    """The figures of the folder of reports."""
    from linstudy.report.question import question_files, reports_folder

    folder = Path(context.params.get("reports") or reports_folder())
    return _beginning(begun, (path.stem for path in question_files(folder / "figures")))


@_silent
def complete_run(context: click.Context, begun: str) -> Iterable[CompletionItem]:
    """The ids of published runs, each with its kind."""
    from linstudy.store.lookup import list_runs
    from linstudy.store.query import open_published
    from linstudy.store.workspace import Workspace

    with open_published(Workspace(Path(context.params.get("workspace") or ".")).results) as ask:
        return [CompletionItem(run_id, help=kind) for run_id, kind in list_runs(ask, begun, MOST_RUNS)]


@_silent
def complete_run_or_study(context: click.Context, begun: str) -> Iterable[CompletionItem]:
    """Both."""
    nobody = click.Argument(["any"])
    return [*complete_study(context, nobody, begun), *complete_run(context, nobody, begun)]


@_silent
def complete_stored_study(context: click.Context, begun: str) -> Iterable[CompletionItem]:
    """The names of the studies of a workspace."""
    return _beginning(begun, dict.fromkeys(name for name, _ in _stored_studies(context)))


@_silent
def complete_variant(context: click.Context, begun: str) -> Iterable[CompletionItem]:
    """The variants of the study that was named before."""
    study = context.params.get("study") or context.args[0]
    return _beginning(begun, [variant for name, variant in _stored_studies(context) if name == study])


def _stored_studies(context: click.Context) -> list[tuple[str, str]]:
    from linstudy.store.query import open_published
    from linstudy.store.workspace import Workspace

    with open_published(Workspace(Path(context.params.get("workspace") or ".")).results) as ask:
        return [(name, variant) for name, variant in ask("SELECT name, variant FROM study ORDER BY ALL").rows]


def _beginning(begun: str, names: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(begun)]
