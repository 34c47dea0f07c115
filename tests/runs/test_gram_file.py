"""A Gram in a file, to which several workers write, and which goes on after an interruption."""

import json
import os

import numpy as np
import pytest

from linstudy.facts import Artifact, Divided
from linstudy.resources import LIMITS, Resources
from linstudy.runs import shared_gram, spectrum
from linstudy.runs.gram_file import GramFile, discard, find_gram_file, make_gram_file
from linstudy.runs.job import Job, Stopped
from linstudy.runs.networks import initial_network
from linstudy.spec.data import DigitsData
from linstudy.spec.errors import LinstudyError
from linstudy.spec.model import MlpModel
from linstudy.spec.run import SpectrumRun
from linstudy.spec.spectrum import Spectrum
from linstudy.tangent import Division, GramBlocks, freeze

pytestmark = pytest.mark.product_settings

RUN = SpectrumRun(
    kind="spectrum",
    data=DigitsData(kind="digits", train=1100, test=100),
    model=MlpModel(kind="mlp", hidden=(6,)),
    spectrum=Spectrum(top=5),
    seed=0,
)
DIVISION = Division(10, 3, 3, 2)


@pytest.fixture(autouse=True)
def large(monkeypatch):
    """Every Gram is too large for the memory."""
    monkeypatch.setitem(LIMITS, "gram", 1000)


@pytest.fixture
def computed(monkeypatch):
    """The blocks that were computed, as they are."""
    found, tiles = [], GramBlocks.tiles

    def noted(self, block):
        found.append(block)
        return tiles(self, block)

    monkeypatch.setattr(GramBlocks, "tiles", noted)
    return found


def run(folder, stop=lambda count: False, tell=lambda fact: None):
    """What one attempt leaves, and how often it was asked to stop."""
    stored, asked = {}, []

    def asks():
        asked.append(1)
        return stop(len(asked))

    def store(name, arrays, epoch, replaces):
        stored[name] = arrays
        return Artifact(name, "artifacts/0", "0" * 64, 0)

    def told(*facts):
        for fact in facts:
            tell(fact)

    job = Job(RUN, name="run", resources=Resources(folder=folder), store=store, stop=asks, tell=told)
    try:
        spectrum.run(job)
    except Stopped:
        assert not stored
    return stored.get("spectrum")


def assist(folder, token, kind="", stop=lambda: False, is_released=lambda: False):
    spectrum.assist(Job(RUN, name="run", resources=Resources(folder=folder, kind=kind), stop=stop), token, is_released)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What a run leaves that nothing disturbs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LIMITS, "gram", 2**30)
        return run(tmp_path_factory.mktemp("whole"))


def assert_equal(found, whole):
    assert found.keys() == whole.keys()
    for name, array in whole.items():
        np.testing.assert_array_equal(found[name], array)


def token_of(folder):
    return json.loads((folder / "run.json").read_text())["token"]


def test_a_gram_in_a_file_has_the_bits_of_one_in_memory(tmp_path, whole):
    assert_equal(run(tmp_path), whole)
    assert not list(tmp_path.iterdir())


def test_an_interrupted_gram_goes_on_to_the_same_bits(tmp_path, whole, computed):
    assert run(tmp_path, lambda count: count == 20) is None
    token = token_of(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"run.json", f"run.{token}.gram", f"run.{token}.blocks"}
    before = len(computed)
    assert_equal(run(tmp_path), whole)
    assert 1 < before < len(set(computed))
    assert len(computed) == len(set(computed)) + 1  # the one in which it was interrupted
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("helpers", [1, 2, 3])
def test_help_gives_the_same_bits(tmp_path, whole, computed, helpers, monkeypatch):
    monkeypatch.setattr(shared_gram, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(shared_gram, "LEAST_LEADS", 0.0)
    parts = []

    def help_after_a_block(fact):
        if isinstance(fact, Divided):
            parts.append(fact.parts)
            for _ in range(helpers):
                if fact.parts:
                    blocks = len(computed)
                    assist(tmp_path, fact.token, is_released=lambda blocks=blocks: len(computed) > blocks)

    assert_equal(run(tmp_path, tell=help_after_a_block), whole)
    assert parts[-1] == 0
    assert parts == sorted(parts, reverse=True)
    assert len(computed) == len(set(computed))  # nobody does what another has done
    assert len(parts) < len(computed)


def test_what_a_lost_helper_had_begun_is_computed_by_the_owner(tmp_path, whole, computed, monkeypatch):
    """One that is killed in a block leaves a claim, and a part of its tiles."""
    monkeypatch.setattr(shared_gram, "pays", lambda *_: True)
    lost = []

    def claim_one(fact):
        if isinstance(fact, Divided) and not lost:
            file = find_gram_file(tmp_path, "run", fact.token, "")
            lost.append(file.claim_next())
            file.write(slice(0, 20), slice(30, 50), np.full((20, 20), 7.0))

    assert_equal(run(tmp_path, tell=claim_one), whole)
    assert len(computed) == len(set(computed))


def test_a_claim_of_an_earlier_attempt_holds_nobody_up(tmp_path, whole):
    run(tmp_path, lambda count: count == 20)
    file = find_gram_file(tmp_path, "run", token_of(tmp_path), "")
    claimed = file.claim_next()
    again = make_gram_file(tmp_path, "run", file.division, np.float32, "")
    assert claimed in again.free()
    assert_equal(run(tmp_path), whole)


def test_a_helper_needs_the_same_file_and_the_same_kind_of_device(tmp_path, monkeypatch):
    monkeypatch.setattr(shared_gram, "SECONDS_TO_APPEAR", 0.0)
    run(tmp_path, lambda count: count == 20)
    for folder, token, kind in [
        (tmp_path / "elsewhere", token_of(tmp_path), ""),
        (tmp_path, "another", ""),
        (tmp_path, token_of(tmp_path), "another"),
    ]:
        with pytest.raises(LinstudyError, match="not here, or this is another kind of device"):
            assist(folder, token, kind)


def test_a_helper_that_is_stopped_gives_its_block_back(tmp_path, whole):
    run(tmp_path, lambda count: count == 20)
    file = find_gram_file(tmp_path, "run", token_of(tmp_path), "")
    before = file.free()
    with pytest.raises(Stopped):
        assist(tmp_path, file.token, stop=lambda: True)
    assert file.free() == before
    assert_equal(run(tmp_path), whole)


def test_a_helper_ends_when_the_gram_is_needed_no_more(tmp_path, computed):
    run(tmp_path, lambda count: count == 20)
    token, before = token_of(tmp_path), len(computed)

    def ends():
        discard(tmp_path, "run")
        return False

    with pytest.raises(FileNotFoundError):
        assist(tmp_path, token, stop=ends)
    assert len(computed) == before + 1


def test_another_division_or_kind_has_a_file_of_its_own(tmp_path):
    first = make_gram_file(tmp_path, "a", DIVISION, np.float32, "cpu")
    first.write(slice(0, 3), slice(3, 6), np.ones((3, 3), np.float32))
    first.finish(first.claim_next())
    again = make_gram_file(tmp_path, "a", DIVISION, np.float32, "cpu")
    assert again.token == first.token
    assert len(again.free()) == again.whole - 1
    for division, dtype, kind in [(Division(10, 2, 2, 2), np.float32, "cpu"), (DIVISION, np.float64, "cpu")]:
        other = make_gram_file(tmp_path, "a", division, dtype, kind)
        assert other.token != first.token
        assert len(other.free()) == other.whole
    assert not any(first.token in path.name for path in tmp_path.iterdir())
    first.write(slice(0, 3), slice(3, 6), np.full((3, 3), 5, np.float32))  # late, to a file that nobody sees
    assert not other.array().any()
    discard(tmp_path, "a")
    assert not list(tmp_path.iterdir())


def test_helpers_claim_from_the_end(tmp_path):
    file = make_gram_file(tmp_path, "a", DIVISION, np.float32, "")
    claimed = [file.claim_next(from_end=from_end) for from_end in (False, True, True, False)]
    assert claimed == [0, file.whole - 1, file.whole - 2, 1]
    while file.claim_next() is not None:
        claimed.append(0)
    assert len(claimed) == file.whole
    assert sorted(file.unfinished()) == list(range(file.whole))


def test_a_tile_is_written_with_its_mirror_image(tmp_path):
    file = make_gram_file(tmp_path, "a", DIVISION, np.float32, "")
    values = np.arange(9, dtype=np.float32).reshape(3, 3)
    file.write(slice(0, 3), slice(6, 9), values)
    file.write(slice(9, 10), slice(9, 10), np.full((1, 1), 4, np.float32))
    expected = np.zeros((10, 10), np.float32)
    expected[0:3, 6:9], expected[6:9, 0:3], expected[9, 9] = values, values.T, 4
    np.testing.assert_array_equal(file.array(), expected)


def test_the_files_are_opened_for_writing_alone(tmp_path, monkeypatch):
    """Else the client of a network file system reads the page of which a part is written, and writes all of it."""
    flags, open_file = [], os.open
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", lambda path, how: flags.append(how) or open_file(path, how))
        file = make_gram_file(tmp_path, "a", DIVISION, np.float32, "")
        file.write(slice(0, 3), slice(0, 3), np.zeros((3, 3), np.float32))
        file.finish(0)
    assert flags == [os.O_WRONLY] * 2


def test_a_file_with_what_is_no_gram_is_not_kept(tmp_path, monkeypatch, whole):
    write = GramFile._write

    def write_wrongly(self, row, column, values):
        write(self, row, column, values + (row > column))

    with monkeypatch.context() as patch:
        patch.setattr(GramFile, "_write", write_wrongly)
        with pytest.raises(ValueError, match="not symmetric"):
            run(tmp_path)
    assert not list(tmp_path.iterdir())
    assert_equal(run(tmp_path), whole)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"dtype": "<f4"}'])
def test_a_cut_note_is_none(tmp_path, text):
    first = make_gram_file(tmp_path, "a", DIVISION, np.float32, "")
    (tmp_path / "a.json").write_text(text)
    assert find_gram_file(tmp_path, "a", first.token, "") is None
    assert make_gram_file(tmp_path, "a", DIVISION, np.float32, "").token != first.token


def test_a_file_that_was_cut_is_made_anew(tmp_path):
    first = make_gram_file(tmp_path, "a", DIVISION, np.float32, "")
    with next(tmp_path.glob("*.gram")).open("r+b") as file:
        file.truncate(100)
    assert make_gram_file(tmp_path, "a", DIVISION, np.float32, "").token != first.token


@pytest.mark.parametrize(
    ("tiles", "pace", "lead", "expected"), [(10, 2.0, 5.0, True), (10, 1.9, 5.0, False), (10, 2.0, 14.0, False)]
)
def test_help_is_asked_for_where_it_pays(tiles, pace, lead, expected):
    assert shared_gram.pays(tiles, pace, lead) is expected


@pytest.mark.parametrize(
    ("helped", "least", "seconds", "expected"),
    [(False, 0, 0.0, False), (True, 0, 0.0, True), (True, 2**28, 0.0, False), (True, 0, 1e6, False)],
)
def test_a_gram_that_fits_memory_goes_to_a_file_where_help_may_pay(
    tmp_path, monkeypatch, helped, least, seconds, expected
):
    monkeypatch.setitem(LIMITS, "gram", 2**30)
    monkeypatch.setattr(spectrum, "LEAST_BYTES", least)
    monkeypatch.setattr(spectrum, "SECONDS_FOR_FILE", seconds)
    job = Job(RUN, resources=Resources(folder=tmp_path / "later" / "made"), may_be_helped=helped)
    inputs = np.random.default_rng(0).random((300, 1, 8, 8), np.float32)
    blocks = spectrum._shared_blocks(job, freeze(*initial_network(job, (1, 8, 8))), inputs)
    assert (blocks is not None) is expected


def test_a_gram_stays_in_memory_where_the_disk_has_no_room(tmp_path):
    assert spectrum._has_room(tmp_path / "later", 2**10)
    assert not spectrum._has_room(tmp_path / "later", 2**60)
