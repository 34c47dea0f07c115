"""The run `probe`: one probe on the checkpoints of a training."""

from dataclasses import replace

from linstudy.facts import CHECKPOINT, Method, Vector
from linstudy.probes.kinds import PROBES
from linstudy.probes.subject import Finding, Subject
from linstudy.runs.context import label_data, progress_of
from linstudy.runs.job import Job
from linstudy.runs.networks import starting_point, stored_state, with_state
from linstudy.runs.precision import measuring_precision, precision
from linstudy.spec.run import ProbeRun
from linstudy.tangent import freeze


def run(job: Job) -> None:
    """Measure the model at every epoch of the probe, with its batch norm frozen at the statistics of that epoch."""
    spec = job.spec
    assert isinstance(spec, ProbeRun)
    epochs = [epoch for leg in job.legs for epoch in leg.make]

    def chose(what: str, how: str) -> None:
        job.tell(Method(what, how))

    chosen = measuring_precision(spec.train.precision)
    with precision(chosen):
        data = label_data(job, chosen)
        model, statistics = starting_point(job, spec, data.train_inputs.shape[1:])
        for position, epoch in enumerate(epochs):
            arrays = job.load("training", CHECKPOINT, epoch)
            state = stored_state(arrays, model, statistics, spec.train)
            share = [(position + part) / len(epochs) for part in (0, 1)]
            report = progress_of(job, f"epoch {epoch}", *share)
            network = freeze(*with_state(model, state))
            subject = Subject(network, spec.model, data, job.resources, job.needed, report, chose)
            found = PROBES[spec.probe.kind](spec.probe, subject)
            job.tell(*[_place(one, epoch, int(state.step), spec.probe.label) for one in found])


def _place(found: Finding, epoch: int, step: int, label: str) -> Finding:
    """What was found, at its epoch."""
    if isinstance(found, Vector):
        return replace(found, epoch=epoch, label=label)
    return replace(found, epoch=epoch, step=step, label=label)
