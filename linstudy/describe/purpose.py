"""Why a stored run is there: which studies name it, what needs it, and whether it would be computed, in lines."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from linstudy.describe.details import describe_stored
from linstudy.describe.reasons import find_reasons, reason_text
from linstudy.prepare.study import plan_variant
from linstudy.spec.errors import LinstudyError
from linstudy.store.query import open_published
from linstudy.store.quoting import literal
from linstudy.store.rows import study_name
from linstudy.store.workspace import Workspace

_RUN = "SELECT spec, status FROM run JOIN runs USING (run_id) WHERE run_id = {run}"
_STUDIES = "SELECT study, variant FROM study_run WHERE run_id = {run} ORDER BY ALL"
_NEEDED_BY = "SELECT kind FROM dependency JOIN run USING (run_id) WHERE needs = {run} ORDER BY ALL"


def describe_purpose(run_id: str, workspace: Workspace, data_folder: Path | None = None) -> Iterator[str]:
    """What a run is, then for each study that names it whether it would be computed as the study's file is now."""
    with open_published(workspace.results) as ask:
        one = {"run": literal(run_id)}
        [(spec, status)] = ask(_RUN.format(**one)).rows
        studies = ask(_STUDIES.format(**one)).rows
        needed_by = Counter(kind for (kind,) in ask(_NEEDED_BY.format(**one)).rows)
    yield f"{status:<12}{run_id}  {describe_stored(spec)}"
    if needed_by:
        counts = ", ".join(f"{count} {kind}" for kind, count in needed_by.items())
        yield f"{'needed by':<12}{counts} (linstudy show {run_id} names them)"
    if not studies:
        yield "no study of the workspace has it any more, so no study would compute it"
    for study, variant in studies:
        yield f"{'study':<12}{study_name(study, variant)}"
        yield f"    {_prospect(run_id, study, variant, workspace, data_folder)}"


def _prospect(run_id: str, name: str, variant: str, workspace: Workspace, data_folder: Path | None) -> str:
    """Whether a study would compute a run, and why."""
    try:
        study, plan = plan_variant(name, variant, data_folder)
    except LinstudyError as error:
        return f"it cannot be planned here: {str(error).splitlines()[0]}"
    file = study.file.path
    if run_id not in plan.runs:
        return f"it would not be computed: the study has it no more, as {file} stands now"
    found = [reason for _, reason in find_reasons(study, plan, workspace, [plan.runs[run_id]])]
    if found:
        text = reason_text(found)
        return f"it would be computed. {text[0].upper()}{text[1:]}"
    return f"it would not be computed: nothing of it is missing, as {file} stands now"
