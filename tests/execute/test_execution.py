"""Whole studies: what is recorded, what is run again, and what a death leaves behind."""

import hashlib
import os
import shutil
import signal

import duckdb
import numpy as np
import pytest
from tolerance import assert_close
from waiting import wait_for

from linstudy.train import choice

pytestmark = pytest.mark.product_settings

NUMBERS = "SELECT run_id, name, label, split, epoch, step, value FROM metric ORDER BY ALL"
VECTORS = "SELECT run_id, name, label, split, epoch, value FROM vector ORDER BY ALL"
ARTIFACTS = "SELECT run_id, name, epoch, sha256 FROM artifact ORDER BY ALL"

STATES = "SELECT name, epoch FROM artifact JOIN runs USING (run_id) WHERE kind = 'training' ORDER BY ALL"

OWN_MODEL = """
import os, signal
import equinox as eqx
import jax

class Linear(eqx.Module):
    layer: eqx.nn.Linear
    def __call__(self, x):
        return self.layer(x.ravel())

def make(input_shape, key, mode):
    print("a model may print")
    if mode == "raise":
        raise RuntimeError("this model cannot be made")
    if mode == "die once" and not os.path.exists("died"):
        open("died", "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    size = 1
    for length in input_shape:
        size *= length
    return Linear(eqx.nn.Linear(size, "scalar", key=key))
"""
OWN_STUDY = """
study: own
data: {kind: npz, path: samples.npz, train: 32, test: 16}
model: {kind: import, factory: "own_model:make", arguments: {mode: well}}
train: {epochs: 2, batch_size: 16}
sweep: {model.arguments.mode: [MODE, well]}
"""
GROUPED = """
study: grouped
data: {kind: npz, path: samples.npz, train: 32, test: 16}
model: {kind: import, factory: "own_model:make", arguments: {mode: MODE}}
train: {epochs: EPOCHS, batch_size: 16}
seeds: [0, 1, 2]
"""


def write_grouped(bench, mode, epochs=2):
    """Three runs that go together."""
    bench.write(OWN_MODEL, "own_model.py")
    bench.write(GROUPED.replace("MODE", mode).replace("EPOCHS", str(epochs)))


def worker_pid(parent):
    """The one child of a coordinator."""
    found = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and _parent_of(pid) == parent]
    assert len(found) == 1
    return found[0]


def _parent_of(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return None


def epochs_published(bench):
    if not bench.results.exists():
        return 0
    return bench.rows("SELECT coalesce(max(epoch), 0) FROM curves WHERE kind = 'training'")[0][0]


def test_a_study_is_run_once_and_found_done_after(finished):
    assert finished.rows("SELECT kind, status, attempts FROM study_runs ORDER BY position") == [
        ("spectrum", "done", 1),
        ("training", "done", 1),
        ("probe", "done", 1),
    ]
    assert finished.rows("SELECT count(*) FROM curves WHERE name = 'accuracy' AND split = 'test'") == [(5,)]
    assert "3 runs: 3 done before." in finished.run_here()
    assert finished.rows("SELECT max(attempts) FROM runs") == [(1,)]
    assert "3 runs: 3 done\n" in finished.here("plan", "study.yaml")


def test_what_is_selected_is_run_and_the_rest_stays_planned(bench):
    out = bench.run_here("--only", "kind = 'training' AND status <> 'done'")
    assert out.splitlines()[0] == "--only selects 2 of 3 runs, what they need included"
    assert "2 runs: 2 done now." in out
    assert bench.rows("SELECT kind, status FROM study_runs ORDER BY position") == [
        ("spectrum", "done"),
        ("training", "done"),
        ("probe", "planned"),
    ]
    assert "2 done, 1 planned" in bench.here("status")


def test_alpha_of_each_initial_eigenfunction_starts_at_its_eigenvalue(finished):
    [(error,)] = finished.rows("""
        SELECT max(abs(alpha.value - eigen.value)) / max(eigen.value)
        FROM spectra AS alpha JOIN spectra AS eigen USING (j)
        WHERE alpha.name = 'alignment' AND alpha.epoch = 0 AND eigen.name = 'eigenvalues'
    """)
    assert error < 1e-5  # float32 features against a float64 decomposition


def test_a_study_run_twice_gives_the_same_bits(finished):
    first = [finished.rows(sql) for sql in (NUMBERS, VECTORS, ARTIFACTS)]
    finished.run_here("--again")
    assert [finished.rows(sql) for sql in (NUMBERS, VECTORS, ARTIFACTS)] == first
    assert finished.rows("SELECT DISTINCT attempts FROM runs") == [(2,)]


def test_where_and_from_what_an_attempt_was_made_is_recorded(finished):
    [row] = finished.rows(
        "SELECT DISTINCT device, versions->>'jax' IS NOT NULL, length(fingerprint), host IS NOT NULL FROM attempt"
    )
    assert row == ("cpu: cpu", True, 64, True)


def test_a_new_probe_does_not_train_again(finished):
    trained = finished.rows("SELECT * FROM metric WHERE run_id IN (SELECT run_id FROM runs WHERE kind = 'training')")
    out = finished.run_here("--set", "probes=[{kind: energy_concentration, top: 3, every: 2}]")
    assert "1 done before, 2 done now" in out  # the probe, and the training's checkpoint of epoch 2
    again = finished.rows("SELECT * FROM metric WHERE run_id IN (SELECT run_id FROM runs WHERE kind = 'training')")
    assert again == trained
    epochs = "SELECT epoch FROM artifact JOIN runs USING (run_id) WHERE kind = 'training' ORDER BY ALL"
    assert finished.rows(epochs) == [(0,), (2,), (4,)]


def test_a_training_that_diverges_is_a_result(bench):
    out = bench.run_here("--set", "train.optimizer={kind: sgd, learning_rate: 1e38}")
    assert "3 runs: 1 done now, 1 diverged, 1 blocked by these." in out
    assert bench.rows("SELECT status, count(*) FROM runs GROUP BY ALL ORDER BY ALL") == [
        ("diverged", 1),
        ("done", 1),
        ("planned", 1),
    ]
    bench.run_here("--set", "train.optimizer={kind: sgd, learning_rate: 1e38}")
    assert bench.rows("SELECT attempts FROM runs WHERE status = 'diverged'") == [(1,)]


def test_a_failed_run_does_not_stop_the_others_and_each_has_its_log(bench):
    bench.write(OWN_MODEL, "own_model.py")
    bench.write(OWN_STUDY.replace("MODE", "raise"))
    out = bench.run(exit_status=1)
    assert "RuntimeError: this model cannot be made" in out
    assert "2 runs: 1 done now, 1 failed." in out
    [(error, traceback)] = bench.rows("SELECT error, traceback FROM attempt WHERE status = 'failed'")
    assert error == "RuntimeError: this model cannot be made"
    assert "own_model.py" in traceback
    logs = {log for (log,) in bench.rows("SELECT log FROM attempt")}
    assert len(logs) == 2
    assert all("a model may print" in (bench.folder / log).read_text() for log in logs)
    assert "this model cannot be made" in bench.here("status")


def test_a_run_killed_by_sigkill_is_recorded_and_rerun(bench):
    bench.write(OWN_MODEL, "own_model.py")
    bench.write(OWN_STUDY.replace("MODE", "die once"))
    out = bench.run(exit_status=1)
    assert "the worker process was killed by SIGKILL" in out
    assert "2 runs: 1 done now, 1 failed." in out
    assert "2 runs: 1 done before, 1 done now." in bench.run_here()
    assert bench.rows("SELECT status FROM attempt ORDER BY run_id, attempt_id") in (
        [("failed",), ("done",), ("done",)],
        [("done",), ("failed",), ("done",)],
    )


def test_ctrl_c_publishes_and_the_same_command_resumes_to_the_same_bits(bench):
    arguments = ("--set", "train.epochs=400")
    process = bench.start("run", "study.yaml", *arguments)
    while not ("running" in (line := process.stdout.readline()) and "training" in line):
        assert line
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "The same command goes on from here." in out
    assert bench.rows("SELECT status FROM runs WHERE kind = 'training'") == [("interrupted",)]
    stopped_at = epochs_published(bench)
    assert stopped_at < 400
    left = {("checkpoint", 0), ("resume" if stopped_at else "checkpoint", stopped_at)}
    assert set(bench.rows(STATES)) == left
    bench.run_here(*arguments)
    assert bench.rows(STATES) == [("checkpoint", 0), ("checkpoint", 400)]
    assert list(bench.folder.glob("artifacts/resume/*")) == []
    resumed = bench.rows(NUMBERS)
    bench.run_here(*arguments, "--again")
    assert bench.rows(NUMBERS) == resumed


def test_a_training_that_is_stopped_again_and_again_keeps_one_state_and_every_row_once(bench):
    stopped_at = 0
    for to_worker, to_coordinator in (([signal.SIGTERM], [signal.SIGTERM]), ([], [signal.SIGUSR1, signal.SIGUSR2])):
        process, terminal = bench.start_in_terminal("--set", "train.epochs=100000")
        bench.read_past(stopped_at, terminal)
        worker = worker_pid(process.pid)
        for number in to_coordinator:
            process.send_signal(number)
        for number in to_worker:
            os.kill(worker, number)
        bench.read_until(rb"The same command goes on from here", terminal)
        assert process.wait(timeout=60) == 130
        os.close(terminal)
        before, stopped_at = stopped_at, epochs_published(bench)
        assert stopped_at > before
        assert bench.rows(STATES) == [("checkpoint", 0), ("resume", stopped_at)]
        assert len(list(bench.folder.glob("artifacts/resume/*"))) == 1
    losses = "SELECT count(*), count(DISTINCT epoch) FROM curves WHERE name = 'loss' AND split = 'test'"
    assert bench.rows(losses) == [(stopped_at + 1, stopped_at + 1)]


def test_a_killed_coordinator_takes_its_worker_along_and_the_next_one_recovers(bench):
    process, terminal = bench.start_in_terminal("--set", "train.epochs=100000")
    bench.read_past(0, terminal)
    size = len(bench.waiting())
    while len(bench.waiting()) == size:  # until more is committed; what is shown must be read on
        os.read(terminal, 4096)
    worker = worker_pid(process.pid)
    process.kill()
    process.wait()
    os.close(terminal)
    wait_for(lambda: _parent_of(worker) is None)
    bench.run_here()
    assert bench.rows("SELECT status, error FROM attempt WHERE status = 'interrupted'") == [
        ("interrupted", "the program that ran it ended before it did")
    ]
    assert bench.rows("SELECT max(epoch) > 0 FROM curves WHERE status = 'interrupted'") == [(True,)]
    assert (
        bench.rows("SELECT count(*) FROM metric GROUP BY run_id, name, label, split, epoch HAVING count(*) > 1") == []
    )


def test_a_reader_that_keeps_the_results_open_disturbs_nobody(finished):
    with duckdb.connect(str(finished.results), read_only=True) as reader:
        before = reader.execute("SELECT count(*) FROM metric").fetchall()
        finished.run_here("--set", "task.index=4")
        assert reader.execute("SELECT count(*) FROM metric").fetchall() == before
    assert finished.rows("SELECT count(*) FROM metric") > before


def test_a_linked_folder_and_a_strange_name_change_nothing(bench, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "exp:1").mkdir()
    (tmp_path / "exp:1" / "artifacts").symlink_to(tmp_path / "disk")
    bench.run_here("--workspace", "exp:1")
    (tmp_path / "results.duckdb").symlink_to(tmp_path / "exp:1" / "results.duckdb")
    assert bench.rows("SELECT DISTINCT status FROM runs") == [("done",)]
    assert {path.split("/")[0] for (path,) in bench.rows("SELECT path FROM artifact")} == {"artifacts"}
    assert all((tmp_path / "exp:1" / path).is_file() for (path,) in bench.rows("SELECT path FROM artifact"))


def test_edited_results_are_told_of_when_they_become_the_ledger(finished):
    with duckdb.connect(str(finished.results)) as connection:
        connection.execute("DELETE FROM metric WHERE epoch = 2")
    shutil.rmtree(finished.folder / ".linstudy")
    assert "results.duckdb was edited after linstudy published it: metric has " in finished.run_here()
    assert "was edited" not in finished.run_here()


def test_a_second_study_waits_for_its_turn(bench):
    process = bench.start("run", "study.yaml", "--set", "train.epochs=100000")
    wait_for(lambda: bench.results.exists(), process)
    out = bench.run_here(exit_status=1)
    assert f"is in use by process {process.pid} on " in out
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_a_worker_that_cannot_start_is_told_with_its_log(bench):
    out = bench.run("--device", "abacus", exit_status=1)
    assert out.splitlines()[-1]
    assert "a worker could not start" in out
    assert "abacus" in out


EPOCHS_STACKED = -(-choice.WORTH_MEASURING // (3 * 2))
"""Of three runs with two updates an epoch, after which trainings are stacked at all."""


def test_runs_that_go_together_tell_what_each_tells_alone(bench, monkeypatch):
    # a busy machine may measure that stacking does not pay
    monkeypatch.setattr(choice, "_measured", lambda learners: True)
    write_grouped(bench, "well", EPOCHS_STACKED)
    assert "3 runs: 3 done now." in bench.run_here()
    how = "SELECT fused_group IS NOT NULL, methods::VARCHAR, count(*) FROM attempt GROUP BY ALL ORDER BY ALL"
    as_one = (True, '{"training": "parameters", "together": "3 runs"}', 3)
    assert bench.rows(how) == [as_one]
    together = bench.rows(NUMBERS)
    last = {value for _, name, _, _, epoch, _, value in together if (name, epoch) == ("loss", EPOCHS_STACKED)}
    assert len(last) == 3 * 3, "runs of one seed each differ, in three splits"
    bench.run_here("--again", "--no-fuse")
    assert bench.rows(how) == [(False, '{"training": "parameters"}', 3), as_one]
    alone = bench.rows(NUMBERS)
    assert [row[:-1] for row in together] == [row[:-1] for row in alone]
    for name in {row[1] for row in alone}:
        values, others = (np.float32([row[-1] for row in rows if row[1] == name]) for rows in (together, alone))
        assert_close(values, others, rtol=1e-4)  # float32 over 1,000 updates


def test_a_file_that_is_lost_is_made_again_by_the_same_command(finished):
    [(path, sha256)] = finished.rows("SELECT path, sha256 FROM artifact WHERE name = 'checkpoint' AND epoch = 4")
    before = finished.rows(NUMBERS), finished.rows(ARTIFACTS)
    (finished.folder / path).unlink()
    assert "extend" in finished.here("plan", "study.yaml")
    assert "3 runs: 2 done before, 1 done now." in finished.run_here()
    assert hashlib.sha256((finished.folder / path).read_bytes()).hexdigest() == sha256
    assert (finished.rows(NUMBERS), finished.rows(ARTIFACTS)) == before


def test_what_was_in_a_group_that_a_signal_killed_is_tried_alone(bench):
    write_grouped(bench, "die once")
    out = bench.run()
    assert out.count("failed together, so each is tried alone") == 1
    assert out.count("the worker process was killed by SIGKILL") == 1
    assert "3 runs: 3 done now." in out
    assert bench.rows("SELECT status, fused_group IS NULL, count(*) FROM attempt GROUP BY ALL ORDER BY ALL") == [
        ("done", True, 3),
        ("failed", False, 3),
    ]
    assert (
        bench.rows("SELECT count(*) FROM metric GROUP BY run_id, name, label, split, epoch HAVING count(*) > 1") == []
    )


def test_what_fails_together_and_alone_has_failed(bench):
    write_grouped(bench, "raise")
    out = bench.run_here(exit_status=1)
    assert "3 runs: 3 failed." in out
    assert bench.rows("SELECT status, fused_group IS NULL, error, count(*) FROM attempt GROUP BY ALL ORDER BY ALL") == [
        ("failed", alone, "RuntimeError: this model cannot be made", 3) for alone in (False, True)
    ]


def test_ctrl_c_stops_a_group_and_the_same_command_goes_on_with_it(bench):
    write_grouped(bench, "well", epochs=400)
    process = bench.start("run", "study.yaml")
    assert process.stdout.readline().startswith("running")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert bench.rows("SELECT status, count(*) FROM attempt GROUP BY ALL") == [("interrupted", 3)]
    assert epochs_published(bench) < 400
    assert "3 runs: 3 done now." in bench.run_here()
    losses = "SELECT count(*), count(DISTINCT (run_id, epoch)) FROM curves WHERE name = 'loss' AND split = 'test'"
    assert bench.rows(losses) == [(3 * 401, 3 * 401)]


def test_a_group_is_spread_over_the_workers(bench):
    write_grouped(bench, "well")
    assert "3 runs: 3 done now." in bench.run("--workers", "2")
    assert sorted(bench.rows("SELECT count(*) FROM attempt GROUP BY fused_group")) == [(1,), (2,)]
