"""The run `probe`: one probe on the checkpoints of a training."""

from linstudy.probes.kinds import PROBES
from linstudy.probes.subject import Subject
from linstudy.runs.context import labelled, progress_of
from linstudy.runs.events import Chose, Emit, Measured, Restarted
from linstudy.runs.job import CHECKPOINT, Job
from linstudy.runs.networks import starting_point, stored_state, with_state
from linstudy.runs.precision import measuring, precision
from linstudy.spec.run import ProbeRun
from linstudy.tangent import freeze


def run(job: Job, emit: Emit) -> None:
    """Measure the model at every epoch of the probe, with its batch norm frozen at the statistics of that epoch."""
    spec = job.spec
    assert isinstance(spec, ProbeRun)
    emit(Restarted())

    def chose(what: str, how: str) -> None:
        emit(Chose(what, how))

    chosen = measuring(spec.train.precision)
    with precision(chosen):
        data = labelled(job, emit, chosen)
        model, statistics = starting_point(job, spec, data)
        for position, epoch in enumerate(spec.epochs):
            arrays = job.load("training", CHECKPOINT, epoch)
            state = stored_state(arrays, model, statistics, spec.train, data)
            share = [(position + part) / len(spec.epochs) for part in (0, 1)]
            report = progress_of(job, emit, f"epoch {epoch}", *share)
            subject = Subject(freeze(*with_state(model, state)), data, job.resources, job.needed, report, chose)
            for found in PROBES[spec.probe.kind](spec.probe, subject):
                emit(
                    Measured(
                        found.metric,
                        found.value,
                        found.split,
                        epoch=epoch,
                        step=int(state.step),
                        label=spec.probe.label,
                    )
                )
