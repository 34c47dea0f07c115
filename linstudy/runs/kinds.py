"""The table of the kinds of run."""

from collections.abc import Callable, Sequence

from linstudy.runs import nads, probe, spectrum, training
from linstudy.runs.job import Job

KINDS: dict[str, Callable[[Job], None]] = {
    "spectrum": spectrum.run,
    "nads": nads.run,
    "training": training.run,
    "probe": probe.run,
}

TOGETHER: dict[str, Callable[[Sequence[Job]], None]] = {"training": training.run_together}
"""The kinds of which several runs can be made at once: those of one `linstudy.plan.fusion_key`."""

ASSISTS: dict[str, Callable[[Job, str, Callable[[], bool]], None]] = {"spectrum": spectrum.assist}
"""The kinds that tell `linstudy.facts.Divided`, and how another worker helps with a run."""
