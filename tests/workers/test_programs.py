"""Where compiled programs are kept, and how many."""

import os

import pytest

from linstudy.workers.programs import compilation_cache, processor, prune

VARIABLE = "JAX_COMPILATION_CACHE_DIR"


@pytest.fixture
def programs(tmp_path):
    """Ten files of 10 bytes, the first one used longest ago."""
    for number in range(10):
        file = tmp_path / f"program-{number}"
        file.write_bytes(b"x" * 10)
        os.utime(file, (1000 + number, 500))
    return tmp_path


@pytest.mark.parametrize(("limit", "left"), [(100, 10), (99, 9), (35, 3), (0, 0)])
def test_what_was_used_longest_ago_goes_first(programs, limit, left):
    prune(programs, limit)
    assert sorted(file.name for file in programs.iterdir()) == [f"program-{number}" for number in range(10 - left, 10)]


def test_folders_and_a_cache_that_is_not_there_yet_are_left_alone(programs):
    (programs / "folder").mkdir()
    prune(programs, 0)
    assert [file.name for file in programs.iterdir()] == ["folder"]
    prune(programs / "none", 0)


def test_each_type_of_processor_has_a_folder(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert compilation_cache(tmp_path)[VARIABLE] == str(tmp_path / processor())


def test_a_folder_that_the_user_chose_is_respected(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "/elsewhere")
    assert compilation_cache(tmp_path) == {}
