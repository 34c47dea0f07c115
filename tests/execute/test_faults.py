"""Signals, odd models, full disks and damaged files, each with real processes; `tests/faults` has the long ones."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from disturbed import TRAINING, content, write_odd
from waiting import wait_for, wait_until_gone

pytestmark = [
    pytest.mark.product_settings,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of a study in /proc"),
]

MANY_EPOCHS = """
study: many
data: {kind: npz, path: samples.npz, train: 800, test: 100}
model: {kind: mlp, hidden: [64]}
train: {epochs: 40, batch_size: 800}
probes: [{kind: alignment, top: 5, every: 1}]
"""
SEEDS = """
study: seeds
data: {kind: npz, path: samples.npz, train: 100, test: 100}
model: {kind: mlp, hidden: [16]}
train: {epochs: 200, batch_size: 100}
probes: [{kind: alignment, top: 5, at: [end]}]
seeds: [0, 1, 2]
"""
SENTINEL = 4321.0
"""Written into the ledger between two commands: it is still there if its epoch is not told again."""


def started(bench, *arguments, kind="training", **options):
    """The command, at a run of some kind; and its worker."""
    process = bench.start("run", "study.yaml", *arguments, **options)
    while not ("running" in (line := process.stdout.readline()) and f"  {kind} " in line):
        assert line, process.communicate()
    [worker] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return process, int(worker)


def interrupted(process, worker):
    """What a command printed that was asked to stop."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, out + err
    assert "The same command goes on from here." in out
    wait_until_gone(worker)
    return out


@contextlib.contextmanager
def ledger(bench):
    with duckdb.connect(str(bench.folder / ".linstudy" / "ledger.duckdb")) as connection:
        yield connection


def checkpoints(bench):
    return bench.rows("SELECT epoch, sha256 FROM artifact JOIN runs USING (run_id) WHERE kind = 'training' ORDER BY 1")


def last_error(bench):
    return bench.rows("SELECT error FROM attempt WHERE status = 'interrupted' ORDER BY attempt_id DESC LIMIT 1")[0][0]


WAYS_TO_STOP = {
    "TERM to the worker": lambda process, worker: os.kill(worker, signal.SIGTERM),
    "TERM to the group": lambda process, worker: os.killpg(process.pid, signal.SIGTERM),
}
"""A worker is in a group of its own, so that the group's signals reach the coordinator alone. Other ways are taken by a
training that is stopped again and again (`test_execution.py`)."""


def test_stopped_by_its_worker_or_its_group_the_same_command_goes_on_to_the_same_bits(bench):
    bench.write(TRAINING)
    for attempts, (name, stop) in enumerate(WAYS_TO_STOP.items(), 1):
        process, worker = started(bench, start_new_session=True)
        stop(process, worker)
        interrupted(process, worker)
        assert bench.rows("SELECT status, attempts FROM runs") == [("interrupted", attempts)], name
        assert last_error(bench) == "stopped on request", name
    bench.run_here()
    assert bench.rows("SELECT status, attempts FROM runs") == [("done", len(WAYS_TO_STOP) + 1)]
    resumed = content(bench)
    bench.run_here("--again")
    assert content(bench) == resumed
    assert len(checkpoints(bench)) == 1


@pytest.mark.parametrize("before", [(), ("nohup",)])
def test_a_closed_terminal_stops_a_study_unless_nohup_says_no(bench, before):
    bench.write(TRAINING)
    process, terminal = bench.start_in_terminal(before=before)
    if not before:  # nohup writes to a file
        bench.read_until(rb"training", terminal)
    wait_for(lambda: bench.results.exists(), process)
    os.close(terminal)
    assert process.wait(timeout=120) == (0 if before else 130)
    assert bench.rows("SELECT status FROM runs") == [("done" if before else "interrupted",)]


def test_a_second_ctrl_c_stops_at_once_and_says_so(bench):
    write_odd(bench, "hangs")
    process, worker = started(bench)
    process.send_signal(signal.SIGINT)
    assert "stopping at the next safe point, within 60 s" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert "stopped at once by a second Ctrl-C" in interrupted(process, worker)
    assert last_error(bench) == "stopped at once by a second Ctrl-C"


def test_a_worker_that_does_not_stop_is_killed_after_the_grace(bench):
    write_odd(bench, "computes")
    process, worker = started(bench, "--grace", "1")
    process.terminate()
    assert "did not stop within 1 s, and was killed" in interrupted(process, worker)
    assert last_error(bench) == "did not stop within 1 s, and was killed"


def test_a_study_goes_on_when_nobody_reads_what_it_prints(bench):
    write_odd(bench, "well", "exits")
    process = bench.start("run", "study.yaml", "--no-fuse")
    assert process.stdout.readline().startswith("running")
    process.stdout.close()
    assert process.wait(timeout=120) == 1
    assert bench.rows("SELECT status FROM runs ORDER BY ALL") == [("done",), ("failed",)]
    assert process.stderr.read() == ""


def test_an_odd_model_ends_its_own_run_and_no_other(bench):
    write_odd(bench, "well", "reads", "writes", "exits", "ends", "prints", "long", "closes")
    out = bench.run("--no-fuse", exit_status=1)
    assert len(out) < 20_000
    found = bench.rows("""
        SELECT spec->>'$.model.arguments.oddity', status, error, traceback, log
        FROM attempt JOIN run USING (run_id)
    """)
    status = {oddity: status for oddity, status, *_ in found}
    assert status.pop("writes") in ("done", "failed")  # it may have hit the place of a message
    assert status == dict(
        well="done", prints="done", **dict.fromkeys(("reads", "exits", "ends", "long", "closes"), "failed")
    )
    errors, tracebacks, logs = ({row[0]: row[column] for row in found} for column in (2, 3, 4))
    assert errors["reads"].startswith("EOFError")
    assert errors["exits"] == "the run's own code ended the process, with exit status 4"
    assert "sys.exit(4)" in tracebacks["exits"]
    assert errors["ends"] == "the worker process ended with exit status 3\nthe last words"
    assert "killed" not in errors["closes"]
    assert len(errors["long"]) <= 2_000
    assert "5,000,012 characters, all of them in the log of the run" in errors["long"]
    assert len(tracebacks["long"]) <= 20_000
    sizes = {
        oddity: (bench.folder / log).stat().st_size for oddity, log in logs.items() if oddity in ("prints", "long")
    }
    assert all(900_000 < size < 1_100_000 for size in sizes.values())


def test_a_worker_that_computes_ends_with_its_coordinator(bench):
    write_odd(bench, "computes")
    process, worker = started(bench)
    wait_for(lambda: b"-1.log" in bench.waiting(), process)  # the attempt, with the name of its log
    process.kill()
    process.communicate()
    wait_until_gone(worker)
    process, worker = started(bench)
    os.kill(worker, signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1, out + err
    assert bench.rows("SELECT status, error FROM attempt ORDER BY attempt_id") == [
        ("interrupted", "the program that ran it ended before it did"),
        (
            "failed",
            "the worker process was killed by SIGKILL, probably for want of memory: give less by --memory, or take "
            "fewer --workers",
        ),
    ]


def test_damaged_files_make_exactly_the_runs_that_made_them_run_again(finished):
    calm = content(finished)
    names = {(name, epoch): path for name, epoch, path in finished.rows("SELECT name, epoch, path FROM artifact")}
    spectrum, first, last = (
        finished.folder / names[place] for place in (("spectrum", None), ("checkpoint", 0), ("checkpoint", 4))
    )
    damaged = bytearray(spectrum.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    spectrum.write_bytes(damaged)
    first.unlink()
    os.truncate(last, 100)
    plan = finished.here("plan", "study.yaml")
    assert [line.split()[0] for line in plan.splitlines()[:3]] == ["planned", "extend", "done"]
    assert "3 runs: 1 done before, 2 done now." in finished.run_here()
    assert content(finished) == calm
    assert finished.rows("SELECT kind, attempts FROM study_runs ORDER BY position") == [
        ("spectrum", 2),
        ("training", 2),
        ("probe", 1),
    ]


def test_a_probe_goes_on_after_the_last_epoch_that_it_told(bench):
    bench.write(MANY_EPOCHS)
    process, terminal = bench.start_in_terminal()
    bench.read_until(rb"probe .*epoch ([3-9]|[12][0-9])\b", terminal)
    os.write(terminal, b"\x03")
    bench.read_until(rb"The same command goes on from here", terminal)
    assert process.wait(timeout=120) == 130
    own = "run_id IN (SELECT run_id FROM run WHERE kind = 'probe')"
    with ledger(bench) as connection:
        told = connection.execute(f"SELECT DISTINCT epoch FROM vector WHERE {own} ORDER BY 1").fetchall()
        connection.execute(f"UPDATE vector SET value = [{SENTINEL}] WHERE {own}")
    bench.run_here()
    assert 0 < len(told) < 41
    assert bench.rows(f"SELECT epoch FROM vector WHERE value = [{SENTINEL}] ORDER BY 1") == told
    assert bench.rows(f"SELECT epoch FROM vector WHERE {own} ORDER BY 1") == [(epoch,) for epoch in range(41)]


def test_an_earlier_probe_after_ctrl_c_costs_no_more_than_what_is_missing(bench):
    bench.write(f"{TRAINING}probes: [{{kind: energy_concentration, top: 3, at: [10, end]}}]")
    process, worker = started(bench)
    wait_for(lambda: any(bench.folder.glob("artifacts/??/*.safetensors")), process)
    process.send_signal(signal.SIGINT)
    interrupted(process, worker)
    [(tenth, content_of_tenth), (stopped_at, _)] = checkpoints(bench)
    assert (tenth, stopped_at < 300) == (10, True)
    with ledger(bench) as connection:
        connection.execute(f"UPDATE metric SET value = {SENTINEL} WHERE name = 'distance_l2' AND epoch IN (3, 10)")
    bench.run_here("--set", "probes=[{kind: energy_concentration, top: 3, at: [5, 10, end]}]")
    assert [epoch for epoch, _ in checkpoints(bench)] == [5, 10, 300]
    assert checkpoints(bench)[1] == (10, content_of_tenth)
    assert bench.rows(f"SELECT epoch FROM metric WHERE value = {SENTINEL} ORDER BY 1") == [(3,), (10,)]
    assert bench.rows("SELECT DISTINCT status FROM study_runs WHERE variant != ''") == [("done",)]


def test_a_publish_that_fails_is_a_note_and_the_study_goes_on(bench):
    write_odd(bench, "well")
    in_the_way = bench.folder / "results.duckdb.publishing"
    in_the_way.mkdir()
    out = bench.run_here()
    assert out.count("results.duckdb: cannot be replaced: ") == 1
    assert "1 run: 1 done now." in out
    assert list(bench.folder.glob("results.duckdb*")) == [in_the_way]
    in_the_way.rmdir()
    assert "1 run: 1 done before." in bench.run_here()
    assert bench.rows("SELECT status FROM runs") == [("done",)]


@pytest.fixture
def small_disk(bench):
    """A folder of the bench on a disk of its own."""
    folder = bench.folder / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user cannot mount a tmpfs")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_ends_with_one_message_and_the_same_command_goes_on_once_there_is_room(bench, small_disk):
    bench.write(TRAINING)
    process, worker = started(bench, "--workspace", small_disk)
    ballast = small_disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1, out + err
    assert [line.partition(":")[0] for line in err.splitlines() if "rror: " in line] == ["Error"]
    assert err.startswith("Error: the ledger cannot be written: ")
    wait_until_gone(worker)
    ballast.unlink()
    assert "1 run: 1 done now." in bench.run_here("--workspace", small_disk)


def test_a_study_whose_ledger_is_lost_with_its_disk_goes_on_from_what_it_published(bench, tmp_path_factory):
    """Killed with some runs published, on a disk that nobody sees again; it ends as an undisturbed one."""
    local = tmp_path_factory.mktemp("local")
    bench.write(SEEDS)
    bench.run_here("--no-fuse", "--only", "seed = 0")
    before = bench.results.stat().st_mtime_ns
    process, worker = started(bench, "--no-fuse", "--ledger", local)
    os.kill(worker, signal.SIGSTOP)
    wait_for(lambda: bench.results.stat().st_mtime_ns > before, process)
    process.kill()
    process.communicate()
    wait_until_gone(worker)
    assert list(local.glob("linstudy-ledger-*.duckdb"))
    shutil.rmtree(local)
    [(done,)] = bench.rows("SELECT count(*) FROM runs WHERE status = 'done'")
    told = bench.run_here("--no-fuse")
    assert f"the ledger of the last run is not here: it lies on {socket.gethostname()}, in {local}/" in told
    assert ". results.duckdb is of 2" in told
    assert f"9 runs: {done} done before, {9 - done} done now." in told
    disturbed = content(bench)
    shutil.rmtree(bench.folder / ".linstudy")
    shutil.rmtree(bench.folder / "artifacts")
    bench.results.unlink()
    bench.run_here("--no-fuse", "--ledger", local)
    assert content(bench) == disturbed
    assert list(local.iterdir()) == []
    assert "9 runs: 9 done before." in bench.run_here()
