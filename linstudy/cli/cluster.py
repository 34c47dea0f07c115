"""Commands for a cluster: give a study to its queue."""

import sys
from pathlib import Path
from typing import Any

import click

from linstudy.cli.options import DATA, ONLY, PROFILE, SET, STUDY, WORKSPACE, MemorySize, example
from linstudy.cli.running import run
from linstudy.failures import INTERRUPTED
from linstudy.spec.errors import LinstudyError

_PER_WORKER = click.IntRange(min=1)
_OWN = ("--launch", "--dask", "--workers")
"""Options of `run` for which `submit` has its own."""


class _TimeLimit(click.ParamType):
    """A time limit as Slurm has it."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from linstudy.workers.batch import check_time

        try:
            check_time(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return value


@example("linstudy submit kernel_rotation --partition gpu --gpus-per-worker 1 --workers 4 --time 4:00:00")
@click.command()
@STUDY
@click.argument("more", nargs=-1, type=click.UNPROCESSED)
@PROFILE
@SET
@ONLY
@WORKSPACE
@DATA
@click.option("--workers", type=_PER_WORKER, default=1, help="Worker processes, each a task of the job.  [default: 1]")
@click.option("--cpus-per-worker", "cpus", type=_PER_WORKER, default=1, help="[default: 1]")
@click.option("--gpus-per-worker", "gpus", type=click.IntRange(min=0), default=0, help="[default: none]")
@click.option("--memory-per-worker", "memory", type=MemorySize(), help="As in 12GB.  [default: the partition's]")
@click.option("--partition", help="Of the queue.  [default: the queue's]")
@click.option("--time", type=_TimeLimit(), help="Limit, as in 4:00:00, before which the study stops and is requeued.")
@click.option("--sbatch", "options", multiple=True, metavar="OPTION", help="Further, as in --account=abc; repeatable.")
@click.option("--dry-run", is_flag=True, help="Print the script; submit nothing.")
def submit(
    study: Path,
    more: tuple[str, ...],
    profile: str | None,
    overrides: tuple[str, ...],
    condition: str | None,
    workspace: Path,
    data_folder: Path | None,
    workers: int,
    cpus: int,
    gpus: int,
    memory: int | None,
    partition: str | None,
    time: str | None,
    options: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Run STUDY as one job of Slurm, whose workers are its tasks. After `--`, MORE options go to `linstudy run`.

    Before its time limit the job stops, publishes and is requeued, until the study has ended. The script is kept in the
    workspace. `linstudy watch` and `linstudy status` show how it goes, from any node.
    """
    from linstudy.execute.coordinator import GRACE
    from linstudy.prepare.study import choose_runs, plan_study
    from linstudy.store.workspace import Workspace
    from linstudy.workers.batch import SECONDS_BEFORE_END, Demand, batch_script, queued_job, submit_script

    if taken := [word for word in more if word.split("=")[0] in _OWN]:
        raise click.UsageError(
            f"{taken[0]} is for submit to say: `linstudy submit --help` tells how many workers, and on what"
        )
    loaded, plan = plan_study(study, profile, overrides, data_folder)  # what is wrong is told now, not by the job
    choose_runs(loaded, plan, condition, Workspace(workspace))
    given = {"profile": profile, "only": condition, "workspace": workspace.absolute()}
    if data_folder:
        given["data"] = data_folder.absolute()
    words = [f"--{name}={value}" for name, value in given.items() if value is not None]
    words += [f"--set={override}" for override in overrides]
    words = [str(study), *words, "--launch=slurm", f"--workers={workers}", *more]
    chosen = run.make_context("run", [*words], parent=click.get_current_context().find_root()).params
    if (chosen["grace"] or 0) > GRACE:
        raise click.UsageError(
            f"--grace={chosen['grace']:g} is more than a job has: it is asked to stop {SECONDS_BEFORE_END} s before "
            f"its limit, and publishes in that time too. At most {GRACE:g}"
        )
    demand = Demand(workers, cpus, gpus, memory, partition, time, options)
    place, name = Workspace(workspace.absolute()).jobs, f"linstudy-{loaded.name}"
    command = [sys.executable, "-m", "linstudy", "run", *words]
    script = batch_script(name, command, Path.cwd(), place, demand, INTERRUPTED)
    if dry_run:
        click.echo(script, nl=False)
        return
    if earlier := queued_job(place):
        raise LinstudyError(f"job {earlier} has this workspace. Wait for its end, or: scancel {earlier.split()[0]}")
    job = submit_script(script, place / f"{name}.sh")
    click.echo(f"job {job}: {place / f'{name}.sh'}\nIt prints to {place / f'{name}-{job}.log'}")
    click.echo(f"Look at it by: linstudy watch --workspace {workspace}")
