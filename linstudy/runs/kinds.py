"""The table of the kinds of run."""

from collections.abc import Callable

from linstudy.runs import nads, probe, spectrum, training
from linstudy.runs.events import Emit
from linstudy.runs.job import Job

KINDS: dict[str, Callable[[Job, Emit], None]] = {
    "spectrum": spectrum.run,
    "nads": nads.run,
    "training": training.run,
    "probe": probe.run,
}
