"""Which files are read again, and what is found missing or damaged."""

import os

import numpy as np
import pytest

from linstudy.store.artifacts import ArtifactError, ArtifactStore
from linstudy.store.integrity import Seals


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "artifacts")


@pytest.fixture
def artifact(store):
    return store.save("checkpoint", {"x": np.ones(3)}, 1)


@pytest.fixture
def sealed(store, artifact, tmp_path):
    """A function that makes seals as a next process would read them; the artifact's file is sealed."""
    path = tmp_path / "seals.json"
    seals = Seals(path, store)
    seals.take(artifact)
    seals.write([artifact.path])
    return lambda: Seals(path, store)


@pytest.fixture
def reads(monkeypatch):
    """The paths of the files whose bytes are read."""
    read, has = [], ArtifactStore.has

    def noting(self, path, sha256):
        read.append(path)
        return has(self, path, sha256)

    monkeypatch.setattr(ArtifactStore, "has", noting)
    return read


def damage(file, *, keep_time):
    status = file.stat()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    if keep_time:
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    else:
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))


def test_a_sealed_file_is_not_read_again(sealed, artifact, reads):
    assert sealed().broken([artifact]) == set()
    assert reads == []


def test_an_unsealed_file_is_read_and_found_right(store, artifact, tmp_path, reads):
    assert Seals(tmp_path / "none.json", store).broken([artifact]) == set()
    assert reads == [artifact.path]


def test_damage_that_changes_the_time_of_a_sealed_file_is_found(sealed, store, artifact, reads):
    damage(store.file(artifact.path), keep_time=False)
    assert sealed().broken([artifact]) == {artifact.path}
    assert reads == [artifact.path]


def test_damage_that_changes_neither_size_nor_time_is_left_to_loading(sealed, store, artifact, tmp_path):
    damage(store.file(artifact.path), keep_time=True)
    assert sealed().broken([artifact]) == set()
    with pytest.raises(ArtifactError, match="damaged"):
        store.load(artifact.path, artifact.sha256)
    assert Seals(tmp_path / "none.json", store).broken([artifact]) == {artifact.path}, "without its seal"


def test_a_file_that_was_only_touched_is_right(sealed, store, artifact, reads):
    os.utime(store.file(artifact.path))
    assert sealed().broken([artifact]) == set()
    assert reads == [artifact.path]


def test_a_missing_file_and_one_that_was_cut_are_broken_without_reading(sealed, store, artifact, reads):
    cut = store.save("checkpoint", {"x": np.zeros(300)}, 2)
    store.file(cut.path).write_bytes(store.file(cut.path).read_bytes()[:100])
    store.file(artifact.path).unlink()
    assert sealed().broken([artifact, cut]) == {artifact.path, cut.path}
    assert reads == []


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"a": 1}', '{"a": [1]}', "\x00"])
def test_seals_that_cannot_be_read_only_cost_time(store, artifact, tmp_path, text):
    path = tmp_path / "seals.json"
    path.write_text(text)
    assert Seals(path, store).broken([artifact]) == set()
    store.file(artifact.path).unlink()
    assert Seals(path, store).broken([artifact]) == {artifact.path}


def test_only_what_was_seen_to_be_right_and_is_still_recorded_is_sealed(store, artifact, tmp_path):
    path = tmp_path / "seals.json"
    gone, seen, unseen, forgotten = (store.save("checkpoint", {"x": np.full(3, epoch)}, epoch) for epoch in range(4))
    store.file(gone.path).unlink()
    seals = Seals(path, store)
    for one in (gone, forgotten):
        seals.take(one)
    assert seals.broken([seen]) == set(), "whose bytes are read"
    damage(store.file(unseen.path), keep_time=True)
    seals.write([one.path for one in (gone, seen, unseen)])
    again = Seals(path, store)
    assert list(again._known) == [seen.path]
    assert again.broken([seen, unseen]) == {unseen.path}


def test_a_seal_that_cannot_be_written_harms_nothing(store, artifact, tmp_path):
    Seals(tmp_path / "no" / "folder" / "seals.json", store).write([artifact.path])
