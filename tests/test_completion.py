"""What the tab key offers, by the protocol of a shell, in this process."""

import sys
from pathlib import Path

import pytest
from small_history import PROBE, SPECTRUM, TRAINING, make_history

from linstudy.cli import cli, main

STUDY = "study: mine\ndata: {kind: digits}\nmodel: {kind: mlp}\nprofiles: {quick: {seeds: [0]}, slow: {seeds: [1]}}\n"


@pytest.fixture
def offered(tmp_path, monkeypatch, capfd):
    """A function that tells what a shell is offered after some words."""
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(STUDY)
    Path("broken.yaml").write_text("a: [")

    def offered(*words, shell="bash"):
        monkeypatch.setenv("_LINSTUDY_COMPLETE", f"{shell}_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(["linstudy", *words]))
        monkeypatch.setenv("COMP_CWORD", words[-1] if shell == "fish" else str(len(words)))
        monkeypatch.setattr(sys, "argv", ["linstudy"])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capfd.readouterr()
        assert (ended.value.code, told.err) == (0, "")
        return told.out.split()

    return offered


def test_commands_are_offered(offered):
    assert offered("sh") == ["plain,show"]
    assert set(offered("")) == {f"plain,{name}" for name in cli.commands}


@pytest.mark.parametrize("command", ["run", "plan"])
def test_studies_are_offered_and_files(offered, command):
    assert offered(command, "mi") == ["file,mi", "plain,mine"]
    assert "plain,kernel_rotation" in offered(command, "")


def test_the_profiles_of_the_study_are_offered(offered):
    assert offered("run", "mine", "--profile", "") == ["plain,quick", "plain,slow"]
    assert offered("plan", "--set", "seeds=[0]", "mine", "--profile", "s") == ["plain,slow"]
    assert offered("why", "mine", "--profile", "s") == ["plain,slow"]
    assert offered("run", "kernel_rotation", "--profile", "l") == ["plain,laptop"]


def test_figures_are_offered(offered):
    assert offered("figure", "kernel_r") == ["plain,kernel_rotation"]
    Path("own/figures").mkdir(parents=True)
    Path("own/figures/mine.sql").touch()
    assert offered("figure", "--reports", "own", "") == ["plain,mine"]


@pytest.mark.parametrize("command", ["show", "log"])
def test_ids_of_runs_are_offered(offered, command):
    make_history(Path("there"))
    assert offered(command, "--workspace", "there", "7") == [f"plain,{TRAINING}", f"plain,{PROBE}"]
    assert offered(command, "--workspace", "there", "", shell="zsh")[:3] == ["plain", SPECTRUM, "spectrum"]
    make_history(Path())
    assert offered(command, "5") == [f"plain,{SPECTRUM}"]


@pytest.mark.parametrize(
    "words",
    [
        ("show", "'"),
        ("show", "7"),  # without results
        ("run", "broken", "--profile", ""),
        ("run", "nothing", "--profile", ""),
        ("run", "--profile", ""),
        ("figure", "--reports", "nowhere", ""),
        ("show", "--workspace", "broken.yaml", ""),
    ],
)
def test_nothing_is_said_where_nothing_is_found(offered, words):
    assert offered(*words) == []


def test_a_shell_that_is_not_known_gets_nothing(offered):
    assert offered("show", "", shell="tcsh") == []
