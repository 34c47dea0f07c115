"""What a user reads who wrote something wrong: the whole text."""

import time

import pytest

MODELS = "mlp, lenet, resnet, import"
DATA = "digits, mnist, fashion_mnist, cifar10, cifar100, image_folder, npz, gaussian"
TASKS = "binary_classes, eigenfunction, nad, linear_predictor, random_labels, column"
PROBES = "alignment, energy_concentration, spectrum_summary, rkhs_norm"
TRAIN = "epochs, optimizer, schedule, batch_size, linearize, precision"
POINT = "data, model, task, train, spectrum, nads, probes"
FRAME = "title, seeds, sweep, zip, include, exclude"
GAUSSIAN = "study: a\ndata: {kind: gaussian}\nmodel: {kind: mlp}\n"
KEYS = f"study, {FRAME}, profiles, {POINT}"
SETTABLE = f"{FRAME}, {POINT}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "study: a\ndata: {kind: digits}\nmodel: {kind: lenett}\n",
            f'a.yaml:3:15  model.kind: "lenett" is not a model. Did you mean "lenet"? Allowed: {MODELS}',
        ),
        (
            "study: a\ndata: {kind: CIFAR-10}\nmodel: {kind: mlp}\n",
            f'a.yaml:2:14  data.kind: "CIFAR-10" is not a data set. Did you mean "cifar10"? Allowed: {DATA}',
        ),
        (
            "study: a\ndata: {kind: digits}\nmodle: {kind: mlp}\n",
            f'a.yaml:3:1  modle: "modle" is not a key of a study. Did you mean "model"? Allowed: {KEYS}',
        ),
        (
            "study: a\n",
            f"a.yaml  data: is missing. Write data: {{kind: digits}}. Allowed kinds: {DATA}\n"
            f"a.yaml  model: is missing. Write model: {{kind: mlp}}. Allowed kinds: {MODELS}",
        ),
        (
            "data: {kind: digits}\nmodel: {kind: mlp}\n",
            "a.yaml  study: is missing: Name of the study, used in tables and figures",
        ),
        (
            "study: a b\ndata: {kind: digits}\nmodel: {kind: mlp}\n",
            'a.yaml:1:8  study: "a b" is not a name. Write letters, digits, _ and -, as in kernel_rotation',
        ),
        (
            "study: a\ndata: {kind: digits}\nmodel: {kind: mlp, depth: 18, wdth: 4}\n",
            'a.yaml:3:20  model.depth: "depth" is a field of resnet, not of mlp. Allowed: kind, hidden, activation\n'
            'a.yaml:3:31  model.wdth: "wdth" is not a field of mlp. Allowed: kind, hidden, activation',
        ),
        (
            "study: a\ndata: {kind: digits, train: 2000}\nmodel: {kind: import, factory: mynets}\n",
            'a.yaml:3:32  model.factory: "mynets" names no function. Write package.module:function',
        ),
        (
            "study: a\ndata: &d {kind: digits, tran: 1}\nmodel: {kind: mlp}\nsweep: {data: [{<<: *d, train: 100}]}\n",
            'a.yaml:4:16  sweep.data.0.tran: "tran" is not a field of digits. '
            'Did you mean "train"? Allowed: kind, train, test, seed',
        ),
        ("", "a.yaml: found an empty file; a study is a mapping of keys, such as study: and data:"),
        ("study: a\nstudy: b\n", 'a.yaml:2:1  not valid YAML: "study" is written twice; keep one of them'),
    ],
)
def test_whole_files(error, text, message):
    assert error(text, head="") == message


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "train: {epoch: 4}",
            f'4:9  train.epoch: "epoch" is not a field of train. Did you mean "epochs"? Allowed: {TRAIN}',
        ),
        ("train: {epochs: four}", '4:17  train.epochs: expected a whole number, found "four"'),
        ("train: {epochs: '4'}", '4:17  train.epochs: expected a whole number, found "4". Drop the quotes'),
        ("train: {epochs: '4.5'}", '4:17  train.epochs: expected a whole number, found "4.5"'),
        (
            "train: {optimizer: {kind: sgd, learning_rate: '.1'}}",
            '4:47  train.optimizer.learning_rate: expected a number, found ".1". Drop the quotes',
        ),
        (
            "probes: [{kind: rkhs_norm, at: [end], label: 3}]",
            "4:46  probes.0.label: expected a text, found 3. Put it in quotes",
        ),
        ("train: {epochs: 4.5}", "4:17  train.epochs: expected a whole number, found 4.5"),
        ("train: {epochs: true}", "4:17  train.epochs: expected a whole number, found true"),
        ("train: {epochs: -1}", "4:17  train.epochs: expected at least 0, found -1"),
        ("train: {epochs: }", "4:9  train.epochs: expected a whole number, found nothing"),
        ("train: 4", "4:8  train: expected a mapping, as in {epochs: ...}, found 4"),
        ("train:", "4:1  train: expected a mapping, as in {epochs: ...}, found nothing"),
        (
            "train: {schedule: cosine}",
            '4:19  train.schedule: "cosine" is not allowed. Allowed: linear, constant, one_cycle',
        ),
        (
            "train: {optimizer: {kind: sdg}}",
            '4:27  train.optimizer.kind: "sdg" is not an optimizer. Did you mean "sgd"? Allowed: sgd, adam',
        ),
        (
            "train: {optimizer: adam}",
            '4:20  train.optimizer: expected a mapping, as in {kind: adam}, found "adam"',
        ),
        (
            "train: {optimizer: {kind: adam, momentum: 0.9}}",
            '4:33  train.optimizer.momentum: "momentum" is a field of sgd, not of adam. Allowed: kind, learning_rate',
        ),
        (
            "train: {optimizer: {kind: sgd, momentum: 1}}",
            "4:42  train.optimizer.momentum: expected less than 1, found 1",
        ),
        (
            "train: {optimizer: {kind: sgd, learning_rate: .inf}}",
            "4:47  train.optimizer.learning_rate: expected a finite number, found inf",
        ),
        (
            "train: {linearize: {at: start}}",
            '4:25  train.linearize.at: "start" is not allowed. Allowed: init, or a mapping, as in {epoch: ...}',
        ),
        (
            "train: {linearize: {at: 3}}",
            "4:25  train.linearize.at: expected a mapping, as in {epoch: ...}, found 3",
        ),
        (
            "train: {linearize: {at: {epoch: 101}}}",
            "4:33  train.linearize.at.epoch: epoch 101 is after the training's end. Allowed: 0 to 100 (train.epochs)",
        ),
        (
            "train: {linearize: {space: functions}}",
            '4:28  train.linearize.space: "functions" is not allowed. Did you mean "function"? '
            "Allowed: auto, function, parameters",
        ),
        (
            "train: {optimizer: {kind: adam}, linearize: {space: function}}",
            "4:8  train: linearize.space: function trains by sgd alone, and the optimizer is adam. "
            "Write optimizer: {kind: sgd}, or space: auto or parameters",
        ),
        (
            "sweep: {model: [{kind: import, factory: 'a:b', arguments: {c: [1, .nan]}}]}",
            "4:67  sweep.model.0.arguments.c.1: expected a finite number, found nan",
        ),
        (
            "profiles: {paper: {model: {kind: import, factory: 'a:b', arguments: {c: -.inf}}}}",
            "4:73  profiles.paper.model.arguments.c: expected a finite number, found -inf",
        ),
        ("task: {index: 4}", f"4:7  task: {{index: 4}} has no kind. Write {{kind: ...}}. Allowed: {TASKS}"),
        (
            "task: eigenfunction",
            '4:7  task: expected a mapping, as in {kind: eigenfunction}, found "eigenfunction"',
        ),
        (
            "task: {kind: eigenfunction}",
            "4:7  task.index: is missing: j, counted from 1 in order of decreasing eigenvalue",
        ),
        (
            "task: {kind: eigenfunction, index: 1001}",
            "4:36  task.index: 1001 is beyond the 1000 eigenvectors that the spectrum keeps. "
            "Allowed: 1 to 1000, or more with spectrum.top: 1001",
        ),
        (
            "task: {kind: eigenfunction, index: 2000}",
            "4:36  task.index: 2000 is beyond the 1000 eigenvectors that the spectrum keeps. Allowed: 1 to 1000",
        ),
        (
            "task: {kind: binary_classes, positive: 3}",
            "4:40  task.positive: expected a list, as in [3], found 3",
        ),
        (
            "task: {kind: linear_predictor, direction: [0, 0]}",
            "4:7  task: direction is zero: it needs at least one entry other than 0",
        ),
        (
            "task: {kind: nad, index: 1}",
            "4:14  task.kind: nad makes its inputs from Gaussian draws. Write data: {kind: gaussian}",
        ),
        (
            "spectrum: {top: 5000}",
            "4:17  spectrum.top: 5000 eigenvectors of a Gram of 1797 samples. Allowed: 1 to 1797",
        ),
        (
            "probes: {kind: alignment}",
            "4:9  probes: expected a list, as in [{kind: alignment}], found {kind: alignment}",
        ),
        ("probes: [alignment]", '4:10  probes.0: expected a mapping, as in {kind: alignment}, found "alignment"'),
        (
            "probes: [{kind: alignmnt, at: [end]}]",
            f'4:17  probes.0.kind: "alignmnt" is not a probe. Did you mean "alignment"? Allowed: {PROBES}',
        ),
        (
            "probes: [{kind: alignment}]",
            "4:10  probes.0: a probe needs epochs: at: [start, end, 40], every: 10, or both",
        ),
        ("probes: [{kind: alignment, at: end}]", '4:32  probes.0.at: expected a list, as in [end], found "end"'),
        (
            "probes: [{kind: alignment, at: [begin]}]",
            '4:33  probes.0.at.0: "begin" is not allowed. Allowed: start, end, or a whole number',
        ),
        ("probes: [{kind: alignment, at: [-1]}]", "4:33  probes.0.at.0: expected at least 0, found -1"),
        (
            "probes: [{kind: alignment, at: [end, 200]}]",
            "4:38  probes.0.at.1: epoch 200 is after the training's end. Allowed: 0 to 100 (train.epochs)",
        ),
        (
            "probes: [{kind: rkhs_norm, at: [end]}, {kind: rkhs_norm, every: 3}]",
            "4:40  probes.1: is a second rkhs_norm probe without a label. Tell them apart, as in label: late",
        ),
        (
            "seed: 3",
            f'4:1  seed: "seed" is not a key of a study. Did you mean "seeds"? Allowed: {KEYS}',
        ),
        ("seeds: 3", "4:8  seeds: expected a list, as in [3], found 3"),
        ("seeds: range(3)", '4:8  seeds: expected a list, as in [0, 1], found "range(3)"'),
        ("seeds: [0, 1, 0]", "4:15  seeds.2: 0 is written twice; keep one of them"),
        ("seeds: []", "4:8  seeds: expected one entry or more, found []"),
        ("seeds: [-1]", "4:9  seeds.0: expected at least 0, found -1"),
        ("sweep:", "4:1  sweep: expected a mapping, found nothing"),
        ("sweep: {train.epochs: 4}", "4:23  sweep.train.epochs: expected a list, as in [4], found 4"),
        ("sweep: {train.epochs: []}", "4:23  sweep.train.epochs: expected one entry or more, found []"),
        (
            "sweep: {trian.epochs: [4]}",
            f'4:9  sweep.trian.epochs: "trian" is not a key of a study. Did you mean "train"? Allowed: {POINT}, seed',
        ),
        (
            "sweep: {train.epoch: [4]}",
            f'4:9  sweep.train.epoch: "epoch" is not a field of train. Did you mean "epochs"? Allowed: {TRAIN}',
        ),
        (
            "sweep: {train.epochs.x: [4]}",
            "4:9  sweep.train.epochs.x: train.epochs expected a whole number, found {x: 4}",
        ),
        ("sweep: {probes.0.top: [4]}", "4:9  sweep.probes.0.top: there is no probes.0.top in the study"),
        ("sweep: {model.kind.x: [4]}", "4:9  sweep.model.kind.x: there is no model.kind.x in the study"),
        (
            "sweep: {task.kind: [nad]}",
            "4:9  sweep.task.kind: task.index is missing: j, counted from 1 in order of decreasing singular value",
        ),
        (
            "zip: {train.epochs: [1, 2], data.train: [5]}",
            "4:1  zip: the axes need as many values as one another: train.epochs has 2, data.train has 1",
        ),
        (
            "zip: {train.epochs: [1]}\nsweep: {train.epochs: [1]}",
            "4:7  zip.train.epochs: is an axis of sweep too: keep one of them",
        ),
        ("sweep: {seed: [1]}\nseeds: [1]", "4:9  sweep.seed: the study has seeds too: keep one of them"),
        ("exclude: [{train.epochs: 3}]", "4:11  exclude.0: matches no point of the study; drop it or correct it"),
        ("exclude: [{trian.epochs: 3}]", "4:11  exclude.0: matches no point of the study; drop it or correct it"),
        ("exclude: [{seed: 0}]", "4:1  exclude: drops every point of the study"),
        ("exclude: [{}]", "4:11  exclude.0: expected one entry or more, found {}"),
        (
            "include: {train.epochs: 3}",
            "4:10  include: expected a list, as in [{train.epochs: 3}], found {train.epochs: 3}",
        ),
        (
            "profiles: {paper: {dat: 3}}",
            f'4:20  profiles.paper.dat: "dat" is not a key that a profile can replace. '
            f'Did you mean "data"? Allowed: {SETTABLE}',
        ),
        (
            "profiles: {paper: {study: b}}",
            f'4:20  profiles.paper.study: "study" is not a key that a profile can replace. Allowed: {SETTABLE}',
        ),
        (
            "profiles: {paper: {model: {kind: resnett}}}",
            f'4:34  profiles.paper.model.kind: "resnett" is not a model. Did you mean "resnet"? Allowed: {MODELS}',
        ),
        ("profiles: {paper: }", "4:12  profiles.paper: expected a mapping, found nothing"),
        ("profiles: {paper: {sweep: [1]}}", "4:27  profiles.paper.sweep: expected a mapping, found [1]"),
    ],
)
def test_single_lines(error, line, message):
    """What is wrong is the first line after the study's name, data and model."""
    assert error(line + "\n") == f"a.yaml:{message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "sweep:\n  model: [{kind: mlp}, {kind: lenett}]\n  train.epochs: [1, 2, 3]\n",
            f'a.yaml:5:31  sweep.model.1.kind: "lenett" is not a model. Did you mean "lenet"? Allowed: {MODELS}\n'
            "             3 of the study's 6 runs come from this line",
        ),
        (
            "seeds: [0, 1]\nsweep: {train.epochs: [1, x, 3]}\n",
            'a.yaml:5:27  sweep.train.epochs.1: expected a whole number, found "x"\n'
            "             2 of the study's 6 runs come from this line",
        ),
        (
            "sweep: {train.epochs: [1, x]}\n",
            'a.yaml:4:27  sweep.train.epochs.1: expected a whole number, found "x"\n'
            "             1 of the study's 2 runs comes from this line",
        ),
        (
            "sweep: {task.index: [4, 5]}\n",
            'a.yaml:4:9  sweep.task.index: "index" is a field of eigenfunction, nad, not of binary_classes. '
            "Allowed: kind, positive\n"
            "            2 of the study's 2 runs come from this line",
        ),
        (
            "seeds: [0, 1, 2]\nsweep: {train.epochs: [1, 2, x]}\nexclude: [{train.epochs: 1}, {seed: 2}]\n",
            'a.yaml:5:30  sweep.train.epochs.2: expected a whole number, found "x"\n'
            "             2 of the study's 4 runs come from this line",
        ),
        (
            "seeds: [0, 1]\nsweep: {model: [{kind: mlp}, {kind: mlp, activation: relu}, {kind: mlp, activation: x}]}\n",
            'a.yaml:5:85  sweep.model.2.activation: "x" is not allowed. Allowed: relu, gelu\n'
            "             2 of the study's 4 runs come from this line",
        ),
        (
            "seeds: [0, 1]\nzip: {train.epochs: [1, 2], train.batch_size: [0, 8]}\n",
            "a.yaml:5:48  zip.train.batch_size.0: expected at least 1, found 0\n"
            "             2 of the study's 4 runs come from this line",
        ),
        (
            "seeds: [0, 1]\ninclude: [{train.epoch: 3}, {train.epochs: 3}]\n",
            f'a.yaml:5:12  include.0.train.epoch: "epoch" is not a field of train. '
            f'Did you mean "epochs"? Allowed: {TRAIN}\n'
            "             2 of the study's 6 runs come from this line",
        ),
        (
            "task: {kind: eigenfunction, index: 40}\nsweep: {spectrum.top: [20, 30, 50]}\n",
            "a.yaml:4:36  task.index: 40 is beyond the 20 eigenvectors that the spectrum keeps. "
            "Allowed: 1 to 20, or more with spectrum.top: 40\n"
            "             1 of the study's 3 runs comes from this line\n"
            "a.yaml:4:36  task.index: 40 is beyond the 30 eigenvectors that the spectrum keeps. "
            "Allowed: 1 to 30, or more with spectrum.top: 40\n"
            "             1 of the study's 3 runs comes from this line",
        ),
        (
            "seeds: [0, 1]\nprofiles:\n  paper:\n    sweep: {train.epochs: [1, x, 3]}\n",
            'a.yaml:7:31  profiles.paper.sweep.train.epochs.1: expected a whole number, found "x"\n'
            '             2 of the 6 runs of the profile "paper" come from this line',
        ),
        (
            "task: {kind: eigenfunction, index: 40}\nprofiles: {paper: {spectrum: {top: 30}}}\n",
            "a.yaml:4:36  task.index: 40 is beyond the 30 eigenvectors that the spectrum keeps. "
            "Allowed: 1 to 30, or more with spectrum.top: 40\n"
            '             so it is with the profile "paper"',
        ),
        (
            "train: {epochs: x}\nsweep: {data.train: [5, y]}\nprofiles: {paper: {sweep: {}, spectrum: {top: 0}}}\n",
            'a.yaml:4:17  train.epochs: expected a whole number, found "x"\n'
            "             2 of the study's 2 runs come from this line\n"
            'a.yaml:5:25  sweep.data.train.1: expected a whole number, found "y"\n'
            "             1 of the study's 2 runs comes from this line\n"
            "a.yaml:6:47  profiles.paper.spectrum.top: expected at least 1, found 0",
        ),
    ],
)
def test_mistakes_are_counted_in_runs(error, text, message):
    assert error(text) == message


def test_a_missing_key_that_only_some_points_lack_is_counted_without_a_line(error):
    text = "study: a\ndata: {kind: digits}\nsweep: {model: [{kind: mlp}, {kind: lenet}]}\ninclude: [{data.train: 5}]\n"
    assert error(text, head="") == (
        f"a.yaml  model: is missing. Write model: {{kind: mlp}}. Allowed kinds: {MODELS}\n"
        "        1 of the study's 3 runs has this mistake"
    )


def test_a_profile_asked_for_is_counted_by_itself(error):
    text = "sweep: {train.epochs: [1, 2]}\nprofiles: {paper: {sweep: {train.epochs: [1, 2, x]}}}\n"
    assert error(text, "seeds=[1, 2]", profile="paper") == (
        'a.yaml:5:49  profiles.paper.sweep.train.epochs.2: expected a whole number, found "x"\n'
        '             2 of the 6 runs of the profile "paper" come from this line'
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("profiles: {paper: {}}\n", 'a.yaml: there is no profile "papper". Did you mean "paper"? Allowed: paper'),
        ("", 'a.yaml: there is no profile "papper". The study has none'),
    ],
)
def test_an_unknown_profile_is_told_with_those_there_are(error, text, message):
    assert error(text, profile="papper") == message


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epochs", ": write path=value, as in --set train.epochs=10"),
        ("=3", ": write path=value, as in --set train.epochs=10"),
        ("trian.epochs=3", f': "trian" is not a key that can be set. Did you mean "train"? Allowed: {SETTABLE}'),
        ("study=b", f': "study" is not a key that can be set. Allowed: {SETTABLE}'),
        ("seed=1", f': "seed" is not a key that can be set. Did you mean "seeds"? Allowed: {SETTABLE}'),
        (
            "train.epoch=3",
            f'  train.epoch: "epoch" is not a field of train. Did you mean "epochs"? Allowed: {TRAIN}',
        ),
        ("train.epochs=x", '  train.epochs: expected a whole number, found "x"'),
        ("train.epochs=", "  train.epochs: expected a whole number, found nothing"),
        ("data.train=3=4", '  data.train: expected a whole number, found "3=4"'),
        ("train.batch_size=[1", ': not valid YAML: this "[" is not closed, or a comma is missing in it'),
        ("data.train=.inf", "  data.train: expected a finite number, found inf"),
        ("title=!x a", ': the tag "!x" means nothing in a study; leave it out'),
        ("model=lenet", '  model: expected a mapping, as in {kind: lenet}, found "lenet"'),
        (
            "data.kind=cifar11",
            f'  data.kind: "cifar11" is not a data set. Did you mean "cifar10"? Allowed: {DATA}',
        ),
        ("probes.0.top=3", ": there is no probes.0.top in the study"),
        ("include.0.train.epochs=3", ": there is no include.0.train.epochs in the study"),
        ("sweep=[1]", "  sweep: expected a mapping, found [1]"),
        ("sweep.train.epochs=4", "  sweep.train.epochs: expected a list, as in [4], found 4"),
        (
            "task={kind: eigenfunction, index: 2000}",
            "  task.index: 2000 is beyond the 1000 eigenvectors that the spectrum keeps. Allowed: 1 to 1000",
        ),
    ],
)
def test_overrides(error, override, message):
    assert error("", override) == f"--set {override}{message}"


@pytest.mark.parametrize(
    ("axes", "override", "message"),
    [
        (
            "sweep: {train.epochs: [1, 2]}",
            "train.epochs=3",
            "train.epochs varies in the study's sweep. Write --set sweep.train.epochs=[3]",
        ),
        (
            "zip: {train.epochs: [1, 2]}",
            "train.epochs=3",
            "train.epochs varies in the study's zip. Write --set zip.train.epochs=[3]",
        ),
        (
            "sweep: {model: [{kind: mlp}]}",
            "model.kind=lenet",
            "model varies in the study's sweep. Write --set sweep.model=[...]",
        ),
    ],
)
def test_what_an_axis_would_overwrite_cannot_be_set(error, axes, override, message):
    assert error(axes + "\n", override) == f"--set {override}: {message}"


def test_a_swept_value_from_the_command_line_is_counted(error):
    assert error("seeds: [0, 1]\n", "sweep.train.epochs=[1, x]") == (
        '--set sweep.train.epochs=[1, x]  sweep.train.epochs.1: expected a whole number, found "x"\n'
        "                                 2 of the study's 4 runs have this mistake"
    )


def test_mistakes_of_keys_and_axes_come_before_those_of_points(error):
    assert error("tasks: {kind: x}\nseeds: [x]\ntrain: {epochs: x}\n") == (
        f'a.yaml:4:1  tasks: "tasks" is not a key of a study. Did you mean "task"? Allowed: {KEYS}\n'
        'a.yaml:5:9  seeds.0: expected a whole number, found "x"'
    )


def test_a_study_too_large_is_refused_before_a_point_is_built(error):
    text = "".join(f"  data.seed: {list(range(100))}\n  train.batch_size: {list(range(1, 101))}\n".splitlines(True))
    start = time.process_time()
    assert error(f"seeds: {list(range(100))}\nsweep:\n{text}") == (
        "a.yaml:5:1  sweep: 1,000,000 points: data.seed 100 x train.batch_size 100 x seeds 100. Allowed: 20,000"
    )
    assert time.process_time() - start < 4  # 0.1 s on one core at rest


def test_points_are_counted_however_they_are_said(error):
    many = list(range(300))
    assert error(f"zip: {{data.seed: {many}}}\nseeds: {many}\n") == (
        "a.yaml:4:1  zip: 90,000 points: data.seed 300 x seeds 300. Allowed: 20,000"
    )
    assert error("include: [" + "{train.epochs: 1}, " * 300 + f"]\nseeds: {many}\n") == (
        "a.yaml:5:1  seeds: 90,300 points: seeds 300, and include 300. Allowed: 20,000"
    )
    axes = "".join(f"  a{i}: [1, 2]\n" for i in range(2000))
    assert error(f"sweep:\n{axes}") == (
        "a.yaml:4:1  sweep: more than 1,000,000,000,000 points: a0 2 x a1 2 x a2 2 x a3 2 x a4 2 x .... Allowed: 20,000"
    )


def test_the_points_of_profiles_are_counted_too(error):
    profiles = "".join(f"  p{i}: {{title: x}}\n" for i in range(6))
    assert error(f"seeds: {list(range(10_000))}\nprofiles:\n{profiles}") == (
        "a.yaml:5:1  profiles: make 70,000 points with the study's own. Allowed: 60,000"
    )


def test_trainings_and_probes_are_counted(error):
    probes = "".join(f"  - {{kind: rkhs_norm, at: [end], label: l{i}}}\n" for i in range(400))
    assert error(f"seeds: {list(range(150))}\nprobes:\n{probes}") == (
        "a.yaml:5:1  probes: with every point's probes, 60,150 trainings and probes. Allowed: 50,000"
    )


def test_large_values_in_many_points_are_counted(error):
    direction = f"task: {{kind: linear_predictor, direction: {[1.0] * 3000}}}\n"
    assert error(f"{direction}sweep: {{data.seed: {list(range(4000))}}}\n", head=GAUSSIAN) == (
        "a.yaml:5:1  sweep: 4,000 points of 3,013 values each, entries of exclude counted. "
        "Allowed: 1,000,000 values in all"
    )


def test_a_long_value_is_never_printed_whole(error):
    long = "x" * 200_000
    for text in (
        f"model: {{kind: {long}}}",
        f"{long}: 1",
        f"title: {{{long}: {long}}}",
        f"sweep: {{{long}: [1]}}",
        f"a: @{long}",
    ):
        assert len(error(text + "\n")) < 1500
    for override in (
        f"{long}=1",
        f"title={{a: {long}}}",
        f"data.train={long}",
        f"probes.{'9' * 5000}.top=3",
        f"data.{long}=1",
        f"title=@{long}",
    ):
        assert len(error("", override)) < 1500


def test_of_many_mistakes_the_first_are_told(error):
    lines = error(f"sweep: {{train.epochs: [{', '.join(f'x{i}' for i in range(500))}]}}\n").splitlines()
    assert len(lines) == 2 * 30 + 1
    assert lines[0].startswith('a.yaml:4:24  sweep.train.epochs.0: expected a whole number, found "x0"')
    assert lines[-1] == "and 470 more mistakes"
