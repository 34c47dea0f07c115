import numpy as np
import pytest
from tolerance import assert_close

from linstudy.data import Places, load
from linstudy.data.dataset import Dataset
from linstudy.data.places import HERE
from linstudy.spec.data import DigitsData, GaussianData, NpzData
from linstudy.spec.errors import LinstudyError
from linstudy.spec.task import (
    BinaryClassesTask,
    ColumnTask,
    EigenfunctionTask,
    LinearPredictorTask,
    NadTask,
    RandomLabelsTask,
    Task,
)
from linstudy.tasks.kinds import KINDS, label
from linstudy.tasks.labelled import signs
from linstudy.tasks.source import task_source


def nothing(role):
    raise AssertionError(f"asked for {role}")


def giving(wanted, **arrays):
    def needed(role):
        assert role == wanted
        return arrays

    return needed


@pytest.fixture(scope="module")
def digits():
    return load(DigitsData(kind="digits", train=60, test=25, seed=3))


@pytest.fixture
def gaussian():
    return load(GaussianData(kind="gaussian", train=40, test=30, shape=(2, 3, 1)))


def test_the_table_has_every_kind_of_the_spec():
    union = Task.__origin__.__args__
    assert set(KINDS) == {kind.model_fields["kind"].annotation.__args__[0] for kind in union}


def test_the_sign_of_zero_is_plus_one():
    assert np.array_equal(signs(np.array([-2.0, -0.0, 0.0, 3.0])), [-1, 1, 1, 1])


def test_labelled_arrays_change_precision_together(digits):
    made = label(BinaryClassesTask(kind="binary_classes"), digits, nothing).astype(np.dtype(np.float32))
    arrays = [made.train_inputs, made.train_labels, made.test_inputs, made.test_labels]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


@pytest.mark.parametrize("positive", [None, (0, 1, 2, 3, 4), (7,), (9, 0)])
def test_classes_are_labelled_one_by_one(digits, positive):
    made = label(BinaryClassesTask(kind="binary_classes", positive=positive), digits, nothing)
    chosen = range(5) if positive is None else positive
    assert made.train_labels.tolist() == [1.0 if index in chosen else -1.0 for index in digits.train_labels]
    assert made.test_labels.tolist() == [1.0 if index in chosen else -1.0 for index in digits.test_labels]
    assert made.train_inputs is digits.train_inputs
    assert made.test_inputs is digits.test_inputs


def test_the_first_half_of_an_odd_number_of_classes_is_the_smaller_one():
    data = dataset(3, 3, labels=np.arange(3), classes=("a", "b", "c"))
    assert label(BinaryClassesTask(kind="binary_classes"), data, nothing).train_labels.tolist() == [1, -1, -1]


def test_a_class_that_is_not_there_is_rejected(digits):
    with pytest.raises(LinstudyError, match=r"task\.positive: there is no class 10\. Allowed: 0 to 9, for 0, 1, 2"):
        label(BinaryClassesTask(kind="binary_classes", positive=(3, 10)), digits, nothing)


@pytest.mark.parametrize(("classes", "count"), [((), "none"), (("cat",), "1")])
def test_data_without_two_classes_are_rejected(classes, count):
    with pytest.raises(LinstudyError, match=f"at least two classes, these have {count}"):
        label(BinaryClassesTask(kind="binary_classes"), dataset(3, 2, classes=classes), nothing)


def test_an_eigenfunction_labels_training_samples_then_test_samples():
    data = dataset(3, 2)
    made = label(EigenfunctionTask(kind="eigenfunction", index=2), data, giving("spectrum", **pairs()))
    assert made.train_labels.tolist() == [1, -1, 1]
    assert made.test_labels.tolist() == [-1, 1]


def pairs(rounding=2.0**-23, gap=0.5):
    """Two eigenpairs over five samples, λ = 4 and 2."""
    return {
        "eigenvectors": np.array([[9.0, 9, 9, 9, 9], [0.5, -0.1, 0.0, -2.0, 1e-9]]),
        "eigenvalues": np.array([4.0, 2.0]),
        "gaps": np.array([0.5, gap]),
        "residuals": np.array([1e-15, 3e-15]),
        "rounding": np.array([rounding]),
    }


def test_labels_of_an_eigenfunction_say_how_well_it_is_defined():
    task = EigenfunctionTask(kind="eigenfunction", index=2)
    quality = label(task, dataset(3, 2), giving("spectrum", **pairs())).astype(np.dtype(np.float32)).quality
    assert (quality.gap, quality.residual) == (0.5, 3e-15)
    assert np.isclose(quality.rotation, 4 * (2.0**-23 / 5 + 3e-15) / (0.5 * 2))
    assert quality.warning is None


@pytest.mark.parametrize(("gap", "share"), [(1e-6, "2%"), (0.0, "50%")])
def test_labels_of_an_eigenfunction_without_a_gap_are_warned_of(gap, share):
    task = EigenfunctionTask(kind="eigenfunction", index=2)
    quality = label(task, dataset(3, 2), giving("spectrum", **pairs(gap=gap))).quality
    assert quality.warning == (
        f"the label sign φ_2 is not well defined: its eigenvalue is {gap:.2g} of itself away from the next, "
        f"so rounding of the Gram decides about {share} of the signs. "
        "Take a smaller task.index, or write spectrum: {precision: float64}"
    )
    exact = label(task, dataset(3, 2), giving("spectrum", **pairs(2.0**-52, gap=gap))).quality
    assert (exact.warning is None) is (gap > 0), "float64 tells eigenvalues apart that float32 does not"


def test_labels_of_no_eigenfunction_have_no_quality(digits):
    assert label(BinaryClassesTask(kind="binary_classes"), digits, nothing).quality is None


@pytest.mark.parametrize(
    ("task", "needed"),
    [
        (EigenfunctionTask(kind="eigenfunction", index=3), giving("spectrum", eigenvectors=np.eye(2))),
        (NadTask(kind="nad", index=3), giving("nads", directions=np.eye(2))),
    ],
)
def test_an_index_beyond_what_there_is_is_rejected(task, needed):
    with pytest.raises(LinstudyError, match=r"task\.index: 3 is beyond the 2 "):
        label(task, dataset(3, 2), needed)


def flat(inputs):
    return inputs.reshape(len(inputs), -1).astype(np.float64)


@pytest.mark.parametrize("margin", [1.0, 0.25])
def test_a_direction_carries_the_margin_and_leaves_the_rest_alone(gaussian, margin):
    direction = np.array([1.0, -2, 0, 0.5, 3, 1])
    task = LinearPredictorTask(kind="linear_predictor", direction=tuple(direction), margin=margin)
    made = label(task, gaussian, nothing)
    unit = direction / np.linalg.norm(direction)
    for before, after, labels in (
        (gaussian.train_inputs, made.train_inputs, made.train_labels),
        (gaussian.test_inputs, made.test_inputs, made.test_labels),
    ):
        assert set(labels) == {-1.0, 1.0}
        assert after.shape == before.shape
        # the inputs are float32
        assert_close(flat(after) @ unit, margin * labels, rtol=1e-5)
        orthogonal = np.eye(6) - np.outer(unit, unit)
        assert_close(flat(after) @ orthogonal, flat(before) @ orthogonal, rtol=1e-6)


def test_the_direction_predicts_every_label_and_the_inputs_before_do_not(gaussian):
    direction = np.eye(6)[2]
    made = label(LinearPredictorTask(kind="linear_predictor", direction=tuple(direction)), gaussian, nothing)
    assert np.array_equal(signs(flat(made.train_inputs) @ direction), made.train_labels)
    assert not np.array_equal(signs(flat(gaussian.train_inputs) @ direction), made.train_labels)


def test_a_nad_is_the_linear_predictor_along_its_direction(gaussian):
    directions = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 6)))[0]
    made = label(NadTask(kind="nad", index=4), gaussian, giving("nads", directions=directions))
    other = label(LinearPredictorTask(kind="linear_predictor", direction=tuple(directions[3])), gaussian, nothing)
    assert np.array_equal(made.train_labels, other.train_labels)
    assert_close(made.test_inputs, other.test_inputs)


def test_a_direction_of_another_size_is_rejected(gaussian):
    with pytest.raises(LinstudyError, match=r"task\.direction: has 2 entries, the inputs have 6"):
        label(LinearPredictorTask(kind="linear_predictor", direction=(1.0, 0.0)), gaussian, nothing)


def random_labels(seed, train=40_000, test=10_000):
    return label(RandomLabelsTask(kind="random_labels", seed=seed), dataset(train, test), nothing)


def test_coin_flips_are_fair_and_independent():
    made, other = random_labels(0), random_labels(1)
    # five standard errors of a mean of that many coins
    neighbours = made.train_labels[1:] * made.train_labels[:-1]
    for coins in (made.train_labels, made.train_labels * other.train_labels, neighbours):
        assert set(coins) == {-1.0, 1.0}
        assert abs(coins.mean()) < 5 / np.sqrt(len(coins))
    assert abs(np.mean(made.train_labels[:10_000] * made.test_labels)) < 5 / 100


def test_coin_flips_of_a_subset_are_the_first_of_the_whole():
    small, large = random_labels(4, train=10, test=7), random_labels(4, train=500, test=300)
    assert np.array_equal(small.train_labels, large.train_labels[:10])
    assert np.array_equal(small.test_labels, large.test_labels[:7])


def test_coin_flips_are_those_of_every_machine():
    known = [-1, 1, 1, 1, 1, 1, 1, -1, -1, 1, 1, -1]
    assert random_labels(0, train=12, test=1).train_labels.tolist() == known


@pytest.fixture
def column(tmp_path):
    """A function that writes labels to a file and gives the task that reads them."""

    def write(content, name="labels.txt"):
        path = tmp_path / name
        np.save(path, content) if path.suffix == ".npy" else path.write_text(content)
        return ColumnTask(kind="column", path=str(path))

    return write


@pytest.mark.parametrize("name", ["labels.npy", "labels.txt"])
def test_a_file_labels_the_samples_of_the_source_whatever_the_subset(column, digits, name):
    whole = np.where(np.random.default_rng(0).random(1797) < 0.5, 1, -1)
    task = column(whole if name.endswith("npy") else "".join(f"{value}\n" for value in whole), name)
    made = label(task, digits, nothing)
    assert made.train_labels.tolist() == [whole[i] for i in digits.train_indices]
    assert made.test_labels.tolist() == [whole[1442 + i] for i in digits.test_indices]
    assert made.train_inputs is digits.train_inputs


def test_a_file_of_class_labels_equals_the_task_of_the_classes(column, npz_data):
    source, data = npz_data
    made = label(column(np.where(source < 1, 1.0, -1.0), "labels.npy"), data, nothing)
    classes = label(BinaryClassesTask(kind="binary_classes", positive=(0,)), data, nothing)
    assert np.array_equal(made.train_labels, classes.train_labels)
    assert np.array_equal(made.test_labels, classes.test_labels)


@pytest.fixture
def npz_data(tmp_path):
    """Labels in the source's own order, and a shuffled subset of the data."""
    generator = np.random.default_rng(3)
    y_train, y_test = generator.integers(0, 3, 30), generator.integers(0, 3, 12)
    arrays = {"x_train": generator.random((30, 4)), "y_train": y_train, "x_test": generator.random((12, 4))}
    np.savez(tmp_path / "data.npz", **arrays, y_test=y_test)
    data = load(NpzData(kind="npz", path=str(tmp_path / "data.npz"), train=20, test=7, seed=1))
    return np.concatenate([y_train, y_test]), data


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("1\n-1\n", "a.txt", r"of shape \(2,\); 5 labels in one column are needed, .* the 3 training and 2 test"),
        (np.ones((5, 1)), "a.npy", r"holds an array of shape \(5, 1\)"),
        ("1\n-1\n0\n1\n1\n", "a.txt", r"found the label 0\. Allowed: 1 and -1"),
        ("1\n-1\nnan\n1\n1\n", "a.txt", r"found the label nan\. Allowed: 1 and -1"),
        ("1\n-1\ncat\n1\n1\n", "a.txt", "cannot be read as labels: could not convert string 'cat'"),
        (np.array(["a"] * 5), "a.npy", "cannot be read as labels: could not convert string"),
        (np.array([1, None], object), "a.npy", "cannot be read as labels: Object arrays cannot be loaded"),
    ],
)
def test_files_that_are_not_labels_are_rejected(column, content, name, message):
    with pytest.raises(LinstudyError, match=message) as caught:
        label(column(content, name), dataset(3, 2), nothing)
    assert name in str(caught.value)


@pytest.mark.parametrize("name", ["missing.txt", "missing.npy"])
def test_a_missing_file_is_named(tmp_path, name):
    task = ColumnTask(kind="column", path=str(tmp_path / name))
    for look in (lambda: label(task, dataset(3, 2), nothing), lambda: task_source(task, HERE)):
        with pytest.raises(LinstudyError, match=f'there is no ".*{name}"; correct the path'):
            look()


def test_labels_lie_beside_the_study_or_else_in_the_data_folder(tmp_path):
    task = ColumnTask(kind="column", path="labels.txt")
    places = Places(tmp_path / "study", tmp_path / "data")
    for folder, content in [(tmp_path / "data", "1\n1\n1\n"), (tmp_path / "study", "-1\n-1\n-1\n")]:
        folder.mkdir()
        (folder / "labels.txt").write_text(content)
        assert label(task, dataset(2, 1), nothing, places).train_labels[0] == float(content.split()[0])
        assert task_source(task, places) == task_source(
            ColumnTask(kind="column", path=str(folder / "labels.txt")), HERE
        )


def test_the_source_of_a_column_follows_its_content(column):
    one, same, other = column("1\n", "a.txt"), column("1\n", "b.txt"), column("-1\n", "c.txt")
    assert task_source(one, HERE) == task_source(same, HERE) != task_source(other, HERE)


def dataset(train, test, labels=None, classes=()):
    """Numbered inputs in the order of their source."""
    return Dataset(
        np.arange(train, dtype=np.float32)[:, None].repeat(2, axis=1),
        np.zeros(train, np.int64) if labels is None else labels,
        np.arange(test, dtype=np.float32)[:, None].repeat(2, axis=1),
        np.zeros(test, np.int64),
        classes,
        train_indices=np.arange(train),
        test_indices=np.arange(test),
        train_total=train,
        test_total=test,
    )
