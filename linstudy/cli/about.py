"""Commands about linstudy itself."""

from itertools import chain
from pathlib import Path

import click

from linstudy.cli.options import DATA, LAUNCH, REPORTS, WORKSPACE, example
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
@LAUNCH
@click.pass_context
def doctor(
    context: click.Context, workspace: Path, data_folder: Path | None, reports: Path | None, launcher: str | None
) -> None:
    """Check the installation: versions, devices, folders, data, whether a small gradient is right.

    With --launch, start a worker as `run` would, and see that it finds the workspace and the same packages.

    A report of a bug should have all that it prints.
    """
    from linstudy.describe.doctor import diagnose
    from linstudy.report.question import reports_folder

    healthy = True
    findings = diagnose(workspace, data_folder, reports or reports_folder())
    if launcher is not None:
        from linstudy.describe.trial import try_launch
        from linstudy.store.workspace import Workspace
        from linstudy.workers.launch import plan_launch

        launch = plan_launch(launcher, None, None, None)
        findings = chain(findings, try_launch(launch, Workspace(workspace), data_folder))
    for finding in findings:
        healthy &= finding.fine is not False
        print_lines([str(finding)])
    context.exit(0 if healthy else FAILED)
