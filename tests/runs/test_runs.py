"""What each kind of run tells, against dense oracles, closed forms and invariants."""

import dataclasses
import errno
import json
import os
import re
import tempfile
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy
from jax.flatten_util import ravel_pytree
from tolerance import assert_close

from linstudy import metrics
from linstudy.data import load
from linstudy.facts import CHECKPOINT, RESUME, Artifact, Ending, Fingerprint, Method, Number, Progress, Vector
from linstudy.models.infinite_width import INFINITE_WIDTH
from linstudy.models.network import make_network
from linstudy.plan import fusion_key
from linstudy.resources import LIMITS, Resources
from linstudy.runs import function_space
from linstudy.runs.spectrum import SHARE_OF_GRAM
from linstudy.spec.data import DigitsData, GaussianData
from linstudy.spec.errors import LinstudyError
from linstudy.spec.model import MlpModel
from linstudy.spec.study import Point
from linstudy.spec.task import DirectionTask, LinearPredictorTask
from linstudy.spec.vocabulary import kinds_of, specs_at
from linstudy.tangent import freeze, merge, ntk_gram, split
from linstudy.tasks.kinds import KINDS as TASK_KINDS
from linstudy.tasks.kinds import label

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


TASKS = {
    "binary_classes": "{kind: binary_classes}",
    "eigenfunction": "{kind: eigenfunction, index: 2}",
    "nad": "{kind: nad, index: 3, margin: 3}",
    "linear_predictor": "{kind: linear_predictor, direction: [1, 0, 0, 2, 0, 0], margin: 3}",
    "random_labels": "{kind: random_labels}",
    "column": "{kind: column, path: PATH}",
}
DRAWS = "data: {kind: gaussian, shape: [6], train: 20, test: 8}"


@pytest.fixture
def aligned(told, tmp_path):
    """A function that gives the eigenvalues for a task, and α of each eigenvector at the start."""
    (tmp_path / "labels.txt").write_text("".join(f"{label}\n" for label in [1, -1] * 14))

    def run(task):
        data = "data: {kind: digits, train: 20, test: 8}" if task == "binary_classes" else DRAWS
        study = re.sub("data: .*", data, SMALL).replace("epochs: 3", "epochs: 0")
        study = study.replace("hidden: [6]", "hidden: [6], activation: gelu")  # a ReLU has no NADs at the origin
        text = TASKS[task].replace("PATH", str(tmp_path / "labels.txt"))
        found = told(
            f"{study}task: {text}\nspectrum: {{precision: float64}}\nprobes: [{{kind: alignment, at: [start]}}]\n"
        )
        [spectrum], [probe] = found.of("spectrum"), found.of("probe")
        return found.values(spectrum, metrics.EIGENVALUES)[None], found.values(probe, metrics.ALIGNMENT)[0]

    return run


def test_every_kind_of_task_is_aligned():
    assert list(TASKS) == list(TASK_KINDS)


@pytest.mark.parametrize("task", TASKS)
def test_alignment_at_the_start_is_each_eigenvalue_whatever_the_task(aligned, task):
    eigenvalues, alpha = aligned(task)
    assert_close(alpha, eigenvalues)


@pytest.mark.parametrize("task", ["nad", "linear_predictor"])
def test_alignment_with_the_spectrum_of_inputs_that_a_task_replaces_is_something_else(aligned, monkeypatch, task):
    monkeypatch.setattr(DirectionTask, "makes_inputs", False)
    eigenvalues, alpha = aligned(task)
    assert np.max(np.abs(alpha / eigenvalues - 1)) > 0.1


def test_a_spectrum_is_over_the_inputs_that_its_task_makes(told):
    study = re.sub("data: .*", DRAWS, SMALL) + f"task: {TASKS['linear_predictor']}\nspectrum: {{precision: float64}}\n"
    found = told(study + "probes: [{kind: alignment, at: [start]}]\n")
    data = load(GaussianData(kind="gaussian", shape=(6,), train=20, test=8))
    made = label(
        LinearPredictorTask(kind="linear_predictor", direction=(1, 0, 0, 2, 0, 0), margin=3), data, lambda role: {}
    )
    inputs = np.concatenate([made.train_inputs, made.test_inputs]).astype(np.float64)
    with jax.enable_x64(True):
        gram = ntk_gram(freeze(*make_network(MlpModel(kind="mlp", hidden=(6,)), (6,), 0)), inputs)
    eigenvalues = found.values(found.of("spectrum")[0], metrics.EIGENVALUES)[None]
    assert_close(eigenvalues, np.linalg.eigvalsh(gram)[::-1])


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
    eigenvector = found.arrays(spectrum, "spectrum")["eigenvectors"][1]
    assert_close(gram @ eigenvector, found.values(spectrum, metrics.EIGENVALUES)[None][1] * eigenvector)


def test_how_grams_and_alignments_were_computed_is_told(told):
    alignments = "{kind: alignment, at: [start]}, {kind: alignment, top: 1, at: [end], label: one}"
    found = told(SMALL + f"probes: [{alignments}, {{kind: rkhs_norm, at: [0]}}]\n")
    [spectrum], [many, one, norm] = found.of("spectrum"), found.of("probe")
    assert found.methods(spectrum) == found.methods(norm) == [Method("gram", "structured")]
    assert found.methods(many) == [Method("alignment", "tiles of the Gram")]
    assert found.methods(one) == [Method("alignment", "explicit gradients")]


def test_a_gram_that_exceeds_memory_is_held_in_a_file(told, monkeypatch):
    held = told(SMALL + "task: {kind: eigenfunction, index: 2}\n")
    monkeypatch.setitem(LIMITS, "gram", 1000)
    mapped = told(SMALL + "task: {kind: eigenfunction, index: 2}\n")
    [run] = held.of("spectrum")
    assert Method("gram storage", "memory-mapped file") in mapped.methods(run)
    assert Method("gram storage", "memory-mapped file") not in held.methods(run)
    one, other = (found.arrays(run, "spectrum") for found in (held, mapped))
    for name, array in one.items():
        np.testing.assert_array_equal(other[name], array)


def test_a_spectrum_leaves_what_tells_how_well_its_labels_are_defined(told):
    for precision, rounding in (("float32", 2.0**-23), ("float64", 2.0**-52)):
        found = told(SMALL + f"spectrum: {{precision: {precision}}}\ntask: {{kind: eigenfunction, index: 2}}\n")
        [run] = found.of("spectrum")
        arrays = found.arrays(run, "spectrum")
        assert np.array_equal(arrays["gaps"], found.values(run, metrics.GAPS)[None])
        assert np.array_equal(arrays["residuals"], found.values(run, metrics.RESIDUALS)[None])
        assert arrays["rounding"] == [rounding]


def test_grams_of_probes_beyond_memory_are_held_in_files(told, monkeypatch):
    study = (
        SMALL
        + "probes: [{kind: rkhs_norm, at: [0]}, {kind: spectrum_summary, at: [0]}, "
        + ("{kind: energy_concentration, top: 4, at: [0]}]\n")
    )
    files = []

    def scratch_file():
        files.append(1)
        return tempfile.TemporaryFile()

    scratch = Resources(scratch=scratch_file)
    held = told(study, resources=scratch)
    assert files == []
    monkeypatch.setitem(LIMITS, "gram", 1000)
    mapped = told(study, resources=scratch)
    assert len(files) == 3
    for run in held.of("probe"):
        one, other = (rows_of(found, run) for found in (held, mapped))
        assert one.keys() == other.keys()
        for place, value in one.items():
            np.testing.assert_array_equal(value, other[place])


def test_a_probe_for_whose_decomposition_memory_is_short_is_refused(told):
    study = SMALL + "probes: [{kind: rkhs_norm, at: [0]}]\n"
    with pytest.raises(LinstudyError, match=r"full decomposition of the Gram of 24 samples takes .*samples: 10000"):
        told(study, resources=Resources(24**2 * 24 - 1))
    assert told(study, resources=Resources(24**2 * 24 + 2**20)).of("probe")


def test_what_trains_in_tf32_is_measured_in_float32(told, monkeypatch):
    seen = []

    def recorded(*arguments, **options):
        seen.append(jax.config.jax_default_matmul_precision)
        return ntk_gram(*arguments, **options)

    monkeypatch.setattr("linstudy.probes.subject.ntk_gram", recorded)
    study = "probes: [{kind: energy_concentration, top: 4, at: [start]}]\n"
    found = {word: told(SMALL.replace("float64", word) + study) for word in ("float32", "tf32", "float64")}
    assert seen == ["highest"] * 3
    numbers = {word: f.values(f.of("probe")[0], metrics.ENERGY_CONCENTRATION)[0] for word, f in found.items()}
    assert numbers["tf32"] == numbers["float32"] != numbers["float64"]


@pytest.mark.parametrize("labels", ["column", "opposite"])
def test_degenerate_data_are_measured_without_nan(told, tmp_path, labels):
    """Copies with opposite labels, a sample of zeros, a constant channel; or copies alone."""
    draws = np.random.default_rng(0).standard_normal((12, 2, 3, 3)).astype(np.float32)
    draws[:, 1], draws[0] = 0.5, 0.0
    signs = np.where(np.arange(12) % 3 == 0, 1.0, -1.0)
    inputs, targets = np.concatenate([draws, draws]), np.concatenate([signs, -signs])
    if labels == "column":
        inputs, targets = np.concatenate([draws, draws[:4]]), np.concatenate([signs, -signs[:4]])
    np.savez(tmp_path / "data.npz", x_train=inputs, y_train=1 * (targets > 0), x_test=draws, y_test=1 * (signs > 0))
    np.save(tmp_path / "labels.npy", np.concatenate([targets, signs]))
    found = told(
        f"""
study: degenerate
data: {{kind: npz, path: {tmp_path / "data.npz"}}}
model: {{kind: mlp, hidden: [6]}}
task: {{kind: column, path: {tmp_path / "labels.npy"}}}
train: {{epochs: 1, precision: float64}}
probes:
  - {{kind: rkhs_norm, at: [start, end]}}
  - {{kind: spectrum_summary, at: [end]}}
  - {{kind: energy_concentration, top: 4, at: [end]}}
  - {{kind: alignment, top: 2, at: [end]}}
"""
    )
    numbers = [item for run in found.of("probe") for item in rows_of(found, run).items()]
    missing = {metric for (metric, *_), value in numbers if not np.isfinite(np.array(value, float)).all()}
    assert missing == ({"rkhs_norm_bound"} if labels == "opposite" else set()), "the bound is infinite there"
    remainder = found.values(found.of("probe")[0], metrics.RKHS_REMAINDER)[0]
    assert 0.1 < remainder <= 1 + 1e-12
    assert np.isclose(remainder, 1) == (labels == "opposite")


def test_a_deep_network_in_float32_has_the_eigenvalues_that_it_has_in_float64(told):
    """google/neural-tangents#197: a kernel of many layers overflowed in float32."""
    deep = SMALL.replace("[6]", f"{[100] * 20}").replace("train: 24", "train: 12")

    def eigenvalues(precision):
        task = "task: {kind: eigenfunction, index: 1}\n"
        found = told(deep + task + f"spectrum: {{precision: {precision}}}\n", only_plan=True)
        [run] = found.of("spectrum")
        found.execute(found.plan.runs[run])
        return found.values(run, metrics.EIGENVALUES)[None]

    assert np.max(np.abs(eigenvalues("float32") / eigenvalues("float64") - 1)) < 1e-4


def test_a_spectrum_tells_how_far_it_is_and_stops_between_its_parts(told):
    found = told(SMALL + "task: {kind: eigenfunction, index: 2}\n", only_plan=True)
    run = next(iter(found.plan.runs.values()))
    assert run.kind == "spectrum"
    progress = [fact for fact in found.execute(run) if isinstance(fact, Progress)]
    fractions = [fact.fraction for fact in progress]
    assert fractions == sorted(fractions)
    assert {fact.text: fact.fraction for fact in progress} == {"Gram": SHARE_OF_GRAM, "eigenvectors": 1.0}
    stops = iter([False] * (len(progress) - 1) + [True])
    assert found.execute(run, stop=lambda: next(stops))[-1] == Ending("interrupted")
    assert not found.stored[run.run_id].artifacts
    assert not found.rows[run.run_id]


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
    directions = found.arrays(nads, "nads")["directions"]
    assert_close(directions @ directions.T, np.eye(9))
    for j in range(1, 10):
        assert_close(found.values(nads, metrics.NAD, label=str(j))[None], directions[j - 1])
    values = found.values(nads, metrics.SINGULAR_VALUES)[None]
    assert (np.diff(values) <= 0).all()
    assert found.values(training, metrics.ACCURACY, "train")[20] > 0.9  # the easiest of linear predictors


def test_nads_over_the_data_are_those_of_the_mean_mixed_derivative(told):
    """The oracle: the mixed derivative by two loops of dense differentiation, and SciPy's SVD."""
    found = told(
        """
study: nads
data: {kind: gaussian, shape: [4], train: 12, test: 4}
model: {kind: mlp, hidden: [5], activation: gelu}
task: {kind: nad, index: 1}
nads: {at: data, samples: 7}
train: {epochs: 0}
"""
    )
    [nads] = found.of("nads")
    with jax.enable_x64(True):
        model = freeze(*make_network(MlpModel(kind="mlp", hidden=(5,), activation="gelu"), (4,), 0))
        params, static = eqx.partition(jax.tree.map(lambda leaf: leaf.astype(float), model), eqx.is_inexact_array)
        flat, restore = ravel_pytree(params)
        draws = load(GaussianData(kind="gaussian", shape=(4,), train=12, test=4)).train_inputs[:7]
        mixed = jax.jacfwd(jax.grad(lambda flat, x: eqx.combine(restore(flat), static)(x)), argnums=1)
        mean = sum(mixed(flat, x.astype(float)) for x in draws) / 7
    _, values, rows = scipy.linalg.svd(np.asarray(mean), full_matrices=False)
    assert_close(found.values(nads, metrics.SINGULAR_VALUES)[None], values)
    assert_close(np.abs(np.sum(rows * found.arrays(nads, "nads")["directions"], axis=1)), np.ones(4))


@pytest.mark.usefixtures("neural_tangents")
def test_an_infinite_width_spectrum_is_made_once_for_all_seeds(told):
    study = SMALL + "spectrum: {kernel: infinite_width}\ntask: {kind: eigenfunction, index: 2}\nseeds: [0, 1]\n"
    found = told(study)
    [spectrum], trainings = found.of("spectrum"), found.of("training")
    assert (found.values(spectrum, metrics.EIGENVALUES)[None] > 0).all()
    assert len(trainings) == 2


def test_the_table_of_infinite_width_kernels_has_the_models_that_say_so():
    declared = {kind for model in specs_at(Point, ("model",)) if model.has_infinite_width for kind in kinds_of(model)}
    assert set(INFINITE_WIDTH) == declared


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

    monkeypatch.setitem(LIMITS, "gram", 1000)
    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(LinstudyError, match=r"0\.0 GiB of disk .* \(No space left on device\)"):
        told(SMALL + "task: {kind: eigenfunction, index: 2}\n")


def test_a_stopped_training_goes_on_to_the_same_numbers(told):
    whole, found = told(SMALL), told(SMALL, only_plan=True)
    [run] = found.plan.runs.values()
    stops = iter([False, True])
    assert found.execute(run, stop=lambda: next(stops))[-1] == Ending("interrupted")
    assert list(found.values(run.run_id, metrics.LOSS, "train")) == [0, 1]
    assert set(found.stored[run.run_id].artifacts) == {(RESUME, 1)}
    facts = found.execute(run)
    assert {fact.epoch for fact in facts if isinstance(fact, Number)} == {2, 3}
    assert set(found.stored[run.run_id].artifacts) == {(CHECKPOINT, 3)}
    same_rows_and_states(found, whole, run.run_id)


def test_a_training_that_goes_on_keeps_one_state_beside_its_checkpoints(told, monkeypatch):
    monkeypatch.setattr("linstudy.runs.training.SECONDS_BETWEEN_STATES", -1.0)
    found = told(SMALL + "probes: [{kind: rkhs_norm, at: [2]}]\n", only_plan=True)
    run = found.plan.runs[found.of("training")[0]]
    facts = found.execute(run)
    saved = [(fact.name, fact.epoch, fact.replaces) for fact in facts if isinstance(fact, Artifact)]
    assert saved == [(RESUME, 0, None), (RESUME, 1, 0), (CHECKPOINT, 2, None), (CHECKPOINT, 3, None)]
    assert set(found.stored[run.run_id].artifacts) == {(CHECKPOINT, 2), (CHECKPOINT, 3)}


def test_numbers_that_were_told_after_the_last_state_are_told_again(told):
    whole, found = told(SMALL), told(SMALL, only_plan=True)
    [run] = found.plan.runs.values()
    stops = iter([True])
    found.execute(run, stop=lambda: next(stops))
    late = Number(metrics.LOSS, 99.0, "train", 1, 3)  # of an attempt that was killed in its second epoch
    found.rows[run.run_id].append(late)
    found.stored[run.run_id] = found.stored[run.run_id].after(late)
    found.execute(run)
    same_rows_and_states(found, whole, run.run_id)


def test_a_missing_checkpoint_is_made_again_without_telling_the_rows_again(told):
    found = told(SMALL)
    [run] = found.plan.runs.values()
    final, rows = found.stored[run.run_id].artifacts[(CHECKPOINT, 3)], list(found.rows[run.run_id])
    facts = found.execute(dataclasses.replace(run, checkpoints=(1, 3)))
    assert {type(fact) for fact in facts} == {Fingerprint, Method, Progress, Artifact, Ending}
    assert found.stored[run.run_id].artifacts.keys() == {(CHECKPOINT, 1), (CHECKPOINT, 3)}
    assert found.stored[run.run_id].artifacts[(CHECKPOINT, 3)] is final
    assert found.rows[run.run_id] == rows


def test_checkpoints_in_several_gaps_are_those_of_a_training_that_makes_them_at_once(told):
    found, whole = told(SMALL), told(SMALL, only_plan=True)
    [run] = found.plan.runs.values()
    found.execute(dataclasses.replace(run, checkpoints=(1, 3)))
    facts = found.execute(dataclasses.replace(run, checkpoints=(0, 1, 2, 3)))
    assert [fact.epoch for fact in facts if isinstance(fact, Artifact)] == [0, 2]
    whole.execute(dataclasses.replace(run, checkpoints=(0, 1, 2, 3)))
    for epoch in range(4):
        same_rows_and_states(found, whole, run.run_id, epoch)


def test_a_state_that_others_ask_for_becomes_a_checkpoint_without_training(told):
    found = told(SMALL, only_plan=True)
    [run] = found.plan.runs.values()
    stops = iter([False, True])
    found.execute(run, stop=lambda: next(stops))
    state = found.arrays(run.run_id, RESUME, 1)
    stops = iter([])  # a single epoch of training would ask
    with pytest.raises(StopIteration):
        found.execute(dataclasses.replace(run, checkpoints=(1, 3)), stop=lambda: next(stops))
    again = found.arrays(run.run_id, CHECKPOINT, 1)
    assert again.keys() == state.keys()
    assert all(np.array_equal(again[name], state[name]) for name in state)


def test_a_probe_goes_on_after_the_last_epoch_that_it_told(told):
    text = SMALL + "probes: [{kind: spectrum_summary, at: [0, 1, 3]}]\n"
    whole, found = told(text), told(text, only_plan=True)
    training, probe = found.plan.runs.values()
    found.execute(training)
    progress = [fact for fact in whole.facts[probe.run_id] if isinstance(fact, Progress)]
    stops = iter([False] * (len(progress) // 3) + [True])
    assert found.execute(probe, stop=lambda: next(stops))[-1] == Ending("interrupted")
    assert {row.epoch for row in found.rows[probe.run_id]} == {0}
    facts = found.execute(probe)
    assert {fact.epoch for fact in facts if isinstance(fact, Number | Vector)} == {1, 3}
    for metric in (metrics.EIGENVALUES, metrics.TRACE):
        ours, theirs = (one.values(probe.run_id, metric) for one in (found, whole))
        assert ours.keys() == theirs.keys() == {0, 1, 3}
        for epoch, value in theirs.items():
            np.testing.assert_array_equal(ours[epoch], value)


@pytest.mark.parametrize(
    ("changed", "whose"), [(0, "the training that this run needs"), (1, "an earlier attempt at this run")]
)
def test_arrays_that_are_not_those_of_earlier_numbers_are_refused(told, changed, whose):
    found = told(SMALL + "probes: [{kind: spectrum_summary, at: [start, end]}]\n", only_plan=True)
    training, probe = found.plan.runs.values()
    found.execute(training)
    stops = iter([False, True])
    found.execute(probe, stop=lambda: next(stops))
    run_id = (training, probe)[changed].run_id
    found.stored[run_id] = found.stored[run_id].after(Fingerprint("f" * 64))
    with pytest.raises(LinstudyError, match=rf"not those of {whose}: fingerprint [0-9a-f]{{16}} now, f{{16}} then"):
        found.execute(probe)


def same_rows_and_states(found, whole, run_id, epoch=3):
    """Whether two executions stored the same numbers, each once, and the same checkpoint, to the bit."""
    rows, others = (sorted(map(str, one.rows[run_id])) for one in (found, whole))
    assert rows == others
    ours, theirs = (one.arrays(run_id, CHECKPOINT, epoch) for one in (found, whole))
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        np.testing.assert_array_equal(ours[name], array)


TOGETHER = SMALL + "sweep: {task: [{kind: binary_classes}, {kind: random_labels}]}\nseeds: [0, 1]\n"
LINEAR = TOGETHER.replace("precision: float64", "precision: float64, linearize: {}").replace("seeds: [0, 1]", "")


def told_alike(one, other, run_ids):
    """Whether two executions told the same rows, to rounding, and left the same last checkpoint."""
    for run_id in run_ids:
        rows, others = (rows_of(found, run_id) for found in (one, other))
        assert rows.keys() == others.keys()
        assert_close(list(rows.values()), list(others.values()))
        ours, theirs = (found.arrays(run_id, CHECKPOINT, 3) for found in (one, other))
        assert ours.keys() == theirs.keys()
        for name, array in theirs.items():
            assert np.allclose(ours[name], array, rtol=1e-10, atol=1e-10)


def rows_of(found, run_id):
    return {
        (row.metric.name, row.split, row.epoch): row.value if isinstance(row, Number) else row.values
        for row in found.rows[run_id]
    }


@pytest.mark.parametrize(
    ("study", "space"),
    [
        (TOGETHER, "parameters"),
        (LINEAR, "function space"),
        (LINEAR.replace("linearize: {}", "linearize: {space: parameters}"), "parameters"),
    ],
    ids=["network", "function space", "linearization by parameters"],
)
def test_runs_together_tell_what_each_tells_alone(told, monkeypatch, study, space):
    monkeypatch.setattr("linstudy.runs.training.stacking_pays", lambda learners, epochs, cache: True)
    alone, together = told(study), told(study, together=True)
    assert len({fusion_key(run.spec) for run in alone.plan.runs.values()}) == 1
    told_alike(together, alone, alone.of("training"))
    runs = alone.of("training")
    for run_id in runs:
        assert alone.methods(run_id) == [Method("training", space)]
        assert together.methods(run_id) == [Method("training", space), Method("together", f"{len(runs)} runs")]


def test_runs_together_that_stop_go_on_to_the_same_numbers(told, monkeypatch):
    monkeypatch.setattr("linstudy.runs.training.stacking_pays", lambda learners, epochs, cache: True)
    whole, found = told(TOGETHER), told(TOGETHER, only_plan=True)
    runs = list(found.plan.runs.values())
    stops = iter([False, True])
    for facts in found.execute_together(runs, stop=lambda: next(stops)):
        assert facts[-1] == Ending("interrupted")
        assert [(fact.name, fact.epoch) for fact in facts if isinstance(fact, Artifact)] == [(RESUME, 1)]
    found.execute(runs[0])  # now further than the others
    found.execute_together(runs)
    told_alike(found, whole, [run.run_id for run in runs])


def test_nothing_is_told_of_runs_together_of_which_one_cannot_begin(told, tmp_path):
    column = f"{{kind: column, path: {tmp_path / 'none.txt'}}}"
    found = told(TOGETHER.replace("{kind: random_labels}", column), only_plan=True)
    with pytest.raises(LinstudyError, match=r"there is no \".*none\.txt"):
        found.execute_together(list(found.plan.runs.values()))
    facts = {type(fact) for its in found.facts.values() for fact in its}
    assert facts == {Fingerprint}


def test_a_checkpoint_in_function_space_serves_probes_and_resuming(told):
    study = LINEAR.replace("sweep: {task: [{kind: binary_classes}, {kind: random_labels}]}", PROBED)
    spanned = told(study)
    by_parameters = told(study.replace("linearize: {}", "linearize: {space: parameters}"))
    [[ours], [theirs]] = (found.of("probe") for found in (spanned, by_parameters))
    for metric in (metrics.ALIGNMENT, metrics.LABEL_ALIGNMENT):
        for epoch, value in by_parameters.values(theirs, metric).items():
            assert_close(spanned.values(ours, metric)[epoch], value)
    assert by_parameters.methods(by_parameters.of("training")[0]) == [Method("training", "parameters")]
    [run] = (spanned.plan.runs[run_id] for run_id in spanned.of("training"))
    final = spanned.arrays(run.run_id, CHECKPOINT, 3)
    spanned.lose(run.run_id, CHECKPOINT, 3)
    spanned.execute(run)  # from the checkpoint of epoch 0
    again = spanned.arrays(run.run_id, CHECKPOINT, 3)
    assert again.keys() == final.keys()
    assert all(np.array_equal(again[name], final[name]) for name in final)


PROBED = "probes: [{kind: alignment, top: 4, at: [start, end]}]"


def test_a_state_that_was_made_through_the_parameters_goes_on_through_them(told, monkeypatch):
    study = SMALL.replace("precision: float64", "precision: float64, linearize: {}")
    found, spanned = told(study, only_plan=True), told(study)
    [run] = found.plan.runs.values()
    stops = iter([False, True])
    with monkeypatch.context() as patched:
        patched.setattr("linstudy.runs.training.in_function_space", lambda *_: False)
        found.execute(run, stop=lambda: next(stops))
    found.execute(run)
    assert found.methods(run.run_id) == [Method("training", "parameters")] * 2
    assert spanned.methods(run.run_id) == [Method("training", "function space")]
    ours, theirs = (one.values(run.run_id, metrics.LOSS, "train") for one in (found, spanned))
    assert list(ours) == list(theirs) == [0, 1, 2, 3]
    assert_close(list(ours.values()), list(theirs.values()))


def test_a_gram_is_made_once_for_the_runs_that_share_it(told, monkeypatch):
    made, make_span = [], function_space.make_span

    def counted(*arguments, **options):
        made.append(1)
        return make_span(*arguments, **options)

    monkeypatch.setattr(function_space, "make_span", counted)
    resources = Resources()
    told(LINEAR, resources=resources)
    assert len(made) == 1
    told(LINEAR + "seeds: [0, 1]\n", resources=resources)
    assert len(made) == 4, "the Gram of seed 1, then by turns"
    told(LINEAR)
    assert len(made) == 5, "another worker has a cache of its own"


def test_a_gram_in_a_file_gives_the_trajectory_of_the_parameters(told):
    in_file, by_parameters = (LINEAR.replace("linearize: {}", f"linearize: {{space: {space}}}") for space in SPACES)
    found, oracle = told(in_file, resources=Resources(24 * 32 * 8)), told(by_parameters)
    assert found.methods(found.of("training")[0]) == [
        Method("gram storage", "memory-mapped file"),
        Method("training", "function space"),
    ]
    for ours, theirs in zip(found.of("training"), oracle.of("training"), strict=True):
        rows, others = rows_of(found, ours), rows_of(oracle, theirs)
        assert rows.keys() == others.keys()
        assert_close(list(rows.values()), list(others.values()))


SPACES = ("function", "parameters")


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
    if mode == "batch":
        again = told(of_own("make_dropped", mode=mode))
        assert rows_of(again, network) == rows_of(found, network)


def test_complex_parameters_end_a_run_with_the_factory_and_the_path(told, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    with pytest.raises(
        LinstudyError, match=r"model\.factory own_norm:make_complex: The parameter \.weight is complex64"
    ):
        told(of_own("make_complex"))
