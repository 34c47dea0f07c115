"""Workers that have nothing to do help with a Gram: real processes, each of which says which tiles it writes."""

import os
import signal
from collections import Counter

import numpy as np
import pytest
from waiting import wait_for

from linstudy.store.artifacts import ArtifactStore
from linstudy.store.workspace import Workspace

STUDY = """
study: small
data: {kind: npz, path: samples.npz, train: 800, test: 200}
model: {kind: import, factory: "wide:make"}
task: {kind: eigenfunction, index: 3}
spectrum: {top: 5}
train: {epochs: 1, batch_size: 200}
"""
MODEL = """
import os
import signal
import time
from pathlib import Path

import equinox as eqx
import jax

from linstudy.runs import shared_gram, spectrum
from linstudy.runs.gram_file import GramFile

SCRIPT = os.environ.get("SCRIPT", "")
LOG, FIRST_BLOCK = Path("tiles.log"), 8
write, own = GramFile.write, []


class Wide(eqx.Module):
    layer: eqx.nn.Linear

    def __call__(self, x):
        return self.layer(x.ravel())


def make(input_shape, key):
    return Wide(eqx.nn.Linear(16, "scalar", key=key))


def workers():
    return list(dict.fromkeys(line.split()[0] for line in LOG.read_text().splitlines()))


def wait_until(condition):
    deadline = time.monotonic() + 120
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


def scripted(self, *tile):
    own.append(tile)
    with LOG.open("a") as file:
        file.write(f"{os.getpid()} {tile[0].start} {tile[1].start}\\n")
    write(self, *tile)
    is_owner = workers()[0] == str(os.getpid())
    if is_owner and len(own) > FIRST_BLOCK:  # after which it has asked for help
        wait_until(lambda: len(workers()) > 1)
        if SCRIPT == "lost helper":
            wait_until(lambda: not os.path.exists(f"/proc/{workers()[1]}"))
        if SCRIPT == "lost owner":
            os.kill(os.getpid(), signal.SIGKILL)
    if SCRIPT in ("lost helper", "stopped") and len(own) == 2 and workers()[1:2] == [str(os.getpid())]:
        time.sleep(120) if SCRIPT == "lost helper" else os.kill(os.getppid(), signal.SIGINT)
    time.sleep(0.02)


if SCRIPT:
    GramFile.write = scripted
    shared_gram.LEAST_SECONDS = shared_gram.LEAST_LEADS = spectrum.LEAST_BYTES = spectrum.SECONDS_FOR_FILE = 0
"""
TILES, FIRST_BLOCK = 36, 8


@pytest.fixture
def begin(bench, monkeypatch):
    """A function that begins a study by two workers of one processor, to a script of what the owner and others do."""
    write(bench)

    def begun(script):
        monkeypatch.setenv("SCRIPT", script)
        return bench.start("run", "study.yaml", "--workers", "2")

    return begun


def write(bench):
    bench.write(STUDY)
    bench.write(MODEL, "wide.py")


def end(process, status=0):
    out, err = process.communicate(timeout=240)
    assert process.returncode == status, out + err
    return out + err


def tiles(bench):
    """The tiles that each worker has written, in the order in which they came."""
    log = bench.folder / "tiles.log"
    found = {}
    for line in log.read_text().splitlines() if log.exists() else []:
        worker, *tile = map(int, line.split())
        found.setdefault(worker, []).append(tile)
    return found


def results(bench):
    """The arrays of the spectrum, and all numbers of the database."""
    [(path, sha256)] = bench.rows("SELECT path, sha256 FROM artifact WHERE name = 'spectrum'")
    arrays = ArtifactStore(Workspace(bench.folder).artifacts).load(path, sha256)
    numbers = bench.rows("SELECT run_id, name, label, split, epoch, step, value FROM metric ORDER BY ALL")
    return arrays, numbers, bench.rows("SELECT * FROM vector ORDER BY ALL")


@pytest.fixture(scope="module")
def alone(bench_in, tmp_path_factory):
    """The results of one worker by itself."""
    bench = bench_in(tmp_path_factory.mktemp("alone"))
    write(bench)
    bench.run("--workers", "2")
    assert tiles(bench) == {}
    return results(bench)


def assert_equal(found, alone):
    for name, array in alone[0].items():
        np.testing.assert_array_equal(found[0][name], array)
    assert found[1:] == alone[1:]


def count_twice(bench):
    """How many tiles were written more than once."""
    every = Counter(tuple(tile) for own in tiles(bench).values() for tile in own)
    assert len(every) == TILES
    return sum(count - 1 for count in every.values())


def no_file_is_left(bench):
    return not list((bench.folder / "artifacts" / "scratch").iterdir())


def test_a_helper_shares_a_gram_to_the_same_bits(begin, bench, alone):
    assert "2 done now" in end(begin("helped"))
    assert_equal(results(bench), alone)
    owner, helper = map(len, tiles(bench).values())
    assert min(owner, helper) > 5
    assert count_twice(bench) <= FIRST_BLOCK  # of the last block, which the owner had begun too
    assert no_file_is_left(bench)


def test_what_a_killed_helper_was_at_is_made_by_others(begin, bench, alone):
    process = begin("lost helper")
    wait_for(lambda: len(tiles(bench)) > 1 and len(list(tiles(bench).values())[1]) > 1)
    os.kill(list(tiles(bench))[1], signal.SIGKILL)
    assert "2 done now" in end(process)
    assert_equal(results(bench), alone)
    assert count_twice(bench) >= 1
    assert no_file_is_left(bench)


def test_a_killed_owner_goes_on_with_what_it_and_its_helper_have_finished(begin, bench, alone):
    assert "killed by SIGKILL" in end(begin("lost owner"), status=1)
    before = tiles(bench)
    finished = next(iter(before.values()))[:FIRST_BLOCK]
    assert "2 done now" in end(begin("helped"))
    assert_equal(results(bench), alone)
    again = [tile for worker, own in tiles(bench).items() if worker not in before for tile in own]
    assert again
    assert not [tile for tile in finished if tile in again]
    assert no_file_is_left(bench)


def test_ctrl_c_stops_helpers_too(begin, bench):
    assert "stopping at the next safe point" in end(begin("stopped"), status=130)
    assert all(not os.path.exists(f"/proc/{worker}") for worker in tiles(bench))
