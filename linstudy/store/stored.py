"""What a ledger, or what was published of it, holds of each run."""

from collections.abc import Callable
from typing import Any

from linstudy.facts import Artifact
from linstudy.history import Stored

Ask = Callable[[str], list[tuple[Any, ...]]]
"""Runs SQL, and gives its rows."""

_ATTEMPTS = """
SELECT run_id, arg_max(status, attempt_id), arg_max(fingerprint, attempt_id) FILTER (fingerprint IS NOT NULL)
FROM attempt GROUP BY run_id
"""
_ARTIFACTS = "SELECT run_id, name, path, sha256, bytes, epoch FROM artifact"
_TOLD = """
SELECT run_id, max(epoch) FROM (SELECT run_id, epoch FROM metric UNION ALL SELECT run_id, epoch FROM vector)
WHERE epoch IS NOT NULL GROUP BY run_id
"""


def read_stored(ask: Ask) -> dict[str, Stored]:
    """What is stored of every run that was ever tried."""
    artifacts: dict[str, dict[tuple[str, int | None], Artifact]] = {}
    for run_id, *own in ask(_ARTIFACTS):
        artifact = Artifact(*own)
        artifacts.setdefault(run_id, {})[artifact.name, artifact.epoch] = artifact
    told = dict(ask(_TOLD))
    return {
        run_id: Stored(status, artifacts.get(run_id, {}), told.get(run_id), fingerprint)
        for run_id, status, fingerprint in ask(_ATTEMPTS)
    }
