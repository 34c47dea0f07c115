"""What is registered before anything runs: studies and their runs."""

from collections.abc import Mapping
from typing import NamedTuple


class StudyRow(NamedTuple):
    """A study as it was read; `variant` tells its profiles and overrides apart, `file` is where, None if not known."""

    name: str
    variant: str
    title: str
    document: str
    file: str | None = None


def study_name(name: str, variant: str) -> str:
    """A study, and which variant of it, as people read it."""
    return f"{name} [{variant}]" if variant else name


class RunRow(NamedTuple):
    """A point of a study: its complete spec, the (role, run_id) of every run that it needs, and its setting."""

    run_id: str
    kind: str
    spec: Mapping[str, object]
    dependencies: tuple[tuple[str, str], ...] = ()
    source: str | None = None
    setting_id: str | None = None
