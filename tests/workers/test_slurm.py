"""Studies in a Slurm allocation: what there is room for; and a real Slurm of three nodes, whose nodes and steps end."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from small_slurm import is_there, small_slurm
from waiting import wait_for

from linstudy.execute.live import Live
from linstudy.spec.errors import LinstudyError
from linstudy.workers import batch
from linstudy.workers import slurm as slurm_module
from linstudy.workers.batch import Demand, batch_script, check_time, submit_script
from linstudy.workers.slurm import Allocation, Steps, fit

needs_slurm = pytest.mark.skipif(not is_there(), reason="needs root, and Debian's packages slurm-wlm and munge")

GIB = 2**30

THREE = """
study: three
data: {kind: npz, path: samples.npz, train: 64, test: 32}
model: {kind: mlp, hidden: [8]}
train: {epochs: 2, batch_size: 16}
seeds: [0, 1, 2]
probes: [{kind: alignment, top: 5, at: [start, end]}]
"""
ENDLESS = """
study: endless
data: {kind: npz, path: samples.npz, train: 800, test: 32}
model: {kind: mlp, hidden: [16]}
train: {epochs: 100000, batch_size: 4}
seeds: [0, 1]
"""
CONTENT = (
    "SELECT run_id, name, label, split, epoch, step, value FROM metric ORDER BY ALL",
    "SELECT run_id, name, epoch, sha256 FROM artifact ORDER BY ALL",
)


def allocation(cpus="2(x3)", **variables):
    return Allocation.read({"SLURM_JOB_ID": "1", "SLURM_JOB_CPUS_PER_NODE": cpus, **variables})


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine of 24 GiB, for Slurm that does not count memory."""
    monkeypatch.setattr(slurm_module, "available_memory", lambda: 24 * GIB)


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("2", (2,)), ("2(x3)", (2, 2, 2)), ("16(x2),8", (16, 16, 8)), ("4,2(x2),1", (4, 2, 2, 1))],
)
def test_the_processors_of_each_node(text, cpus):
    assert allocation(text).cpus == cpus


def test_outside_of_an_allocation_it_is_said_how_to_come_into_one():
    with pytest.raises(LinstudyError, match="salloc.*linstudy submit"):
        Allocation.read({})


@pytest.mark.parametrize(
    ("variables", "workers", "count", "cpus"),
    [
        ({}, None, 3, 2),  # one a node
        ({"SLURM_NTASKS": "6"}, None, 6, 1),
        ({"SLURM_NTASKS": "3", "SLURM_CPUS_PER_TASK": "2"}, None, 3, 2),
        ({"SLURM_NTASKS": "3", "SLURM_CPUS_PER_TASK": "2"}, 3, 3, 2),
        ({"SLURM_NTASKS": "3", "SLURM_CPUS_PER_TASK": "1"}, None, 3, 1),
        ({"SLURM_NTASKS": "3", "SLURM_CPUS_PER_TASK": "2"}, 5, 5, 1),  # another number has other processors
        ({}, 1, 1, 2),
        ({"cpus": "8(x2)"}, 5, 5, 2),  # of 3 processors only 4 have room
        ({"cpus": "16,4"}, 5, 5, 4),
    ],
)
def test_the_workers_that_there_is_room_for(variables, workers, count, cpus):
    steps = fit(allocation(**variables), workers)
    assert (steps.count, steps.cpus) == (count, cpus)


@pytest.mark.parametrize(
    ("variables", "workers", "message"),
    [
        ({}, 7, "6 processors on 3 nodes, too few for 7 workers. Take fewer --workers"),
        ({"SLURM_NTASKS": "3", "SLURM_CPUS_PER_TASK": "4"}, None, "too few for 3 workers of 4 each"),
    ],
)
def test_more_than_there_is_room_for_are_refused(variables, workers, message):
    with pytest.raises(LinstudyError, match=re.escape(message)):
        fit(allocation(**variables), workers)


@pytest.mark.parametrize(
    ("variables", "memory", "counted"),
    [
        ({}, 24 * GIB, False),
        ({"SLURM_NTASKS": "6"}, 12 * GIB, False),
        ({"SLURM_NTASKS": "6", "SLURM_MEM_PER_NODE": "8192"}, 4 * GIB, True),
        ({"SLURM_NTASKS": "3", "SLURM_CPUS_PER_TASK": "2", "SLURM_MEM_PER_NODE": "8192"}, 8 * GIB, True),
        ({"SLURM_MEM_PER_CPU": "1024", "SLURM_CPUS_ON_NODE": "2"}, 2 * GIB, True),
    ],
)
def test_a_node_gives_its_memory_to_the_workers_on_it(variables, memory, counted):
    steps = fit(allocation(**variables))
    assert (steps.memory, steps.is_counted) == (memory, counted)
    assert any(word.startswith("--mem=") for word in steps.launcher) == counted


@pytest.mark.parametrize(
    ("variables", "count", "gpus"),
    [
        ({}, 3, 0),
        ({"SLURM_GPUS_ON_NODE": "2", "cpus": "8(x3)"}, 6, 1),
        ({"SLURM_GPUS_ON_NODE": "4", "SLURM_NTASKS": "3", "cpus": "8(x3)"}, 3, 4),
        ({"SLURM_GPUS_ON_NODE": "2", "SLURM_GPUS_PER_TASK": "1", "SLURM_NTASKS": "3"}, 3, 1),
    ],
)
def test_accelerators_are_dealt_out(variables, count, gpus):
    steps = fit(allocation(**variables))
    assert (steps.count, steps.gpus) == (count, gpus)


def test_the_words_of_a_step():
    words = " ".join(Steps(4, 2, 1, 3 * GIB, is_counted=True).launcher)
    assert words == "srun --ntasks=1 --nodes=1 --exact --cpus-per-task=2 --mem=3072M --gpus-per-task=1"


def test_a_script_asks_for_what_is_demanded():
    demand = Demand(8, 4, 1, 6 * GIB, "long", "4:00:00", ("--account=abc",))
    script = batch_script("linstudy-x", ["python", "a b"], Path("/a folder"), Path("/the logs"), demand, 130)
    options = {line.removeprefix("#SBATCH ") for line in script.splitlines() if line.startswith("#SBATCH")}
    assert options >= {"--ntasks=8", "--cpus-per-task=4", "--gpus-per-task=1", "--mem-per-cpu=1536M"}
    assert options >= {"--partition=long", "--time=4:00:00", "--account=abc", "--requeue", "--signal=B:USR1@120"}
    assert "'--output=/the logs/linstudy-x-%j.log'" in options
    assert "cd '/a folder'\npython 'a b' &\n" in script


ASKED = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
print("on", flush=True)
signal.sigwait([signal.SIGUSR1])
"""
STUB = """#!/bin/sh
echo "$@" >> {log}
[ $(wc -l < {log}) -ge {works} ]
"""


@pytest.mark.parametrize(
    ("ending", "works", "asked"),
    [
        ("raise SystemExit(130)", 1, 1),
        ("signal.pthread_sigmask(signal.SIG_SETMASK, []); os.kill(os.getpid(), signal.SIGUSR1)", 1, 1),
        ("raise SystemExit(130)", 3, 3),  # the controller is away at first
        ("raise SystemExit(130)", 99, 6),
        ("raise SystemExit(1)", 1, 0),
    ],
)
def test_a_job_that_is_asked_to_stop_is_requeued(tmp_path, ending, works, asked):
    """With 130, or by the signal itself, where the study does not listen to it yet, or any more."""
    log = tmp_path / "log"
    log.touch()
    for name, text in (("scontrol", STUB.format(log=log, works=works)), ("sleep", "#!/bin/sh\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    code = f"{ASKED}{ending}"
    (tmp_path / "script").write_text(batch_script("x", [sys.executable, "-c", code], tmp_path, tmp_path, Demand(), 130))
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"}
    process = subprocess.Popen(["bash", tmp_path / "script"], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "on\n"
    process.send_signal(signal.SIGUSR1)
    process.communicate(timeout=60)
    assert log.read_text() == "requeue 7\n" * asked
    assert (process.returncode == 0) is (asked in (1, 3))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--workers=3", "--workers=3 is for submit to say"),
        ("--launch=ssh", "--launch=ssh is for submit to say"),
        ("--grace=61", "--grace=61 is more than a job has: it is asked to stop 120 s before its limit"),
        ("--no-such", "No such option"),
    ],
)
def test_submit_refuses_what_its_job_could_not_do(bench, option, message):
    bench.write(THREE)
    assert message in bench.here("submit", "study.yaml", "--dry-run", "--", option, exit_status=2)


def test_further_options_are_read_as_run_reads_them(bench):
    bench.write(THREE)
    assert bench.here("submit", "study.yaml", "--dry-run", "--", "-h").startswith("Usage: linstudy run [OPTIONS] STUDY")


def test_a_grace_that_a_job_has_is_taken(bench):
    bench.write(THREE)
    assert "--grace=60 &\n" in bench.here("submit", "study.yaml", "--dry-run", "--", "--grace=60")


def test_what_is_not_demanded_is_left_to_the_queue():
    assert Demand().lines() == ["--ntasks=1", "--cpus-per-task=1"]


@pytest.mark.parametrize("limit", ["3", "2:01", "0:02:01", "1-0", "0-1:00", "0-00:00:121", "unlimited", "0"])
def test_a_time_limit_is_as_slurm_reads_it(limit):
    check_time(limit)


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("2", "120 s before"),
        ("1:59", "119 s"),
        ("0:01:00", "60 s"),
        ("4:00:00x", "no time limit"),
        ("", "no time limit"),
    ],
)
def test_a_time_limit_that_leaves_no_time_is_refused(limit, message):
    with pytest.raises(ValueError, match=message):
        check_time(limit)


def test_a_job_that_is_in_the_queue_is_found_by_its_script(monkeypatch, tmp_path):
    listed = f"6 (RUNNING) \n7 (PENDING) /elsewhere/jobs/x.sh\n8 (RUNNING) {tmp_path}/linstudy a.sh\n"
    monkeypatch.setattr(batch.shutil, "which", lambda name: name)
    monkeypatch.setattr(batch.subprocess, "run", lambda words, **options: SimpleNamespace(stdout=listed))
    assert batch.queued_job(tmp_path) == "8 (RUNNING)"
    assert batch.queued_job(tmp_path / "other") is None


def test_within_a_step_it_is_said_that_srun_is_too_much():
    with pytest.raises(LinstudyError, match="without `srun`"):
        allocation(SLURM_STEP_ID="0")
    assert allocation(SLURM_STEP_ID=str(0xFFFFFFFA)).cpus == allocation(SLURM_STEP_ID="0", SLURM_OVERLAP="1").cpus


def test_without_slurm_it_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LinstudyError, match="`sbatch` is not here"):
        submit_script("", tmp_path / "job.sh")


@pytest.fixture(scope="module")
def slurm():
    with small_slurm() as slurm:
        yield slurm


def allocated(bench, slurm, *arguments, nodes=3, **options):
    """`linstudy run` in an allocation of its own, begun."""
    words = ("salloc", f"--nodes={nodes}", f"--ntasks={nodes}", "--cpus-per-task=2", "--no-kill", "--quiet")
    command = (sys.executable, "-m", "linstudy", "run", "study.yaml", "--launch=slurm", "--no-fuse", *arguments)
    return subprocess.Popen(
        [*words, *command],
        cwd=bench.folder,
        env={**slurm.environment, "JAX_PLATFORMS": "cpu"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **options,
    )


def ended(process, status=0):
    """What a command printed that ends with a status."""
    out, _ = process.communicate(timeout=240)
    assert process.returncode == status, out
    return out


def content(bench):
    return [bench.rows(sql) for sql in CONTENT]


@needs_slurm
@pytest.mark.product_settings
def test_a_study_over_nodes_ends_as_one_on_this_machine(bench, slurm):
    bench.write(THREE)
    out = ended(allocated(bench, slurm))
    assert "3 workers by: srun --ntasks=1 --nodes=1 --exact --cpus-per-task=2\n" in out
    assert "9 runs: 9 done now." in out
    hosts = {host for (host,) in bench.rows("SELECT host FROM attempt")}
    assert hosts <= {"n1", "n2", "n3"}
    assert len(hosts) > 1
    spread = content(bench)
    bench.run_here("--no-fuse", "--again")
    assert content(bench) == spread


def read_past(process, text):
    while text not in (line := process.stdout.readline()):
        assert line, "it ended"


def trains(bench):
    """Whether a training has told of an epoch."""
    live = Live.read(bench.folder / ".linstudy" / "live.json")
    return live is not None and any("epoch" in text for _, text, _ in live.workers)


def hosts_at_work(bench):
    """Where each worker's process is, by its pid, told by the worker itself."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_worker = b"linstudy.workers.worker" in (entry / "cmdline").read_bytes().split(b"\0")
            if is_worker and (entry / "cwd").resolve() == bench.folder:
                variables = dict(one.split(b"=", 1) for one in (entry / "environ").read_bytes().split(b"\0") if one)
                if name := variables.get(b"SLURMD_NODENAME"):
                    found[int(entry.name)] = name.decode()
    return found


@needs_slurm
@pytest.mark.product_settings
def test_a_run_whose_node_fails_goes_on_elsewhere(bench, slurm):
    """`just faults slurm` sees such studies to their end."""
    bench.write(ENDLESS)
    process = allocated(bench, slurm)
    for _ in range(2):
        read_past(process, "running ")
    job = slurm.run("squeue", "-h", "-o", "%A", "--state=RUNNING").strip()
    try:
        [(lost, node), _] = hosts_at_work(bench).items()
        slurm.kill_node(node)
        slurm.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")  # which it sees late
        read_past(process, ": for another worker")
        read_past(process, "running ")
        assert lost not in hosts_at_work(bench)
        [command] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(command), signal.SIGINT)  # `salloc` keeps it to itself
        ended(process, 130)
    finally:
        slurm.start_node(node)
        slurm.run("scontrol", "update", f"NodeName={node}", "State=RESUME", check=False)
        slurm.run("scancel", job, check=False)
        slurm.wait_until_idle()
    attempts = bench.rows("SELECT run_id, status, host, error FROM attempt ORDER BY attempt_id")
    [(run_id, status, _, error)] = [attempt for attempt in attempts if attempt[2] == node]
    assert (status, error != "stopped on request") == ("interrupted", True)
    [(_, status, host, error)] = [attempt for attempt in attempts if attempt[0] == run_id and attempt[2] != node]
    assert (status, error) == ("interrupted", "stopped on request")
    assert host in slurm.nodes


@needs_slurm
@pytest.mark.product_settings
def test_a_signal_to_a_step_stops_the_study(bench, slurm):
    bench.write(ENDLESS)
    process = allocated(bench, slurm, nodes=2)
    wait_for(lambda: trains(bench))
    [step, *_] = [one for one in slurm.run("squeue", "-s", "-h", "-o", "%i").split() if one[-1].isdigit()]
    slurm.run("scancel", "--signal=TERM", step, check=False)  # it complains of the nodes that have no part in the step
    assert "SIGTERM: stopping at the next safe point" in ended(process, 130)
    assert bench.rows("SELECT DISTINCT error FROM attempt WHERE status = 'interrupted'") == [("stopped on request",)]
    assert not hosts_at_work(bench)


@needs_slurm
@pytest.mark.product_settings
def test_a_job_that_is_told_of_its_end_is_requeued_and_goes_on(bench, slurm):
    bench.write(ENDLESS)
    command = ("-m", "linstudy", "submit", "study.yaml", "--workers=2", "--time=30", "--", "--no-fuse")
    out = slurm.run(sys.executable, *command, cwd=bench.folder)
    job, log = re.search(r"job (\d+): ", out)[1], Path(re.search(r"It prints to (\S+)", out)[1])
    try:
        wait_for(lambda: trains(bench))
        refused = subprocess.run(
            [sys.executable, *command],
            cwd=bench.folder,
            env=slurm.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert refused.stderr == f"Error: job {job} (RUNNING) has this workspace. Wait for its end, or: scancel {job}\n"
        slurm.run("scancel", "--signal=USR1", "--batch", job)  # as --signal=B:USR1@120 does
        wait_for(lambda: slurm.run("squeue", "-h", "-o", "%T", "-j", job).strip() == "PENDING")
        assert "SIGUSR1: stopping" in log.read_text()
        slurm.start_again(job)
        wait_for(lambda: log.read_text().count("workers by:") == 2 and trains(bench), describe=slurm.describe)
    finally:
        slurm.run("scancel", job)
    wait_for(lambda: log.read_text().count("The same command goes on from here.") == 2)
    assert bench.rows("SELECT count(*), count(DISTINCT run_id) FROM attempt") == [(4, 2)]
    epochs = bench.rows(
        "SELECT count(*) - count(DISTINCT epoch) FROM metric WHERE split = 'train' GROUP BY run_id, name"
    )
    assert {repeated for (repeated,) in epochs} == {0}
