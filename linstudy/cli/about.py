"""Commands about linstudy itself."""

from pathlib import Path

import click

from linstudy.cli.options import DATA, REPORTS, WORKSPACE, example
from linstudy.cli.output import print_lines
from linstudy.failures import FAILED


@example("linstudy schema > studies/schema.json")
@click.command()
def schema() -> None:
    """Print the JSON Schema of a study file, for editors."""
    import json

    from linstudy.spec.study import study_schema

    click.echo(json.dumps(study_schema(), indent=2, ensure_ascii=False))


@example("linstudy doctor")
@click.command()
@WORKSPACE
@DATA
@REPORTS
@click.pass_context
def doctor(context: click.Context, workspace: Path, data_folder: Path | None, reports: Path | None) -> None:
    """Check the installation: versions, devices, folders, data, whether a small gradient is right.

    A report of a bug should have all that it prints.
    """
    from linstudy.execute.doctor import diagnose
    from linstudy.report.question import reports_folder

    healthy = True
    for finding in diagnose(workspace, data_folder, reports or reports_folder()):
        healthy &= finding.fine is not False
        print_lines([str(finding)])
    context.exit(0 if healthy else FAILED)
