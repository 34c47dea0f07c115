"""The notebook that studies/ has, run as a script."""

import runpy
import sys
from pathlib import Path

import pytest

from linstudy.spec.catalogue import named_studies

pytestmark = pytest.mark.product_settings

NOTEBOOK = Path(__file__).parents[2] / "studies" / "explore.py"


def test_the_notebook_runs_on_a_finished_workspace(run_study, monkeypatch):
    pytest.importorskip("marimo", reason="marimo is not installed: pip install '.[dev]'")
    folders = ["--workspace", str(run_study.workspace.root), "--study-folder", str(run_study.folder)]
    monkeypatch.setattr(sys, "argv", [str(NOTEBOOK), *folders])
    _, found = runpy.run_path(str(NOTEBOOK))["app"].run()
    run = found["run"]
    [(stored,)] = run.metrics.filter("name = 'accuracy' AND split = 'test' AND epoch = 3").select("value").fetchall()
    assert found["accuracy"] == stored
    assert 0 < found["before"] != found["after"] > 0


def test_the_notebook_is_no_study(monkeypatch):
    monkeypatch.chdir(NOTEBOOK.parents[1])
    names = named_studies()
    assert "kernel_rotation" in names
    assert NOTEBOOK.stem not in names
