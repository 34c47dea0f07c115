import json

import pytest
from pydantic import TypeAdapter

from linstudy.data.places import Places
from linstudy.prepare.sources import changed_sources, sources
from linstudy.spec.data import DigitsData, GaussianData
from linstudy.spec.errors import LinstudyError
from linstudy.spec.model import ImportModel, MlpModel
from linstudy.spec.run import RunSpec
from linstudy.spec.task import ColumnTask, RandomLabelsTask


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """The folders of the study, of the data, and the current one."""
    found = [tmp_path / name for name in ("study", "data", "here")]
    for folder in found:
        folder.mkdir()
    monkeypatch.chdir(found[2])
    monkeypatch.syspath_prepend(found[0])
    return found


@pytest.fixture
def places(folders):
    return Places(*folders[:2])


def test_what_names_nothing_outside_has_no_source(places):
    identify = sources(places)
    parts = {
        "data": GaussianData(kind="gaussian"),
        "model": MlpModel(kind="mlp"),
        "task": RandomLabelsTask(kind="random_labels"),
    }
    assert not any(identify(part, spec) for part, spec in parts.items())
    assert identify("data", DigitsData(kind="digits")) == "digits-sklearn-1"


@pytest.mark.parametrize(("folder", "found"), [(0, {"w.bin"}), (1, {"w.bin"}), (2, set())])
def test_files_of_arguments_are_looked_for_beside_the_study_and_among_the_data(folders, places, folder, found):
    (folders[0] / "own_.py").write_text("")
    spec = ImportModel(kind="import", factory="own_:make", arguments={"weights": "w.bin"})
    assert set(sources(places)("model", spec)) == {"own_"}
    (folders[folder] / "w.bin").write_bytes(b"1")
    assert set(sources(places)("model", spec)) == {"own_"} | found


def test_a_content_is_looked_at_once(folders, places):
    path = folders[0] / "labels.txt"
    path.write_text("1\n")
    identify, spec = sources(places), ColumnTask(kind="column", path="labels.txt")
    before = identify("task", spec)
    path.unlink()
    assert identify("task", spec) == before
    with pytest.raises(LinstudyError, match='there is no "labels.txt" beside the study file'):
        sources(places)("task", spec)


SPECTRUM = {"kind": "spectrum", "data": {"kind": "digits"}, "spectrum": {}, "seed": 0}


@pytest.mark.parametrize(
    ("then", "changed"),
    [
        ({"data": "digits-sklearn-1", "model": {"own_": "a", "own_.part": "b"}}, []),
        ({"data": "digits-sklearn-0", "model": {"own_": "a", "own_.part": "c"}}, ["data", "model own_.part"]),
        ({"data": "digits-sklearn-1", "model": {"own_": "a", "gone": "b"}}, ["model gone", "model own_.part"]),
        ({"data": "digits-sklearn-1"}, ["model"]),
        ("the text of an earlier version", ["data", "model"]),
    ],
)
def test_what_changed_is_named_by_part_and_file(then, changed):
    spec = TypeAdapter(RunSpec).validate_python({**SPECTRUM, "model": {"kind": "import", "factory": "own_:make"}})
    now = {"data": "digits-sklearn-1", "model": {"own_": "a", "own_.part": "b"}}
    source = then if isinstance(then, str) else json.dumps(then)
    assert changed_sources(spec, source, lambda part, _: now[part]) == changed
    assert changed_sources(spec, source, lambda part, _: now[part], parts=["task"]) == []
