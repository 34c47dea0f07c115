"""Operations and bytes of each kind of run, by hand."""

import itertools

import pytest
from pydantic import TypeAdapter

from linstudy.estimate.files import file_bytes
from linstudy.estimate.layers import network
from linstudy.estimate.work import GRADIENT_BATCH, Work, is_full, run_work
from linstudy.resources import Resources
from linstudy.spec.data import DataForm
from linstudy.spec.model import MlpModel
from linstudy.spec.run import RunSpec
from linstudy.tangent.alignment import GRADIENT_BATCH as engine_gradient_batch
from linstudy.tangent.spectrum import is_full as engine_is_full

SPEC = TypeAdapter(RunSpec)
FORM = DataForm(1000, 200, (10,), 10)
NET = network(MlpModel(kind="mlp", hidden=(4,)), (10,))
PAIR = (11 + 4) + 5
"""Multiply-adds: two dot products of the first layer, and of the last, whose kernel has 5 numbers, one of these."""


def spec(kind, **parts):
    common = {"data": {"kind": "gaussian", "shape": [10], "train": 1000, "test": 200}} if kind != "nads" else {}
    given = {"kind": kind, "model": {"kind": "mlp", "hidden": [4]}, "seed": 0, **common, **parts}
    return SPEC.validate_python(given, strict=False)


def training(**train):
    return spec("training", task={"kind": "random_labels"}, train={"batch_size": 100, "epochs": 3, **train})


def probe(**given):
    train = {"epochs": 3}
    return spec("probe", task={"kind": "random_labels"}, train=train, probe={"at": ["end"], **given}, epochs=[0, 3])


def work(spec, form=FORM):
    return run_work(spec, form, Resources())


def test_a_network_is_passed_three_times_a_sample_and_once_to_evaluate():
    found = work(training())
    assert found.own.operations == {"training": (3 * 3 * 1000 + 4 * 1200) * NET.forward}
    assert (
        work(training(linearize={"space": "parameters"})).own.operations["training"]
        == 2 * (found.own.operations["training"])
    )
    assert work(training(precision="float64")).own.operations["training"] == 2 * found.own.operations["training"]


def test_in_function_space_a_step_multiplies_its_rows_and_the_gram_is_shared():
    found = work(training(linearize={}))
    assert found.own.operations == {"gram": 3 * 10 * 100 * 1200}
    assert found.shared.read == 4 * 3 * 10 * 100 * 1200
    assert found.shared.operations["gram"] == PAIR * (1000 * 1001 / 2 + 1000 * 200)
    assert found.shared.held == 4 * 1000 * 1200 + 2 * 4 * 1200 * 10  # the Gram, and the samples twice


def test_a_spectrum_is_half_a_gram_and_a_decomposition():
    found = work(spec("spectrum", spectrum={})).own
    assert found.operations == {
        "features": 3 * NET.forward * 1200,
        "gram": PAIR * 1200 * 1201 / 2,
        "decomposition": 3 * 1200**3,
    }
    assert found.passing == 24 * 1200**2


def test_the_first_pairs_of_many_samples_take_3268_columns():
    found = work(spec("spectrum", spectrum={"top": 1000}), DataForm(50_000, 10_000, (10,))).own
    columns = 2.5 * 1001 + 12 * 64
    assert found.operations["krylov"] == columns * 60_000**2 + 2 * 60_000 * columns**2
    assert found.scratch == 4 * 60_000**2  # over 4 GiB, so in a file and not in memory
    assert found.held < 10**7


def test_a_probe_is_measured_at_each_of_its_epochs():
    found = work(probe(kind="energy_concentration", samples=500)).own
    assert found.operations["gram"] == 2 * PAIR * 500 * 501 / 2
    assert found.operations["decomposition"] == 2 * 3 * 500**3
    assert found.held == 4 * 500**2 + 2 * 4 * 1200 * 10
    values = work(probe(kind="spectrum_summary", samples=500)).own.operations["decomposition"]
    assert values == 2 * 1.5 * 500**3
    assert work(probe(kind="rkhs_norm", samples=500)).own.operations["decomposition"] == 2 * 3 * 500**3


def test_an_alignment_goes_the_way_of_fewer_operations():
    few, many = (work(probe(kind="alignment", top=top)).own.operations for top in (1, 1000))
    assert "krylov" not in few
    assert few["gram"] == 2 * 1200 * 2 * NET.parameters
    assert many["gram"] == 2 * 1200 * 1001 * NET.parameters  # of 49 parameters: fewer than half the samples times 20
    wide = probe(kind="alignment", top=99).model_copy(update={"model": MlpModel(kind="mlp")})
    assert work(wide).own.operations["krylov"] == 2 * 1200**2 * 100


def test_explicit_gradients_of_a_batch_are_held_beside_two_sums_for_each_target():
    assert engine_gradient_batch == GRADIENT_BATCH
    for samples, held in ((1200, 1024), (500, 500)):
        form = DataForm(samples - 200, 200, (10,), 10)
        passing = work(probe(kind="alignment", top=1), form).own.passing
        assert passing == 4 * NET.parameters * (held + 2 * 2)


def test_nads_are_eight_passes_a_direction():
    found = work(spec("nads", shape=[10]), DataForm()).own
    assert found.operations == {"derivatives": 8 * 10 * NET.forward, "decomposition": 3 * 10**3}


@pytest.mark.parametrize("form", [DataForm(), DataForm(1000, 200), DataForm(shape=(10,))])
def test_without_sizes_nothing_is_said(form):
    for run in (training(), spec("spectrum", spectrum={}), probe(kind="rkhs_norm")):
        assert work(run, form) is None
    assert work(spec("spectrum", spectrum={"kernel": "infinite_width"}, seed=None)) is None


def test_what_is_done_twice_is_held_once():
    once = Work({"gram": 5.0}, held=7, passing=3)
    assert once.times(2) == Work({"gram": 10.0}, held=7, passing=3)
    assert once + Work({"gram": 1.0}, held=1, passing=9) == Work({"gram": 6.0}, held=8, passing=9)


def test_a_gram_is_decomposed_fully_where_the_engine_does_so():
    for samples, kept in itertools.product((1, 100, 1500, 1501, 6000, 6001, 60_000), (1, 50, 1000, 5999, 6000)):
        kept = min(kept, samples)
        assert is_full(samples, kept) == engine_is_full(samples, kept)


def test_files_are_counted_by_what_they_hold():
    assert file_bytes(training(), 2, FORM, 2**30) == 2 * 4 * 2 * NET.parameters
    adam = training(optimizer={"kind": "adam"})
    assert file_bytes(adam, 1, FORM, 2**30) == 4 * 3 * NET.parameters
    in_span = 4 * 2 * (NET.parameters + 1000 + 1200)
    assert file_bytes(training(linearize={}), 1, FORM, 2**30) == in_span
    assert file_bytes(spec("spectrum", spectrum={}), 0, FORM, 2**30) == 8 * 1200 * 1203
    assert file_bytes(spec("nads", shape=[10]), 0, DataForm(), 2**30) == 8 * 10 * 11
    assert file_bytes(probe(kind="rkhs_norm"), 0, FORM, 2**30) == 0
    assert file_bytes(training(), 2, DataForm(), 2**30) is None
