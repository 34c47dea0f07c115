import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from linstudy.prepare import provenance
from linstudy.prepare.provenance import GitState, code_behind, git_state
from linstudy.prepare.study import plan_study


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


MODEL = """
from helper import SCALE
def make(input_shape, key):
    raise NotImplementedError
"""


@pytest.fixture
def own(repository):
    """A study with a model of its own in two modules, of which git tracks one; and a file that it does not import."""
    (repository / "study.yaml").write_text(
        "study: a\ndata: {kind: digits}\nmodel: {kind: import, factory: 'own_net:make'}\n"
    )
    (repository / "own_net.py").write_text(MODEL)
    (repository / "helper.py").write_text("SCALE = 1\n")
    (repository / "secret.py").write_text("TOKEN = 'hunter2'\n")
    git(repository, "add", "study.yaml", "own_net.py", "secret.py")
    git(repository, "commit", "-m", "Own")
    return repository


def kept(folder, monkeypatch):
    """What is kept, as if linstudy were installed: its own changes are those of whoever runs the tests."""
    monkeypatch.setattr(provenance, "_is_checkout", lambda package: False)
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    return code_behind(plan_study(folder / "study.yaml", None, (), None)[0])


def test_modules_that_git_does_not_track_are_kept_whole_and_others_by_their_changes(own, monkeypatch):
    found = kept(own, monkeypatch)
    assert found["helper.py"] == "SCALE = 1\n"
    assert "changes" not in found
    (own / "own_net.py").write_text(MODEL.replace("NotImplementedError", "RuntimeError"))
    (own / "secret.py").write_text("TOKEN = 'hunter3'\n")
    found = kept(own, monkeypatch)
    assert "-    raise NotImplementedError\n+    raise RuntimeError\n" in found["changes"]
    assert not any("hunter" in (text or "") for text in found.values()), "it is not imported"


CONFIGURATION = {
    "plain": {},
    "prefixes": {"diff.noprefix": "true", "color.ui": "always", "diff.external": "true", "diff.context": "0"},
    "relative": {"diff.relative": "true", "diff.mnemonicPrefix": "true"},
}


@pytest.mark.parametrize("settings", CONFIGURATION.values(), ids=CONFIGURATION)
@pytest.mark.parametrize("below", [".", "below"])
def test_the_changes_that_are_kept_bring_the_code_back(own, monkeypatch, settings, below):
    """Also of lines that end as in Windows, and of a file that git takes for a binary one."""
    folder = own / below
    folder.mkdir(exist_ok=True)
    for name, text in {"own_net.py": MODEL, "helper.py": "SCALE = 1\r\n"}.items():
        (folder / name).write_bytes(text.encode())
    (folder / "study.yaml").write_text((own / "study.yaml").read_text())
    (own / ".gitattributes").write_text("own_net.py binary\n")
    git(own, "add", ".")
    git(own, "commit", "-m", "Below")
    changed = {"own_net.py": MODEL.replace("NotImplemented", "Runtime").encode(), "helper.py": b"SCALE = 2\r\n"}
    for name, content in changed.items():
        (folder / name).write_bytes(content)
    for name, value in settings.items():
        git(own, "config", name, value)
    found = kept(folder, monkeypatch)
    assert found.keys() == {"changes", "packages"}
    git(own, "checkout", ".")
    subprocess.run(["git", "apply"], input=found["changes"].encode(), cwd=own, check=True)
    assert {name: (folder / name).read_bytes() for name in changed} == changed


def test_without_a_commit_all_modules_are_kept_whole(own, monkeypatch):
    git(own, "add", ".")
    git(own, "update-ref", "-d", "HEAD")
    assert kept(own, monkeypatch).keys() == {"own_net.py", "helper.py", "packages"}


def test_changes_are_kept_where_the_folder_is_a_link(own, tmp_path, monkeypatch):
    (own / "own_net.py").write_text(MODEL.replace("NotImplementedError", "RuntimeError"))
    (tmp_path / "link").symlink_to(own)
    assert kept(tmp_path / "link", monkeypatch).keys() == {"changes", "helper.py", "packages"}


def test_a_study_in_the_current_folder_names_its_modules_so(own, monkeypatch):
    monkeypatch.chdir(own)
    assert "helper.py" in kept(Path(), monkeypatch)


def test_what_is_no_utf_8_is_named_alone(own, monkeypatch):
    (own / "helper.py").write_bytes(b"# -*- coding: latin-1 -*-\nSCALE = 1  # \xe9\n")
    assert kept(own, monkeypatch)["helper.py"] is None


def test_a_long_module_is_named_alone_and_packages_are_listed(own, monkeypatch):
    monkeypatch.setattr(provenance, "MOST_CHARACTERS", 8)
    assert kept(own, monkeypatch)["helper.py"] is None
    monkeypatch.undo()
    packages = kept(own, monkeypatch)["packages"].splitlines()
    assert f"numpy=={np.__version__}" in packages
    assert packages == sorted(packages, key=lambda line: line.partition("==")[0].lower())
