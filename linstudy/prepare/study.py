"""From a study file to its plan, and which of its runs are chosen."""

from collections.abc import Sequence
from pathlib import Path

from linstudy.data.kinds import form, sizes
from linstudy.data.places import Places
from linstudy.plan import Plan, make_plan
from linstudy.prepare.sources import missing_sources, sources
from linstudy.spec.catalogue import StudyFile, find_study
from linstudy.spec.errors import LinstudyError
from linstudy.spec.overrides import variant_arguments
from linstudy.spec.points import Study, load_study
from linstudy.store.query import QueryError
from linstudy.store.rows import RunRow, StudyRow
from linstudy.store.workspace import Workspace


def plan_study(
    path: Path, profile: str | None, overrides: Sequence[str], data_folder: Path | None
) -> tuple[Study, Plan]:
    """Load a study, given by the path of its file or by its name, and plan its runs."""
    file = find_study(path)
    places = study_places(file, data_folder)
    places.extend_import_path()
    identify = sources(places)
    study = load_study(file, profile=profile, overrides=overrides, sizes=sizes, outside=missing_sources(identify))
    return study, make_plan(study.points, identify, form)


def plan_variant(name: str, variant: str, data_folder: Path | None) -> tuple[Study, Plan]:
    """As `plan_study`, of a variant of a study as the workspace names it.

    Raises:
        LinstudyError: If its name is too long to have all in it.
    """
    arguments = variant_arguments(variant)
    if "..." in arguments:
        raise LinstudyError("the name of the variant is cut, so its --set values are not known")
    options = [*zip(arguments[::2], arguments[1::2], strict=True)]
    profile = next((value for option, value in options if option == "--profile"), None)
    return plan_study(Path(name), profile, [value for option, value in options if option == "--set"], data_folder)


def study_places(file: StudyFile, data_folder: Path | None) -> Places:
    """Where the files are looked for that a study names."""
    return Places(file.folder, data_folder, *(["in the current folder"] if file.shipped else []))


def run_rows(plan: Plan) -> list[RunRow]:
    """The runs of a plan as they are registered."""
    return [
        RunRow(
            run.run_id,
            run.kind,
            run.spec.model_dump(mode="json"),
            tuple((need.role, need.run_id) for need in run.needs),
            run.source,
            run.setting_id,
        )
        for run in plan.runs.values()
    ]


def study_row(study: Study) -> StudyRow:
    """A study as it is registered."""
    return StudyRow(study.name, study.variant, study.title, study.text)


def choose_runs(study: Study, plan: Plan, condition: str | None, workspace: Workspace) -> set[str]:
    """The ids of a plan's runs for which a condition over the columns of the view `runs` holds; without one, of all.

    Raises:
        QueryError: If the condition is wrong.
        LinstudyError: If it holds for none.
    """
    if condition is None:
        return set(plan.runs)
    from linstudy.store.selection import selected

    try:
        chosen = selected(workspace.results, study_row(study), run_rows(plan), condition)
    except QueryError as error:
        raise QueryError(f"--only: {error}") from error
    if not chosen:
        raise LinstudyError(f"--only: the condition holds for none of the {len(plan.runs)} runs of the study")
    return chosen


def select_runs(study: Study, plan: Plan, condition: str | None, workspace: Workspace) -> Plan:
    """The runs that `choose_runs` gives, and what they need.

    Raises:
        LinstudyError: As `choose_runs`.
    """
    return plan if condition is None else plan.with_needs(choose_runs(study, plan, condition, workspace))
