import pytest

from linstudy.execute.sources import sources
from linstudy.spec.data import DigitsData, GaussianData
from linstudy.spec.errors import LinstudyError
from linstudy.spec.model import ImportModel, MlpModel
from linstudy.spec.task import ColumnTask, RandomLabelsTask


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """The folders of the data, of the study, and the current one."""
    found = [tmp_path / name for name in ("data", "study", "here")]
    for folder in found:
        folder.mkdir()
    monkeypatch.chdir(found[2])
    monkeypatch.syspath_prepend(found[1])
    return found


def test_what_names_nothing_outside_has_no_source(folders):
    identify = sources(folders[0], folders[1])
    parts = {
        "data": GaussianData(kind="gaussian"),
        "model": MlpModel(kind="mlp"),
        "task": RandomLabelsTask(kind="random_labels"),
    }
    assert not any(identify(part, spec) for part, spec in parts.items())
    assert identify("data", DigitsData(kind="digits")) == "digits-sklearn-1"


@pytest.mark.parametrize("place", [0, 1, 2])
def test_files_of_arguments_are_looked_for_in_every_folder(folders, place):
    (folders[1] / "own_.py").write_text("")
    spec = ImportModel(kind="import", factory="own_:make", arguments={"weights": "w.bin"})
    assert set(sources(folders[0], folders[1])("model", spec)) == {"own_"}
    (folders[place] / "w.bin").write_bytes(b"1")
    assert set(sources(folders[0], folders[1])("model", spec)) == {"own_", "w.bin"}


def test_a_content_is_looked_at_once(folders):
    path = folders[2] / "labels.txt"
    path.write_text("1\n")
    identify, spec = sources(None, folders[1]), ColumnTask(kind="column", path=str(path))
    before = identify("task", spec)
    path.unlink()
    assert identify("task", spec) == before
    with pytest.raises(LinstudyError, match="cannot be read"):
        sources(None, folders[1])("task", spec)
