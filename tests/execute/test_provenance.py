import os
import subprocess

import pytest

from linstudy.execute.provenance import GitState, git_state


def git(folder, *arguments):
    identity = ["-c", "user.name=A", "-c", "user.email=a@b.c"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    """A repository with one committed file, in a folder below others."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init")
    (folder / "study.yaml").write_text("study: a\n")
    git(folder, "add", "study.yaml")
    git(folder, "commit", "-m", "First")
    return folder


def test_there_is_nothing_to_say_outside_of_a_repository(tmp_path):
    assert git_state(tmp_path) == GitState(None, None, None)


def test_a_checkout_with_changes_is_dirty(repository):
    state = git_state(repository, [repository / "study.yaml"])
    assert len(state.commit) == 40
    assert state.dirty is False
    (repository / "study.yaml").write_text("study: b\n")
    assert git_state(repository).dirty is True


@pytest.mark.parametrize("name", ["own.py", "*.py", ":odd.py"])
def test_a_file_of_the_study_that_git_does_not_track_is_dirt(repository, name):
    own = repository / name
    own.write_text("x = 1\n")
    assert git_state(repository).dirty is False
    assert git_state(repository, [repository / "study.yaml", own]).dirty is True
    git(repository, "--literal-pathspecs", "add", "--", name)
    git(repository, "commit", "-m", "Second")
    assert git_state(repository, [own]).dirty is False


def test_an_ignored_file_and_one_outside_are_not_tracked(repository, tmp_path):
    (repository / ".gitignore").write_text("own.py\n")
    git(repository, "add", ".gitignore")
    git(repository, "commit", "-m", "Second")
    for own in (repository / "own.py", tmp_path / "own.py"):
        own.write_text("x = 1\n")
        assert git_state(repository, [own]).dirty is True


def test_a_repository_of_another_owner_is_named(repository, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    state = git_state(repository)
    assert (state.commit, state.dirty) == (None, None)
    assert state.note.startswith("no git commit is recorded: fatal: detected dubious ownership")
    assert state.note.endswith(f"git config --global --add safe.directory {repository}")


def test_looking_writes_nothing(repository):
    os.utime(repository / "study.yaml", (1, 1))  # git would note the new time in its index
    before = (repository / ".git" / "index").read_bytes()
    assert git_state(repository).dirty is False
    assert (repository / ".git" / "index").read_bytes() == before
