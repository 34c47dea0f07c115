"""Arguments and options that several commands take."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from linstudy.cli.completion import complete_profile, complete_study
from linstudy.failures import Command


def _note_workspace(context: click.Context, parameter: click.Parameter, value: Path) -> Path:
    context.ensure_object(Command).workspace = value
    return value


class MemorySize(click.ParamType):
    """A size such as 12GB, in bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from linstudy.machine import parse_memory

        try:
            return value if isinstance(value, int) else parse_memory(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


STUDY = click.argument("study", type=click.Path(path_type=Path), shell_complete=complete_study)
WORKSPACE = click.option(
    "--workspace",
    callback=_note_workspace,
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("."),
    help="Folder of the results.  [default: the current one]",
)
FORMATS = ("table", "csv", "json", "parquet")
DATA = click.option(
    "--data",
    "data_folder",
    envvar="LINSTUDY_DATA",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the data sets (LINSTUDY_DATA).  [default: the platform's cache]",
)
PROFILE = click.option("--profile", shell_complete=complete_profile, help="Apply one of the study's profiles.")
SET = click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Replace a value; repeatable.")
ONLY = click.option(
    "--only",
    "condition",
    metavar="CONDITION",
    help="Only runs for which this SQL over the columns of `runs` holds, and what they need.",
)
WORKERS = click.option(
    "--workers", type=click.IntRange(min=1), help="Worker processes.  [default: one per accelerator, else one]"
)
LAUNCH = click.option(
    "--launch",
    "launcher",
    metavar="LAUNCHER",
    help="Start workers by `slurm`, in this allocation, or by words before their command, as in 'ssh host'.",
)
DASK = click.option(
    "--dask",
    "scheduler",
    metavar="SCHEDULER",
    help="Start workers in a Dask cluster: the address of its scheduler, its scheduler file, or `local`.",
)
DEVICE = click.option("--device", help="cpu, gpu or another platform of JAX.  [default: the best there is]")
MEMORY = click.option(
    "--memory",
    type=MemorySize(),
    help="Memory that all workers together may use, as in 12GB.  [default: what machine, container or queue give]",
)
SCRATCH = click.option(
    "--scratch",
    type=click.Path(file_okay=False, exists=True, writable=True, path_type=Path),
    help="Folder for files that exceed memory.  [default: in the workspace]",
)
LEDGER = click.option(
    "--ledger",
    "ledger_folder",
    envvar="LINSTUDY_LEDGER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder on a local disk for the ledger while it runs (LINSTUDY_LEDGER).  [default: in the workspace]",
)
SELECTED = click.option(
    "--only", "condition", metavar="CONDITION", help="Only runs for which this SQL over the columns of `runs` holds."
)
YES = click.option("--yes", is_flag=True, help="Do it.  [default: say what would be done]")
REPORTS = click.option(
    "--reports",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the figures' and claims' SQL.  [default: reports, or what linstudy comes with]",
)
OUT = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to write.  [default: report/ in the workspace]",
)


def example(text: str) -> Callable[[Any], Any]:
    def add(command: Any) -> Any:
        command.epilog = f"\b\nExample:\n  {text}"
        return command

    return add
