"""A Gram that goes on after an interruption."""

import numpy as np
import pytest

from linstudy.facts import Artifact
from linstudy.resources import LIMITS, Resources
from linstudy.runs import gram_file, spectrum
from linstudy.runs.gram_file import GramFile, discard
from linstudy.runs.job import Job, Stopped
from linstudy.spec.data import DigitsData
from linstudy.spec.model import MlpModel
from linstudy.spec.run import SpectrumRun
from linstudy.spec.spectrum import Spectrum
from linstudy.tangent.tiling import Finished

pytestmark = pytest.mark.product_settings

RUN = SpectrumRun(
    kind="spectrum",
    data=DigitsData(kind="digits", train=300, test=100),
    model=MlpModel(kind="mlp", hidden=(6,)),
    spectrum=Spectrum(top=5),
    seed=0,
)


@pytest.fixture(autouse=True)
def large(monkeypatch):
    """Every Gram is too large for the memory."""
    monkeypatch.setitem(LIMITS, "gram", 1000)


def run(folder, stop=lambda count: False):
    """What one attempt leaves, and how often it was asked to stop."""
    stored, asked = {}, []

    def asks():
        asked.append(1)
        return stop(len(asked))

    def store(name, arrays, epoch, replaces):
        stored[name] = arrays
        return Artifact(name, "artifacts/0", "0" * 64, 0)

    resources = Resources(folder=folder)
    job = Job(RUN, name="run", resources=resources, store=store, stop=asks)
    try:
        spectrum.run(job)
    except Stopped:
        assert not stored
    return stored.get("spectrum"), len(asked)


def test_an_interrupted_gram_goes_on_to_the_same_bits(tmp_path):
    whole, asked = run(tmp_path / "undisturbed")
    assert not list((tmp_path / "undisturbed").iterdir())
    nothing, _ = run(tmp_path / "here", lambda count: count == 4)
    assert nothing is None
    assert {path.name for path in (tmp_path / "here").iterdir()} == {"run.gram", "run.json"}
    again, fewer = run(tmp_path / "here")
    assert fewer < asked
    for name, array in whole.items():
        np.testing.assert_array_equal(again[name], array)
    assert not list((tmp_path / "here").iterdir())


def test_what_a_file_says_of_itself_is_believed_only_if_it_fits(tmp_path):
    file = GramFile(tmp_path, "a", (4, 4), np.float32)
    assert file.finished is None
    file.array[:] = 7
    file.keep(Finished("tiles of 2", 3))
    file.note()
    assert GramFile(tmp_path, "a", (4, 4), np.float32).finished == Finished("tiles of 2", 3)
    assert (GramFile(tmp_path, "a", (4, 4), np.float32).array == 7).all()
    assert GramFile(tmp_path, "a", (5, 5), np.float32).finished is None
    discard(tmp_path, "a")
    assert not list(tmp_path.iterdir())


def test_what_is_finished_is_noted_now_and_then(tmp_path, monkeypatch):
    file = GramFile(tmp_path, "a", (4, 4), np.float32)
    file.keep(Finished("order", 1))
    assert not (tmp_path / "a.json").exists()
    monkeypatch.setattr(gram_file, "SECONDS_BETWEEN_NOTES", 0.0)
    file.keep(Finished("order", 2))
    assert GramFile(tmp_path, "a", (4, 4), np.float32).finished == Finished("order", 2)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"shape": [4, 4]}'])
def test_a_cut_note_is_none(tmp_path, text):
    GramFile(tmp_path, "a", (4, 4), np.float32)
    (tmp_path / "a.json").write_text(text)
    assert GramFile(tmp_path, "a", (4, 4), np.float32).finished is None
