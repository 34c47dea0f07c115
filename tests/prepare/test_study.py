"""What planning finds, and where it looks."""

import sys

import pytest

from linstudy.prepare.study import plan_study
from linstudy.spec.errors import StudyError

HEAD = "study: a\n"
DATA = "data: {kind: npz, path: a.npz}\n"
NPZ = b"any content: it is only hashed"


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """A study's folder and a data folder, and another one to stand in."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("study", "data", "elsewhere"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


@pytest.fixture
def plan(folders):
    def plan(text, *overrides):
        (folders / "study" / "a.yaml").write_text(HEAD + text)
        return plan_study(folders / "study" / "a.yaml", None, overrides, folders / "data")[1]

    return plan


@pytest.fixture
def error(plan):
    def error(text, *overrides):
        with pytest.raises(StudyError) as raised:
            plan(text, *overrides)
        return str(raised.value)

    return error


def test_what_is_missing_is_told_with_its_line_and_the_places_searched(error, folders):
    places = f'beside the study file ("{folders}/study") or in the data folder ("{folders}/data")'
    advice = "correct the path, or name its folder with --data"
    source = f"{folders}/study/a.yaml"
    (folders / "elsewhere" / "a.npz").write_bytes(NPZ)
    assert error(DATA + "model: {kind: mlp}\n") == f'{source}:2:25  data.path: there is no "a.npz" {places}; {advice}'
    text = (
        "data: {kind: digits}\nmodel: {kind: mlp}\ntask: {kind: column, path: b.txt}\nsweep: {train.epochs: [1, 2]}\n"
    )
    assert error(text).splitlines() == [
        f'{source}:4:28  task.path: there is no "b.txt" {places}; {advice}',
        f"{' ' * len(source)}       2 of the study's 2 runs come from this line",
    ]
    text = "data: {kind: digits}\nmodel: {kind: import, factory: 'nowhere_at_all:make'}\n"
    assert error(text) == (
        f"{source}:3:32  model.factory: there is no module nowhere_at_all with a source file {places}, "
        "nor among the installed packages"
    )
    assert error("data: {kind: digits}\nmodel: {kind: mlp}\n", "data={kind: npz, path: c.npz}") == (
        f'--set data={{kind: npz, path: c.npz}}  data.path: there is no "c.npz" {places}; {advice}'
    )


def test_a_profile_that_is_not_asked_for_may_name_what_is_not_here(plan):
    text = "data: {kind: digits}\nmodel: {kind: mlp}\nprofiles: {paper: {data: {kind: npz, path: c.npz}}}\n"
    assert len(plan(text).runs) == 1


@pytest.mark.parametrize("folder", ["study", "data"])
def test_data_labels_and_factories_are_found_in_either_folder(plan, folders, folder):
    (folders / folder / "a.npz").write_bytes(NPZ)
    (folders / folder / "b.txt").write_text("1\n")
    (folders / folder / f"nets_of_{folder}.py").write_text("def make(input_shape, key): ...\n")
    model = f"model: {{kind: import, factory: 'nets_of_{folder}:make'}}\n"
    assert len(plan(DATA + model + "task: {kind: column, path: b.txt}\n").runs) == 1


def test_the_folders_come_last_on_the_import_path(plan, folders):
    before = list(sys.path)
    plan("data: {kind: digits}\nmodel: {kind: mlp}\n")
    assert sys.path == [*before, f"{folders}/study", f"{folders}/data"]
    plan("data: {kind: digits}\nmodel: {kind: mlp}\n")
    assert len(sys.path) == len(before) + 2


def test_a_module_with_the_name_of_a_standard_one_is_refused_with_both_names(error, folders):
    (folders / "study" / "colorsys.py").write_text("def make(input_shape, key): ...\n")
    message = error("data: {kind: digits}\nmodel: {kind: import, factory: 'colorsys:make'}\n")
    assert f"model.factory: {folders}/study/colorsys.py is hidden by " in message
    assert message.endswith("colorsys.py, which is found first. Rename yours")
