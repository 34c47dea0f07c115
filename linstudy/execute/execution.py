"""From a plan to its results: the ledger is opened, the coordinator runs, the results are published."""

from linstudy.execute.coordinator import Coordinator, Options
from linstudy.execute.display import Display
from linstudy.execute.naming import Naming, check_name, file_note
from linstudy.execute.planning import run_rows, study_row
from linstudy.execute.provenance import GitState, git_state, study_files
from linstudy.execute.records import Records
from linstudy.execute.summary import Summary
from linstudy.execute.workers import Workers
from linstudy.plan import Plan
from linstudy.spec.points import Study
from linstudy.store.database import adoption_note
from linstudy.store.ledger import Ledger
from linstudy.store.snapshot import Publisher
from linstudy.store.workspace import Workspace

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
        return carry_out(
            plan, ledger, workspace, display, options, workers, git_state(study.folder, study_files(study)), selected
        )


def carry_out(
    plan: Plan,
    ledger: Ledger,
    workspace: Workspace,
    display: Display,
    options: Options,
    workers: Workers,
    git: GitState,
    selected: Plan | None = None,
) -> Summary:
    """Run what is missing of a plan whose runs are registered, and publish; see `execute`."""
    records = Records(ledger, workspace, plan, options.scratch)
    publisher = Publisher(ledger, workspace.results)
    if git.note:
        display.note(git.note)
    coordinator = Coordinator(selected or plan, records, workers, publisher, display, options, git)
    coordinator.publish(force=True)
    with coordinator.interrupts.collect():
        try:
            return coordinator.run()
        finally:
            coordinator.close()
            records.close()
            coordinator.publish(force=True)


def _open(workspace: Workspace, display: Display) -> Ledger:
    if note := adoption_note(workspace):
        display.note(note)
    return Ledger.open(workspace)
