import errno
import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from linstudy.facts import Artifact
from linstudy.store import artifacts
from linstudy.store.artifacts import ArtifactError, ArtifactStore, is_passing


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "artifacts")


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3).T,
        np.arange(4.0)[::-1],
        np.float32(3),
        np.zeros((0, 3), np.int8),
        np.array([[True, False]]),
        np.arange(3, dtype=">f8"),
    ],
    ids=["transposed", "reversed", "scalar", "empty", "boolean", "big endian"],
)
def test_arrays_come_back_as_they_were(store, array):
    loaded = store.load(store.save("weights", {"layers[0].weight": array}).path)["layers[0].weight"]
    assert loaded.shape == array.shape
    assert loaded.dtype.name == array.dtype.name
    np.testing.assert_array_equal(loaded, array)


def test_path_is_relative_to_the_workspace_and_named_by_the_content(store, tmp_path):
    artifact = store.save("checkpoint", {"a": np.ones(3)}, epoch=4)
    content = (tmp_path / artifact.path).read_bytes()
    assert artifact.sha256 == hashlib.sha256(content).hexdigest()
    assert artifact.path == f"artifacts/{artifact.sha256[:2]}/{artifact.sha256}.safetensors"
    assert (artifact.name, artifact.bytes, artifact.epoch) == ("checkpoint", len(content), 4)


def test_equal_arrays_share_a_file_and_leave_nothing_else(store, tmp_path):
    first = store.save("a", {"x": np.ones(3), "y": np.zeros(2)})
    second = store.save("b", {"y": np.zeros(2), "x": np.ones(3)})
    assert first.path == second.path
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [tmp_path / first.path]
    assert store.save("c", {"x": np.zeros(3), "y": np.zeros(2)}).path != first.path


def test_a_scratch_file_is_in_the_folder_and_leaves_nothing(store, tmp_path):
    with store.scratch() as file:
        array = np.memmap(file, np.float32, "w+", shape=(3, 3))
        array[:] = 2.0
        assert os.fstat(file.fileno()).st_dev == tmp_path.stat().st_dev
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert array.sum() == 18.0


def test_damaged_file_is_named_with_what_to_do(store, tmp_path):
    artifact = store.save("a", {"x": np.ones(3)})
    file = tmp_path / artifact.path
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(
        ArtifactError, match=rf"{file}: damaged, SHA-256 .*, recorded {artifact.sha256[:16]}.*the same command"
    ) as caught:
        store.load(artifact.path, artifact.sha256)
    assert caught.value.paths == (artifact.path,)
    file.write_bytes(b"no safetensors")
    with pytest.raises(ArtifactError, match=r"no safetensors file .*the same command") as caught:
        store.load(artifact.path)
    assert caught.value.paths == (artifact.path,)


def test_saving_again_mends_a_damaged_file(store, tmp_path):
    artifact = store.save("a", {"x": np.ones(3)})
    (tmp_path / artifact.path).write_bytes(b"")
    store.save("a", {"x": np.ones(3)})
    np.testing.assert_array_equal(store.load(artifact.path, artifact.sha256)["x"], np.ones(3))


def test_missing_file_is_named_with_what_to_do(store, tmp_path):
    with pytest.raises(ArtifactError, match=r"artifacts/00/0.safetensors: cannot be read .*the same command") as caught:
        store.load("artifacts/00/0.safetensors")
    assert caught.value.paths == ("artifacts/00/0.safetensors",)


@pytest.mark.parametrize("array", [np.array([{}]), np.array(["text"]), np.ones(2, complex)])
def test_what_safetensors_cannot_hold_is_rejected(store, array):
    with pytest.raises(ArtifactError, match=r'artifact "a": "x" has dtype .*float32'):
        store.save("a", {"x": array})


def test_a_state_that_is_deleted_again_is_one_runs_own(store, tmp_path):
    arrays = {"x": np.ones(3)}
    kept = store.save("checkpoint", arrays, 2)
    first, second = (store.save("resume", arrays, 2, replaces=1, owner=run_id) for run_id in ("r1", "r2"))
    assert len({kept.path, first.path, second.path}) == 3
    assert [is_passing(one.path) for one in (kept, first, second)] == [False, True, True]
    assert first == Artifact("resume", first.path, kept.sha256, kept.bytes, 2, 1)
    store.delete(first.path)
    store.delete(first.path)
    assert not (tmp_path / first.path).exists()
    for other in (kept, second):
        np.testing.assert_array_equal(store.load(other.path, other.sha256)["x"], arrays["x"])


def test_sweeping_removes_what_killed_processes_left_and_nothing_else(store, tmp_path):
    kept = store.save("checkpoint", {"x": np.ones(3)})
    named, unnamed = (store.save("resume", {"x": np.ones(3)}, epoch, owner="r1") for epoch in (1, 2))
    (tmp_path / kept.path).with_name(".0a1b.incoming").write_bytes(b"half")
    (tmp_path / unnamed.path).with_name(".0a1b.incoming").write_bytes(b"half")
    (tmp_path / "artifacts" / "note.txt").write_text("a user's own")
    for run_id in ("r1", "r2"):
        store.scratch_folder.mkdir(exist_ok=True)
        (store.scratch_folder / f"{run_id}.4f.gram").write_bytes(b"half")
    store.sweep({named.path}, {"r1"})
    files = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()}
    assert files == {kept.path, named.path, "artifacts/note.txt", "artifacts/scratch/r1.4f.gram"}


def test_a_full_disk_is_told_with_what_is_needed(store, tmp_path, monkeypatch):
    def full(temporary, final):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(artifacts, "install", full)
    with pytest.raises(ArtifactError, match=r"cannot be written \(No space left on device\); 3\.0 MiB are needed"):
        store.save("a", {"x": np.zeros(3 * 2**18, np.float32)})
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_artifacts_are_found_where_their_folder_is_a_link_of_another_name(store, tmp_path):
    artifact = store.save("a", {"x": np.ones(3)})
    (tmp_path / "elsewhere").symlink_to(tmp_path / "artifacts")
    other = ArtifactStore(tmp_path / "elsewhere")
    np.testing.assert_array_equal(other.load(artifact.path, artifact.sha256)["x"], np.ones(3))


def test_workers_need_no_database():
    code = "import sys, linstudy.facts, linstudy.store.artifacts; assert 'duckdb' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
