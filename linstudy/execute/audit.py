"""Some stored runs computed anew, in a workspace of their own, and compared with what is stored."""

import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import ValidationError

from linstudy.data.places import Places
from linstudy.estimate.text import describe_total
from linstudy.execute.coordinator import Options
from linstudy.execute.display import Display
from linstudy.execute.execution import carry_out
from linstudy.execute.findings import Finding
from linstudy.facts import CHECKPOINT
from linstudy.history import Stored, is_complete
from linstudy.plan import Need, Plan, Run, epochs_read, run_identity
from linstudy.prepare.forecast import estimate_runs
from linstudy.prepare.naming import noted_folder
from linstudy.prepare.provenance import git_state, origin
from linstudy.prepare.study import run_rows
from linstudy.spec.errors import LinstudyError
from linstudy.spec.run import RunSpec, as_training
from linstudy.spec.stored import read_spec
from linstudy.store.artifacts import ArtifactStore
from linstudy.store.comparison import Side, compare_run
from linstudy.store.ledger import Ledger
from linstudy.store.lookup import find_runs
from linstudy.store.query import Ask, open_published
from linstudy.store.quoting import literal
from linstudy.store.rows import StudyRow
from linstudy.store.stored import read_stored
from linstudy.store.transfer import copy_history
from linstudy.store.workspace import Workspace
from linstudy.text.amounts import count
from linstudy.workers.contract import Workers

_DIGITS_OF_COMMIT = 7


@dataclass(frozen=True)
class Round:
    """Runs that are computed anew together: none needs another, and the paths of their studies begin in one folder.

    Attributes:
        plan: The chosen runs, and what they need.
    """

    folder: Path
    plan: Plan
    chosen: tuple[str, ...]


def choose_rounds(workspace: Workspace, condition: str | None, most: int, seed: int) -> list[Round]:
    """Some of the runs that are done, at random, in rounds; see `make_rounds`.

    Raises:
        LinstudyError: If none is done, or the condition is wrong; as `make_rounds`.
    """
    with open_published(workspace.results) as ask:
        return make_rounds(ask, choose_done(ask, condition, most, seed), workspace)


def describe_rounds(rounds: Collection[Round], workspace: Workspace, data_folder: Path | None, seed: int) -> str:
    """How many runs are computed anew, and what that will take."""
    chosen, lost, estimates = 0, 0, []
    with open_published(workspace.results) as ask:
        stored = _sound(read_stored(lambda sql: ask(sql).rows), ArtifactStore(workspace.artifacts))
    for one in rounds:
        needed = [run for run_id, run in one.plan.runs.items() if run_id not in one.chosen]
        missing = [run for run in needed if not is_complete(run, stored.get(run.run_id, Stored()))]
        runs = [*missing, *(one.plan.runs[run_id] for run_id in one.chosen)]
        estimates += estimate_runs(runs, workspace, Places(one.folder, data_folder)).values()
        chosen, lost = chosen + len(one.chosen), lost + len(missing)
    also = f", and {count(lost, 'run')} whose files are missing" if lost else ""
    return f"{count(chosen, 'done run')} computed anew, chosen by --seed {seed}{also}: {describe_total(estimates)}"


def choose_done(ask: Ask, condition: str | None, most: int, seed: int) -> list[str]:
    """Some of the runs that are done, at random.

    Raises:
        LinstudyError: If none is done, or the condition is wrong or holds for none.
    """
    found = find_runs(ask, condition)
    done = sorted({run_id for (run_id,) in ask(_DONE).rows}.intersection(found))
    if not done:
        raise LinstudyError(f"--again: none of {count(len(found), 'run')} is done. See how they stand: linstudy status")
    return sorted(random.Random(seed).sample(done, min(most, len(done))))


def make_rounds(ask: Ask, chosen: Collection[str], workspace: Workspace) -> list[Round]:
    """The runs in rounds, so that each is computed from what is stored of the runs that it needs.

    Raises:
        LinstudyError: If the spec of one cannot be read by this linstudy.
    """
    plan = stored_plan(ask, chosen)
    files = _files(ask)
    groups: dict[tuple[int, Path], list[str]] = {}
    for run_id, depth in _depths(plan, chosen).items():
        groups.setdefault((depth, noted_folder(files.get(run_id), workspace)), []).append(run_id)
    return [
        Round(folder, plan.with_needs(runs), tuple(runs))
        for (_, folder), runs in sorted(groups.items(), key=lambda item: item[0])
    ]


def stored_plan(ask: Ask, chosen: Collection[str]) -> Plan:
    """Some stored runs, which make all their checkpoints, after those that they need."""
    needs: dict[str, list[tuple[str, str]]] = {}
    for run_id, role, needed in ask("SELECT run_id, role, needs FROM dependency ORDER BY ALL").rows:
        needs.setdefault(run_id, []).append((role, needed))
    kept: dict[str, list[int]] = {}
    for run_id, epoch in ask(f"SELECT run_id, epoch FROM artifact WHERE name = {literal(CHECKPOINT)}").rows:
        kept.setdefault(run_id, []).append(epoch)
    order = list(_in_order(chosen, needs))
    specs = {row[0]: row[1:] for row in ask(_RUNS.format(ids=", ".join(map(literal, order)))).rows}
    plan = Plan()
    for run_id in order:
        text, source, setting = specs[run_id]
        spec = _read_spec(run_id, text)
        own = tuple(Need(role, needed, epochs_read(spec, role)) for role, needed in needs.get(run_id, ()))
        training = as_training(spec)
        checkpoints = {*kept.get(run_id, ()), *([training.train.epochs] if training else ())}
        made = tuple(sorted(checkpoints)) if run_id in chosen else ()
        plan.add(Run(run_id, setting or "", spec, source or "", own, made))
    return plan


def audit(
    rounds: Iterable[Round],
    workspace: Workspace,
    display: Display,
    options: Options,
    make_workers: Callable[[Workspace, Path], Workers],
) -> Iterator[Finding]:
    """Compute runs anew and compare them, one round after another; nothing is written into the workspace.

    Raises:
        KeyboardInterrupt: If it was asked to stop.
        LinstudyError: As `carry_out`.
    """
    for one in rounds:
        with TemporaryDirectory(prefix="linstudy-verify-", dir=options.scratch) as place:
            scratch = Workspace(Path(place))
            interrupted = _compute(one, workspace, scratch, display, options, make_workers(scratch, one.folder))
            yield from _compare(one, workspace, scratch)
        if interrupted:
            raise KeyboardInterrupt


_DONE = "SELECT run_id FROM runs WHERE status = 'done'"
_RUNS = "SELECT run_id, spec::VARCHAR, source, setting_id FROM run WHERE run_id IN ({ids})"

_MADE = """
SELECT status, error, versions, methods, device, host, git_commit, dirty FROM attempt WHERE run_id = {run_id}
ORDER BY attempt_id DESC LIMIT 1
"""


def _sound(stored: Mapping[str, Stored], store: ArtifactStore) -> dict[str, Stored]:
    """What is stored, without the files that are not there."""
    lost = {own.path for one in stored.values() for own in one.artifacts.values() if not store.file(own.path).is_file()}
    return {run_id: one.without(lost) for run_id, one in stored.items()}


def _files(ask: Ask) -> dict[str, str | None]:
    """The noted file of a study of each run, of one whose file is known if there is one."""
    of_studies = "(SELECT name AS study, variant, file FROM study)"
    noted = f"SELECT run_id, arg_min(file, (study, variant)) FROM study_run JOIN {of_studies} USING (study, variant)"
    return dict(ask(f"{noted} GROUP BY run_id").rows)


def _in_order(chosen: Collection[str], needs: Mapping[str, Sequence[tuple[str, str]]]) -> dict[str, None]:
    """Runs and all that they need, each after what it needs."""
    order: dict[str, None] = {}

    def add(run_id: str) -> None:
        if run_id not in order:
            for _, needed in needs.get(run_id, ()):
                add(needed)
            order[run_id] = None

    for run_id in chosen:
        add(run_id)
    return order


def _depths(plan: Plan, chosen: Collection[str]) -> dict[str, int]:
    """How many chosen runs stand behind each other at most, up to each chosen one."""
    depths: dict[str, int] = {}
    for run_id, run in plan.runs.items():
        below = max((depths[need.run_id] for need in run.needs), default=0)
        depths[run_id] = below + (run_id in chosen)
    return {run_id: depth for run_id, depth in depths.items() if run_id in chosen}


def _read_spec(run_id: str, text: str) -> RunSpec:
    try:
        return read_spec(text)
    except ValidationError as error:
        raise LinstudyError(
            f"run {run_id}: this linstudy cannot read its spec, which another version stored. Leave it out: "
            f"--only \"run_id <> '{run_id}'\""
        ) from error


def _compute(
    one: Round, workspace: Workspace, scratch: Workspace, display: Display, options: Options, workers: Workers
) -> bool:
    """Compute the runs of a round; whether it was interrupted."""
    with scratch.lock(), Ledger.open(scratch) as ledger:
        ledger.register(StudyRow("verify", "", "", ""), run_rows(one.plan))
        needed = one.plan.runs.keys() - set(one.chosen)
        store, target = ArtifactStore(workspace.artifacts), ArtifactStore(scratch.artifacts)
        for path in copy_history(ledger, workspace.results, needed):
            store.link(path, target)
        anew = replace(options, again=one.chosen, fuse=False)
        made_from = partial(origin, git_state(one.folder))
        return carry_out(one.plan, ledger, scratch, display, anew, workers, made_from).interrupted


def _compare(one: Round, workspace: Workspace, scratch: Workspace) -> Iterator[Finding]:
    with open_published(workspace.results) as ask_then, open_published(scratch.results) as ask_now:
        then = Side(ask_then, ArtifactStore(workspace.artifacts))
        now = Side(ask_now, ArtifactStore(scratch.artifacts))
        for run_id in one.chosen:
            run = one.plan.runs[run_id]
            made, anew = _made(run, ask_then), _made(run, ask_now)
            if anew is None:
                [(why,)] = ask_now("SELECT any_value(error) FROM attempt WHERE status = 'failed'").rows
                yield Finding(run, "not run", f"a run that it needs failed: {why}" if why else None, (), {})
                continue
            status, error, how = anew
            before = made[2] if made else {}
            is_done = status == "done"
            if run_id != run_identity(run.spec, [need.run_id for need in run.needs], run.source):
                before, how = {**before, "numerics": "earlier"}, {**how, "numerics": "today's"}
            changes = {
                name: (before.get(name, "none"), how.get(name, "none"))
                for name in dict.fromkeys([*before, *how])
                if before.get(name) != how.get(name) and (is_done or name in how)
            }
            yield Finding(run, status, error, compare_run(run_id, then, now) if is_done else (), changes)


def _made(run: Run, ask: Ask) -> tuple[str, str | None, dict[str, str]] | None:
    """The status and error of the last attempt at a run, and what it was made by and on."""
    rows = ask(_MADE.format(run_id=literal(run.run_id))).rows
    if not rows:
        return None
    [(status, error, versions, methods, device, host, commit, dirty)] = rows
    named = {"device": device, "host": host, "commit": commit and commit[:_DIGITS_OF_COMMIT] + "+" * bool(dirty)}
    known = {**(versions or {}), **named, **(methods or {})}
    return status, error, {name: value for name, value in known.items() if value}
