"""The job of a queue that runs a study: a script for Slurm, kept in the workspace, and its submission."""

import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from linstudy.spec.errors import LinstudyError
from linstudy.store.files import replacement

SECONDS_BEFORE_END = 120
"""Before its time limit a job asks its study to stop: the 60 seconds of `--grace`, and publishing."""

_TIME = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")
_NO_LIMIT = ("0", "INFINITE", "UNLIMITED")

_SCRIPT = """\
#!/bin/bash
# Made by `linstudy submit`. The study stops before the time limit, and the job is requeued until the study has ended.
{options}

cd {folder}
{command} &
study=$!
trap 'again=yes; kill -USR1 $study' USR1
trap 'kill -TERM $study' TERM
while kill -0 $study 2>/dev/null; do
  wait $study  # which a signal ends too, with a status of its own
done
wait $study
status=$?
if [ "$again" = yes ] && {{ [ $status = {interrupted} ] || [ $status = {killed} ]; }}; then
  for attempt in 1 2 3 4 5 6; do  # the controller may be away
    scontrol requeue "$SLURM_JOB_ID" && exit
    sleep 5
  done
fi
exit $status
"""


@dataclass(frozen=True)
class Demand:
    """What a job asks for. Further options of `sbatch` are in `options`, as its command line has them.

    Attributes:
        cpus, gpus: Of each worker.
        memory: Bytes of each worker; the partition's default if None.
        time: The limit, as Slurm writes it: minutes, or hours:minutes:seconds, or days-hours.
    """

    workers: int = 1
    cpus: int = 1
    gpus: int = 0
    memory: int | None = None
    partition: str | None = None
    time: str | None = None
    options: Sequence[str] = ()

    def lines(self) -> list[str]:
        """The options of `sbatch`."""
        asked = {
            "ntasks": self.workers,
            "cpus-per-task": self.cpus,
            "gpus-per-task": self.gpus or None,
            "mem-per-cpu": f"{-(-self.memory // (self.cpus * 2**20))}M" if self.memory else None,
            "partition": self.partition,
            "time": self.time,
        }
        return [*(f"--{name}={value}" for name, value in asked.items() if value is not None), *self.options]


def batch_script(name: str, command: Sequence[str], folder: Path, logs: Path, demand: Demand, interrupted: int) -> str:
    """The script of a job.

    Args:
        command: What runs the study and ends with the status `interrupted` where it is to go on later.
        folder: Where the command is given.
        logs: The folder of what the job prints, absolute.
    """
    options = [
        f"--job-name={name}",
        shlex.quote(f"--output={logs / f'{name}-%j.log'}"),
        "--open-mode=append",
        f"--signal=B:USR1@{SECONDS_BEFORE_END}",
        "--requeue",
        "--no-kill",  # a node that fails takes its workers along, not the job
        *demand.lines(),
    ]
    return _SCRIPT.format(
        options="\n".join(f"#SBATCH {option}" for option in options),
        folder=shlex.quote(str(folder)),
        command=shlex.join(command),
        interrupted=interrupted,
        killed=128 + signal.SIGUSR1,  # before, or after, the study listens to it
    )


def check_time(limit: str) -> None:
    """See that a time limit is one, as Slurm reads it, and that it leaves a job time to compute.

    Raises:
        ValueError: If not.
    """
    if limit.upper() in _NO_LIMIT:
        return
    if not (found := _TIME.fullmatch(limit)):
        raise ValueError(f"{limit} is no time limit. Write minutes, or hours:minutes:seconds, or days-hours")
    days, *parts = found.groups()
    numbers = [int(part) for part in parts if part]
    units = (3600, 60, 1) if days or len(numbers) == 3 else (60, 1, 0)
    seconds = 86400 * int(days or 0) + sum(number * unit for number, unit in zip(numbers, units, strict=False))
    if seconds <= SECONDS_BEFORE_END:
        raise ValueError(
            f"a job of {seconds} s would stop at once: it stops its study {SECONDS_BEFORE_END} s before its limit"
        )


def queued_job(folder: Path) -> str | None:
    """The job, with its state, that has a script of a folder and has not ended; None if there is none."""
    if shutil.which("squeue") is None:
        return None
    listed = subprocess.run(["squeue", "--me", "-h", "-o", "%i (%T) %o"], capture_output=True, text=True, check=False)
    for line in listed.stdout.splitlines():
        job, state, *file = line.split(maxsplit=2)  # of a job without a script there may be no more
        if file and Path(file[0]).parent == folder:
            return f"{job} {state}"
    return None


def submit_script(script: str, file: Path) -> str:
    """Keep a script and give it to Slurm.

    Returns:
        The job's number.

    Raises:
        LinstudyError: If there is no Slurm here, or it does not take the job.
    """
    if shutil.which("sbatch") is None:
        raise LinstudyError("`sbatch` is not here: submit needs Slurm. `linstudy run STUDY` runs the study here")
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacement(file) as place:
        place.write_text(script)
    done = subprocess.run(["sbatch", "--parsable", str(file)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LinstudyError(f"Slurm does not take the job {file}: {done.stderr.strip()}")
    return done.stdout.split(";")[0].strip()
