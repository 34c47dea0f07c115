"""The program `linstudy`: its commands, and where each of them ends."""

import os
import sys
from contextlib import suppress

import click

from linstudy import __version__
from linstudy.cli import about, cluster, keeping, notes, reports, results, running, runs
from linstudy.failures import Command, run_command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="linstudy")
def cli() -> None:
    """When does the linear (NTK) picture of a network say something true about it?"""


for command in (
    *(running.run, running.plan, running.watch, running.studies),
    cluster.submit,
    *(results.status, results.query, results.export, results.import_),
    *(runs.show, runs.log, runs.why, runs.diff, runs.code),
    *(notes.note, notes.tag),
    *(reports.figure, reports.report, reports.page),
    *(keeping.forget, keeping.clean, keeping.verify),
    *(about.schema, about.doctor),
):
    cli.add_command(command)


def main() -> None:
    """Entry point: every command ends here, with the status that `run_command` decides."""
    command = Command(sys.argv)
    sys.exit(run_command(lambda: _call(command), command))


def _call(command: Command) -> None:
    if "_LINSTUDY_COMPLETE" in os.environ:  # a shell asks for completions, and shows whatever is said
        with suppress(Exception, SystemExit):
            cli(prog_name="linstudy")
        return
    # What click's own `main` adds is an end of its own: it takes a closed pipe for a failure, and EOFError for Ctrl-C.
    with cli.make_context("linstudy", list(command.arguments[1:]), obj=command) as context:
        cli.invoke(context)
