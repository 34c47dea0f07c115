import os
import pwd

import numpy as np
import pytest

from linstudy.data import DataError, Places, load, source_identity
from linstudy.data.places import HERE, cache_folder
from linstudy.spec.data import NpzData


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A study's folder and a data folder, and another one to stand in."""
    for name in ("study", "data", "elsewhere", "home"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return Places(tmp_path / "study", tmp_path / "data")


def test_a_relative_path_lies_beside_the_study_or_else_in_the_data_folder(places, tmp_path):
    (tmp_path / "data" / "a.npz").touch()
    assert places.resolve("a.npz") == tmp_path / "data" / "a.npz"
    (tmp_path / "study" / "a.npz").touch()
    assert places.resolve("a.npz") == tmp_path / "study" / "a.npz"
    assert places.resolve("../data/a.npz").samefile(tmp_path / "data" / "a.npz")


def test_the_current_folder_is_no_place_of_a_study(places, tmp_path):
    (tmp_path / "elsewhere" / "a.npz").touch()
    with pytest.raises(DataError) as error:
        places.resolve("a.npz")
    assert str(error.value) == (
        f'there is no "a.npz" beside the study file ("{tmp_path}/study") or in the data folder ("{tmp_path}/data"); '
        "correct the path, or name its folder with --data"
    )
    assert HERE.resolve("a.npz") == tmp_path / "elsewhere" / "a.npz"


def test_an_absolute_path_is_itself_and_a_tilde_is_the_home_folder(places, tmp_path):
    (tmp_path / "home" / "a.npz").touch()
    assert places.resolve(str(tmp_path / "home" / "a.npz")) == tmp_path / "home" / "a.npz"
    assert places.resolve("~/a.npz") == tmp_path / "home" / "a.npz"
    with pytest.raises(DataError, match=f'^there is no "{tmp_path}/home/b.npz"; correct the path$'):
        places.resolve("~/b.npz")


def test_without_a_data_folder_one_place_is_named(tmp_path):
    with pytest.raises(DataError, match=r'there is no "a" beside the study file \("[^"]*"\); correct'):
        Places(tmp_path).resolve("a")


@pytest.mark.parametrize("name", ["a b", "é", "e\u0301", "it's", 'a "b"', "a:b", "a\nb", "-a", "a;b$c"])
def test_any_name_can_be_a_path(places, npz, tmp_path, name):
    path = npz(tmp_path / "study" / f"{name}.npz")
    spec = NpzData(kind="npz", path=path.name, train=4)
    assert np.array_equal(
        load(spec, places).train_inputs, load(NpzData(kind="npz", path=str(path), train=4)).train_inputs
    )
    assert source_identity(spec, places) == source_identity(NpzData(kind="npz", path=str(path)))
    with pytest.raises(DataError) as error:
        places.resolve(f"{name}.np")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("path", ["x" * 5000, "~nobody-of-this-name/a"])
def test_a_path_that_cannot_be_is_not_there(places, path):
    with pytest.raises(DataError, match="there is no"):
        places.resolve(path)


def test_a_user_without_a_home_has_a_cache_outside_of_the_current_folder(monkeypatch):
    def unknown(uid):
        raise KeyError(uid)

    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert os.path.expanduser("~/a") == "~/a", "the control: there is no home"
    assert cache_folder().is_absolute()
