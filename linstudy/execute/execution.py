"""From a plan to its results: the ledger is opened, the coordinator runs, the results are published."""

from collections.abc import Callable, Mapping
from functools import partial

from linstudy.execute.coordinator import Coordinator, Options
from linstudy.execute.display import Display
from linstudy.execute.records import Records
from linstudy.execute.summary import Summary
from linstudy.plan import Plan
from linstudy.prepare.naming import Naming, check_name, file_note
from linstudy.prepare.provenance import code_behind, git_state, origin, study_files
from linstudy.prepare.study import run_rows, study_row
from linstudy.spec.points import Study
from linstudy.store.database import adoption_note, give_up_lost
from linstudy.store.ledger import Ledger
from linstudy.store.snapshot import Publisher
from linstudy.store.workspace import Workspace
from linstudy.workers.contract import Workers

_NO_NAMING = Naming()


def execute(
    study: Study,
    plan: Plan,
    workspace: Workspace,
    display: Display,
    options: Options,
    workers: Workers,
    selected: Plan | None = None,
    naming: Naming = _NO_NAMING,
) -> Summary:
    """Run what is missing of a plan, and publish.

    Args:
        selected: What alone is run of it; all of it is registered.
        naming: What to do where another file has the study's name.

    Raises:
        LinstudyError: If another process writes to the workspace, another file has the study's name, no worker can be
            started, or nothing can be recorded.
    """
    with workspace.lock(), _open(workspace, display) as ledger:
        ledger.recover()
        row = study_row(study)._replace(file=file_note(study.file, workspace))
        if note := check_name(row, ledger.studies(study.name), workspace, naming):
            display.note(note)
        ledger.register(row, run_rows(plan))
        made_from = partial(_made_from, study, ledger, display)
        return carry_out(plan, ledger, workspace, display, options, workers, made_from, selected)


def carry_out(
    plan: Plan,
    ledger: Ledger,
    workspace: Workspace,
    display: Display,
    options: Options,
    workers: Workers,
    made_from: Callable[[], Mapping[str, object]] = dict,
    selected: Plan | None = None,
) -> Summary:
    """Run what is missing of a plan whose runs are registered, and publish; see `execute` and `Coordinator`."""
    records = Records(ledger, workspace, plan, options.scratch)
    publisher = Publisher(ledger, workspace.results)
    coordinator = Coordinator(selected or plan, records, workers, publisher, display, options, made_from)
    coordinator.publish(force=True)
    with coordinator.interrupts.collect():
        try:
            return coordinator.run()
        finally:
            coordinator.close()
            records.close()
            coordinator.publish(force=True)


def _made_from(study: Study, ledger: Ledger, display: Display) -> dict[str, object]:
    """What attempts of a study record of where and from what they are made."""
    git = git_state(study.folder, study_files(study))
    if git.note:
        display.note(git.note)
    return origin(git, ledger.keep_code(code_behind(study)))


def _open(workspace: Workspace, display: Display) -> Ledger:
    for note in filter(None, (give_up_lost(workspace), adoption_note(workspace))):
        display.note(note)
    return Ledger.open(workspace)
