"""What each kind of run tells, against dense oracles, closed forms and invariants."""

import errno
import json
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerance import assert_close

from linstudy import metrics
from linstudy.data import load
from linstudy.models.network import make_network
from linstudy.plan import fusion_key
from linstudy.runs import function_space
from linstudy.runs.events import Chose, Measured, Produced, Progress, Restarted, Stopped
from linstudy.runs.job import CHECKPOINT
from linstudy.runs.spectrum import SHARE_OF_GRAM
from linstudy.runs.training import resume_epoch
from linstudy.spec.data import DigitsData
from linstudy.spec.errors import LinstudyError
from linstudy.spec.model import MlpModel
from linstudy.tangent import freeze, merge, ntk_gram, split

pytestmark = pytest.mark.product_settings

SMALL = """
study: small
data: {kind: digits, train: 24, test: 8}
model: {kind: mlp, hidden: [6]}
train: {epochs: 3, batch_size: 8, precision: float64}
"""


def network():
    """The function of the seed 0 of SMALL, and all its inputs and two-class labels, in float64."""
    data = load(DigitsData(kind="digits", train=24, test=8))
    inputs = np.concatenate([data.train_inputs, data.test_inputs]).astype(np.float64)
    labels = np.where(data.train_labels < 5, 1.0, -1.0)
    return freeze(*make_network(MlpModel(kind="mlp", hidden=(6,)), (1, 8, 8), 0)), inputs, labels


def test_alignment_at_the_start_is_each_eigenvalue(told):
    found = told(SMALL + "spectrum: {precision: float64}\nprobes: [{kind: alignment, at: [start, end]}]\n")
    [spectrum], [probe] = found.of("spectrum"), found.of("probe")
    eigenvalues = found.values(spectrum, metrics.EIGENVALUES)[None]
    alpha = found.values(probe, metrics.ALIGNMENT)
    assert_close(alpha[0], eigenvalues)
    assert np.max(np.abs(alpha[3] - eigenvalues)) > 1e-3 * eigenvalues[0]  # training moves the kernel


def test_alignment_of_a_linearization_never_moves(told):
    study = SMALL.replace("precision: float64", "precision: float64, linearize: {}")
    found = told(study + "spectrum: {precision: float64}\nprobes: [{kind: alignment, at: [start, end]}]\n")
    alpha = found.values(found.of("probe")[0], metrics.ALIGNMENT)
    assert_close(alpha[3], alpha[0])


def test_probes_of_the_gram_equal_their_dense_oracles(told):
    found = told(
        SMALL
        + """
probes:
  - {kind: energy_concentration, top: 4, at: [start]}
  - {kind: spectrum_summary, at: [start]}
  - {kind: rkhs_norm, cutoff: 1.0e-12, at: [start]}
  - {kind: alignment, top: 2, at: [start]}
"""
    )
    with jax.enable_x64(True):
        model, inputs, labels = network()
        parameters, static = split(model)
        rows = []
        for x in jnp.asarray(inputs[:24]):
            gradient = jax.grad(lambda point, x=x: merge(point, static)(x))(parameters)
            rows.append(np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(gradient)]))
    gram = np.array(rows) @ np.array(rows).T
    eigenvalues, eigenvectors = np.linalg.eigh(gram)
    energy, summary, rkhs, alignment = found.of("probe")
    top = eigenvectors[:, ::-1][:, :4].T @ labels
    assert_close(found.values(energy, metrics.ENERGY_CONCENTRATION)[0], np.linalg.norm(top) / np.linalg.norm(labels))
    assert_close(found.values(summary, metrics.EIGENVALUES)[0], eigenvalues[::-1])
    assert_close(found.values(summary, metrics.TRACE)[0], np.trace(gram))
    assert_close(found.values(summary, metrics.EFFECTIVE_RANK)[0], np.trace(gram) ** 2 / np.sum(gram**2))
    norm = labels @ np.linalg.solve(gram, labels)
    assert_close(found.values(rkhs, metrics.RKHS_NORM)[0], norm, rtol=1e-6)  # a solve loses the condition number
    bound = (labels @ labels) ** 2 / (labels @ gram @ labels)
    assert_close(found.values(rkhs, metrics.RKHS_NORM_BOUND)[0], bound)
    assert bound <= norm
    assert_close(found.values(alignment, metrics.LABEL_ALIGNMENT)[0], labels @ gram @ labels / (labels @ labels))


def test_a_spectrum_is_over_training_then_test_samples(told):
    found = told(SMALL + "spectrum: {precision: float64}\ntask: {kind: eigenfunction, index: 2}\n")
    [spectrum] = found.of("spectrum")
    with jax.enable_x64(True):
        model, inputs, _ = network()
        gram = ntk_gram(model, inputs)
    eigenvector = found.artifacts[(spectrum, "spectrum", None)]["eigenvectors"][1]
    assert_close(gram @ eigenvector, found.values(spectrum, metrics.EIGENVALUES)[None][1] * eigenvector)


def test_how_grams_and_alignments_were_computed_is_told(told):
    alignments = "{kind: alignment, at: [start]}, {kind: alignment, top: 1, at: [end], label: one}"
    found = told(SMALL + f"probes: [{alignments}, {{kind: rkhs_norm, at: [0]}}]\n")
    ways = {run_id: [event for event in events if isinstance(event, Chose)] for run_id, events in found.events.items()}
    [spectrum], [many, one, norm] = found.of("spectrum"), found.of("probe")
    assert ways[spectrum] == ways[norm] == [Chose("gram", "structured")]
    assert ways[many] == [Chose("alignment", "tiles of the Gram")]
    assert ways[one] == [Chose("alignment", "explicit gradients")]


def test_a_gram_that_exceeds_memory_is_held_in_a_file(told, monkeypatch):
    held = told(SMALL + "task: {kind: eigenfunction, index: 2}\n")
    monkeypatch.setattr("linstudy.runs.spectrum.IN_MEMORY", 1000)
    mapped = told(SMALL + "task: {kind: eigenfunction, index: 2}\n")
    [run] = held.of("spectrum")
    assert Chose("gram storage", "memory-mapped file") in mapped.events[run]
    assert Chose("gram storage", "memory-mapped file") not in held.events[run]
    [one], [other] = ([e.arrays for e in found.events[run] if isinstance(e, Produced)] for found in (held, mapped))
    for name, array in one.items():
        np.testing.assert_array_equal(other[name], array)


def test_a_spectrum_tells_how_far_it_is_and_stops_between_its_parts(told):
    found = told(SMALL + "task: {kind: eigenfunction, index: 2}\n", only_plan=True)
    run = next(iter(found.plan.runs.values()))
    assert run.kind == "spectrum"
    found.execute(run)
    progress = [event for event in found.events[run.run_id] if isinstance(event, Progress)]
    fractions = [event.fraction for event in progress]
    assert fractions == sorted(fractions)
    assert {event.text: event.fraction for event in progress} == {"Gram": SHARE_OF_GRAM, "eigenvectors": 1.0}
    found.artifacts.clear()
    stops = iter([False] * (len(progress) - 1) + [True])
    found.execute(run, stop=lambda: next(stops))
    assert found.events[run.run_id][-1] is Stopped
    assert not found.artifacts


def test_nads_are_an_orthonormal_basis_and_label_their_task(told):
    found = told(
        """
study: nads
data: {kind: gaussian, shape: [1, 3, 3], train: 64, test: 16}
model: {kind: mlp, hidden: [16], activation: gelu}
task: {kind: nad, index: 1}
train: {epochs: 20, batch_size: 16}
"""
    )
    [nads], [training] = found.of("nads"), found.of("training")
    directions = found.artifacts[(nads, "nads", None)]["directions"]
    assert_close(directions @ directions.T, np.eye(9))
    values = found.values(nads, metrics.SINGULAR_VALUES)[None]
    assert (np.diff(values) <= 0).all()
    assert found.values(training, metrics.ACCURACY, "train")[20] > 0.9  # the easiest of linear predictors


@pytest.mark.usefixtures("neural_tangents")
def test_an_infinite_width_spectrum_is_one_of_its_architecture_alone(told):
    study = SMALL + "spectrum: {kernel: infinite_width}\ntask: {kind: eigenfunction, index: 2}\nseeds: [0, 1]\n"
    found = told(study)
    first, second = (found.values(run_id, metrics.EIGENVALUES)[None] for run_id in found.of("spectrum"))
    assert_close(first, second)
    assert (first > 0).all()


LINEARIZED = """
study: anchored
data: {kind: digits, train: 24, test: 8}
model: MODEL
train: {epochs: 2, batch_size: 8, linearize: {at: {epoch: 1}, centred: CENTRED, batch_norm: NORM}}
"""


def anchored(model="{kind: mlp, hidden: [6]}", centred="false", norm="anchor"):
    return LINEARIZED.replace("MODEL", model).replace("CENTRED", centred).replace("NORM", norm)


def test_a_linearization_at_a_checkpoint_starts_where_the_network_was(told):
    found = told(anchored())
    network, linear = found.of("training")
    for split_ in ("train", "test"):
        losses = [found.values(run_id, metrics.LOSS, split_) for run_id in (network, linear)]
        assert_close(losses[1][0], losses[0][1])
    assert found.values(linear, metrics.DISTANCE_L2)[0] == 0


def test_a_centred_linearization_starts_at_output_zero(told):
    found = told(anchored(centred="true"))
    assert_close(found.values(found.of("training")[1], metrics.LOSS, "train")[0], np.log(2), rtol=1e-6)  # float32


def test_a_linearization_has_the_batch_norm_statistics_that_it_is_told(told, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    own = '{kind: import, factory: "own_norm:make"}'
    at_anchor, at_start = (told(anchored(own, norm=norm)) for norm in ("anchor", "initial"))
    network, linear = at_anchor.of("training")
    loss = at_anchor.values(network, metrics.LOSS, "train")[1]
    assert_close(at_anchor.values(linear, metrics.LOSS, "train")[0], loss, rtol=1e-5)  # float32
    initial = at_start.values(at_start.of("training")[1], metrics.LOSS, "train")[0]
    assert abs(initial - loss) > 1e-3  # the initial statistics give another function


def test_a_linearization_of_a_network_with_batch_norm_is_probed(told, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    own = '{kind: import, factory: "own_norm:make"}'
    found = told(anchored(own) + "probes: [{kind: alignment, top: 3, at: [start, end]}]\n")
    [probe] = found.of("probe")
    alpha = found.values(probe, metrics.ALIGNMENT)
    assert_close(alpha[max(alpha)], alpha[0], rtol=1e-5)  # its kernel stays; float32


def test_a_gram_for_which_the_disk_has_no_room_says_so(told, monkeypatch):
    def full(descriptor, start, size):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("linstudy.runs.spectrum.IN_MEMORY", 1000)
    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(LinstudyError, match=r"0\.0 GiB of disk .* \(No space left on device\)"):
        told(SMALL + "task: {kind: eigenfunction, index: 2}\n")


def test_a_stopped_training_goes_on_to_the_same_numbers(told):
    found = told(SMALL)
    [run] = found.plan.runs.values()
    whole = found.values(run.run_id, metrics.LOSS, "train")
    found.artifacts.clear()
    found.events.clear()
    stops = iter([False, True])
    found.execute(run, stop=lambda: next(stops))
    assert found.events[run.run_id][-1] is Stopped
    assert list(found.values(run.run_id, metrics.LOSS, "train")) == [0, 1]
    found.execute(run)
    assert Restarted(1) in found.events[run.run_id]
    assert found.values(run.run_id, metrics.LOSS, "train") == whole


def test_a_missing_checkpoint_is_made_again_without_telling_the_rows_again(told):
    import dataclasses

    found = told(SMALL)
    [run] = found.plan.runs.values()
    final = found.artifacts[(run.run_id, CHECKPOINT, 3)]
    events = len(found.events[run.run_id])
    found.execute(dataclasses.replace(run, checkpoints=(1, 3)))
    new = found.events[run.run_id][events:]
    assert {type(event).__name__ for event in new} == {"Fingerprint", "Chose", "Progress", "Produced"}
    assert (run.run_id, CHECKPOINT, 1) in found.artifacts
    assert found.artifacts[(run.run_id, CHECKPOINT, 3)] is final


@pytest.mark.parametrize(
    ("stored", "wanted", "epoch"), [([], [0, 3], None), ([0, 2], [3], 2), ([0, 2, 5], [3, 7], 2), ([5], [3], None)]
)
def test_a_training_goes_on_from_the_last_checkpoint_before_all_that_it_must_make(stored, wanted, epoch):
    assert resume_epoch(stored, wanted) == epoch


TOGETHER = SMALL + "sweep: {task: [{kind: binary_classes}, {kind: random_labels}]}\nseeds: [0, 1]\n"
LINEAR = TOGETHER.replace("precision: float64", "precision: float64, linearize: {}").replace("seeds: [0, 1]", "")


def told_alike(one, other, run_ids):
    """Whether two executions told the same rows, to rounding, and left the same last checkpoint."""
    for run_id in run_ids:
        rows, others = (rows_of(found.events[run_id]) for found in (one, other))
        assert rows.keys() == others.keys()
        assert_close(list(rows.values()), list(others.values()))
        ours, theirs = (found.artifacts[(run_id, CHECKPOINT, 3)] for found in (one, other))
        assert ours.keys() == theirs.keys()
        for name, array in theirs.items():
            assert isinstance(ours[name], np.ndarray)
            assert np.allclose(ours[name], array, rtol=1e-10, atol=1e-10)


def rows_of(events):
    measured = [event for event in events if isinstance(event, Measured)]
    return {(event.metric.name, event.split, event.epoch): event.value for event in measured}


def chosen(found, run_id):
    return [event.how for event in found.events[run_id] if isinstance(event, Chose)]


@pytest.mark.parametrize(("study", "how"), [(TOGETHER, "stacked"), (LINEAR, "function space")])
def test_runs_together_tell_what_each_tells_alone(told, monkeypatch, study, how):
    monkeypatch.setattr("linstudy.runs.training.stacking_pays", lambda learners, epochs: True)
    alone, together = told(study), told(study, together=True)
    assert len({fusion_key(run.spec) for run in alone.plan.runs.values()}) == 1
    told_alike(together, alone, alone.of("training"))
    assert {*chosen(together, alone.of("training")[0])} == {how}
    assert chosen(alone, alone.of("training")[0]) == ["alone" if how == "stacked" else how]


def test_runs_together_that_stop_go_on_to_the_same_numbers(told, monkeypatch):
    monkeypatch.setattr("linstudy.runs.training.stacking_pays", lambda learners, epochs: True)
    whole, found = told(TOGETHER), told(TOGETHER, only_plan=True)
    runs = list(found.plan.runs.values())
    stops = iter([False, True])
    found.execute_together(runs, stop=lambda: next(stops))
    for run in runs:
        assert found.events[run.run_id][-1] is Stopped
        assert [event.epoch for event in found.events[run.run_id] if isinstance(event, Produced)] == [1]
    found.execute(runs[0])  # now further than the others
    found.execute_together(runs)
    told_alike(found, whole, [run.run_id for run in runs])


def test_nothing_is_told_of_runs_together_of_which_one_cannot_begin(told, tmp_path):
    column = f"{{kind: column, path: {tmp_path / 'none.txt'}}}"
    found = told(TOGETHER.replace("{kind: random_labels}", column), only_plan=True)
    with pytest.raises(LinstudyError, match="cannot be read"):
        found.execute_together(list(found.plan.runs.values()))
    events = [event for its in found.events.values() for event in its]
    assert not any(isinstance(event, Measured | Restarted | Chose) for event in events)


def test_a_checkpoint_in_function_space_serves_probes_and_resuming(told):
    study = LINEAR.replace("sweep: {task: [{kind: binary_classes}, {kind: random_labels}]}", PROBED)
    spanned = told(study)
    by_parameters = told(study.replace("linearize: {}", "linearize: {space: parameters}"))
    [[ours], [theirs]] = (found.of("probe") for found in (spanned, by_parameters))
    for metric in (metrics.ALIGNMENT, metrics.LABEL_ALIGNMENT):
        for epoch, value in by_parameters.values(theirs, metric).items():
            assert_close(spanned.values(ours, metric)[epoch], value)
    assert chosen(by_parameters, by_parameters.of("training")[0]) == ["parameters"]
    [run] = (spanned.plan.runs[run_id] for run_id in spanned.of("training"))
    final = dict(spanned.artifacts.pop((run.run_id, CHECKPOINT, 3)))
    spanned.execute(run)  # from the checkpoint of epoch 0
    again = spanned.artifacts[(run.run_id, CHECKPOINT, 3)]
    assert again.keys() == final.keys()
    assert all(np.array_equal(again[name], final[name]) for name in final)


PROBED = "probes: [{kind: alignment, top: 4, at: [start, end]}]"


def test_a_checkpoint_without_coefficients_is_begun_anew(told):
    found = told(LINEAR.replace("linearize: {}", "linearize: {space: function}"), only_plan=True)
    run = next(iter(found.plan.runs.values()))
    found.artifacts[(run.run_id, CHECKPOINT, 1)] = {".step": np.array(6)}
    found.execute(run)
    assert Restarted(None) in found.events[run.run_id]
    assert list(found.values(run.run_id, metrics.LOSS, "train")) == [0, 1, 2, 3]


def test_a_gram_is_made_once_for_the_runs_that_share_it(told, monkeypatch):
    made, make_span = [], function_space.make_span

    def counted(*arguments, **options):
        made.append(1)
        return make_span(*arguments, **options)

    monkeypatch.setattr(function_space, "make_span", counted)
    monkeypatch.setattr(function_space, "_LAST", {})
    told(LINEAR)
    assert len(made) == 1
    told(LINEAR + "seeds: [0, 1]\n")
    assert len(made) == 4, "the Gram of seed 1, then by turns"


def of_own(factory, **arguments):
    """A study of a user's own model, measured before and after its training and linearized after it."""
    return f"""study: own
data: {{kind: digits, train: 64, test: 32}}
model: {{kind: import, factory: "own_norm:{factory}", arguments: {json.dumps(arguments)}}}
task: {{kind: eigenfunction, index: 2}}
train: {{epochs: 2, batch_size: 16}}
probes: [{{kind: alignment, top: 3, at: [start, end]}}]
sweep: {{train.linearize: [null, {{space: parameters, at: {{epoch: 2}}}}]}}
"""


@pytest.mark.parametrize("mode", ["batch", "ema"])
def test_a_users_model_with_equinox_norms_and_dropout_is_trained_and_measured(told, monkeypatch, mode):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    found = told(of_own("make_dropped", mode=mode))
    network, linear = found.of("training")
    losses = [found.values(run_id, metrics.LOSS, "train") for run_id in (network, linear)]
    assert_close(losses[1][0], losses[0][2], rtol=1e-5)  # float32; both in inference, at the same parameters
    alphas = [found.values(run_id, metrics.ALIGNMENT) for run_id in found.of("probe")]
    assert all(np.isfinite(alpha[epoch]).all() for alpha in alphas for epoch in alpha)
    again = told(of_own("make_dropped", mode=mode))
    assert again.values(network, metrics.LOSS) == found.values(network, metrics.LOSS)


def test_complex_parameters_end_a_run_with_the_factory_and_the_path(told, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    with pytest.raises(
        LinstudyError, match=r"model\.factory own_norm:make_complex: The parameter \.weight is complex64"
    ):
        told(of_own("make_complex"))
