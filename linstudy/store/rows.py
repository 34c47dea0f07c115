"""What is registered before anything runs: studies and their runs."""

from collections.abc import Mapping
from typing import NamedTuple


class StudyRow(NamedTuple):
    """A study as it was read; `variant` tells its profiles and overrides apart."""

    name: str
    variant: str
    title: str
    document: str


class RunRow(NamedTuple):
    """A point of a study: its complete spec, and the (role, run_id) of every run that it needs."""

    run_id: str
    kind: str
    spec: Mapping[str, object]
    dependencies: tuple[tuple[str, str], ...] = ()
    source: str | None = None
