"""A real Slurm on this machine, of a few nodes of two processors each, for as long as a test needs it.

All that it writes is in one folder; it has its own ports, its own munge and its own configuration, which `SLURM_CONF`
names, so that it disturbs no other Slurm here. It needs root and Debian's packages slurm-wlm and munge.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from waiting import wait_for

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "scancel")

_CONFIGURATION = """\
ClusterName=small
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
StateSaveLocation={folder}/controller
SlurmdSpoolDir={folder}/%n
SlurmctldLogFile={folder}/controller.log
SlurmdLogFile={folder}/%n.log
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/%n.pid
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=10
SlurmdTimeout=5
SchedulerParameters=sched_min_interval=1000
{nodes}
PartitionName=main Nodes=n[1-{count}] Default=YES MaxTime=60 State=UP
"""


def is_there():
    """Whether this machine can have one."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and all(map(shutil.which, PROGRAMS))


@dataclass
class SmallSlurm:
    """Its folder and the processes of its daemons, by node; `controller` and `munge` are two of them."""

    folder: Path
    count: int
    daemons: dict[str, subprocess.Popen] = field(default_factory=dict)

    @property
    def environment(self):
        """What a command needs to use it."""
        own = {name: text for name, text in os.environ.items() if not name.startswith("SLURM")}
        return {**own, "SLURM_CONF": str(self.folder / "slurm.conf")}

    @property
    def nodes(self):
        return [f"n{number}" for number in range(1, self.count + 1)]

    def start(self):
        host, ports = socket.gethostname().split(".")[0], _free_ports(self.count + 1)
        lines = [
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=4000 State=UNKNOWN"
            for node, port in zip(self.nodes, ports[1:], strict=True)
        ]
        (self.folder / "slurm.conf").write_text(
            _CONFIGURATION.format(
                host=host, controller=ports[0], folder=self.folder, count=self.count, nodes="\n".join(lines)
            )
        )
        for name in ("controller", *self.nodes):
            (self.folder / name).mkdir()
        self._start_munge()
        self.daemons["controller"] = self._daemon("slurmctld", "-D", "-i")
        for node in self.nodes:
            self.start_node(node)
        self.wait_until_idle()

    def restart_controller(self, seconds):
        """Without a controller for so long."""
        _kill(self.daemons.pop("controller"))
        time.sleep(seconds)
        self.daemons["controller"] = self._daemon("slurmctld", "-D")

    def start_node(self, node):
        self.daemons[node] = self._daemon("slurmd", "-D", "-N", node)

    def kill_node(self, node):
        """As a power cut: its daemon and all steps end at once, and nobody is told."""
        _kill(self.daemons.pop(node))
        self._end_steps(node)

    def run(self, *command, check=True, **options):
        """What a command of Slurm prints."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60, check=False, **options
        )
        assert not check or done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def start_again(self, job):
        """Let a requeued job begin, which Slurm does after two minutes by itself.

        Before its script has ended, that end would be taken for the new one's; within the same second, a node takes
        the new script for the old one, which it was told to end.
        """
        step = f"slurmstepd: [{job}.".encode()
        wait_for(lambda: not any(_command(entry).startswith(step) for entry in _processes()), describe=self.describe)
        time.sleep(1.1)
        self.run("scontrol", "update", f"JobId={job}", "StartTime=now", check=False)

    def wait_until_idle(self, seconds=60):
        wait_for(
            lambda: self.run("sinfo", "-h", "-N", "-o", "%T", check=False).split() == ["idle"] * self.count,
            seconds=seconds,
            describe=lambda: (self.run("sinfo", "-R"), self.log("controller")),
        )

    def describe(self):
        """What it says of its jobs and nodes."""
        said = [self.run("scontrol", "show", what, check=False) for what in ("jobs", "nodes")]
        logs = [self.log(name) for name in ("controller", *self.nodes)]
        return "\n".join((*said, *logs))

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()[-6000:]

    def stop(self):
        for job in self.run("squeue", "-h", "-o", "%A", check=False).split():
            self.run("scancel", "--signal=KILL", "--full", job, check=False)
        for node in self.nodes:
            self._end_steps(node)
        for daemon in self.daemons.values():
            _kill(daemon)

    def _start_munge(self):
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        files = {name: self.folder / f"munge.{name}" for name in ("socket", "log", "pid", "seed")}
        self.daemons["munge"] = self._daemon(
            *("munged", "--foreground", "--force", f"--key-file={key}", f"--socket={files['socket']}"),
            *(f"--{name}-file={files[name]}" for name in ("log", "pid", "seed")),
        )
        wait_for(files["socket"].exists, seconds=10, describe=files["log"].read_text)

    def _daemon(self, *command):
        with (self.folder / "daemons.log").open("a") as log:
            return subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, start_new_session=True)

    def _end_steps(self, node):
        """Kill what serves the steps of a node, which is known by its log; the steps end with it."""
        log = str(self.folder / f"{node}.log")
        for entry in _processes():
            with contextlib.suppress(OSError):
                if _command(entry).startswith(b"slurmstepd:") and log in map(os.readlink, (entry / "fd").iterdir()):
                    os.kill(int(entry.name), signal.SIGKILL)


@contextmanager
def small_slurm(count=3) -> Iterator[SmallSlurm]:
    """A Slurm, until the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix="small-slurm-"))
    folder.chmod(0o755)  # munge asks for it
    slurm = SmallSlurm(folder, count)
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _processes():
    return Path("/proc").glob("[0-9]*")


def _command(entry):
    with contextlib.suppress(OSError):
        return (entry / "cmdline").read_bytes()
    return b""


def _free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _kill(process):
    process.kill()
    process.wait()
