"""The benchmark runs, and counts and times what it says."""

import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
PARTS = [
    "Gram",
    "Accuracy",
    "Training step",
    "Convolutions",
    "Linear training",
    "16 runs",
    "Neural",
    "Spectrum",
    "Probes",
    "Store",
    "Runner",
    "Start-up",
    "Workers",
    "The whole",
]


@pytest.fixture
def bench(monkeypatch):
    """Imports a module of the benchmark, which is no package."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


def scripted(name, seconds, log):
    """A candidate whose calls take what is said, and are noted; the first one warms up."""
    left = iter(seconds)

    def run(times):
        log.append(name)
        return next(left)

    return name, run


def test_medians_are_of_calls_made_in_turn_after_the_warm_up(bench):
    measure, log = bench("measure"), []
    one, other = scripted("A", [9, 1, 5, 2], log), scripted("B", [9, 4, 4, 6], log)
    timings = measure.measure([measure.Candidate(*one), measure.Candidate(*other)], 3, pause=0, least=0)
    assert log == list("AB" * 4)
    assert [timing.seconds for timing in timings] == [2, 4]


def test_a_short_call_is_repeated_until_it_takes_long_enough(bench):
    measure, times = bench("measure"), []
    candidate = measure.Candidate("A", lambda count: times.append(count) or 0.03)
    measure.measure([candidate], 2, pause=0, least=0.1)
    assert times == [1, 1, 4, 4]


def test_what_takes_long_is_timed_less_often_and_says_so(bench):
    measure, log = bench("measure"), []
    long = measure.Candidate(*scripted("A", [20.0], log), warm_up=lambda: log.append("warm-up"))
    longish = measure.Candidate(*scripted("B", [9, 12.0, 8.0], log))
    longest = measure.Candidate(*scripted("C", [70.0], log))
    timings = measure.measure([long, longish, longest], 3, pause=0, least=0)
    assert log == ["warm-up", "B", "C", "A", "B", "B"]
    assert [(timing.seconds, timing.remark) for timing in timings] == [
        (20.0, "1 call"),
        (10.0, "2 calls"),
        (70.0, "1 call, compilation included"),
    ]


def test_what_fails_or_is_left_out_says_why_and_the_others_go_on(bench):
    measure = bench("measure")

    def fail(times):
        raise ValueError("no such thing\nsecond line")

    def leave(times):
        raise measure.LeftOutError("too large")

    named = [("A", fail), ("B", leave), ("C", lambda times: 1.0)]
    candidates = [*(measure.Candidate(*each) for each in named), measure.left_out("D", "no torch")]
    timings = measure.measure(candidates, 1, pause=0, least=0)
    assert [timing.seconds for timing in timings] == [None, None, 1.0, None]
    assert [timing.remark for timing in timings] == [
        "failed: ValueError: no such thing",
        "left out: too large",
        "",
        "left out: no torch",
    ]


def test_operations_of_a_lenet_are_those_counted_by_hand(bench):
    settings, operations = bench("settings"), bench("operations")
    from linstudy.tangent import freeze

    model = freeze(*settings.initialized(settings.MODELS["lenet"], settings.SHAPE, 0))
    network = operations.Network.of(model, settings.SHAPE)
    first, second = 32 * 32 * 76 * 6, 16 * 16 * 151 * 16
    dense = 1025 * 120 + 121 * 84 + 85
    assert network.forward == first + second + dense
    assert network.backward == second + dense
    # the last layer's feature, 85 numbers, is a kernel gradient: its input and output gradient are 86
    passes, kernels = first + 2 * (second + dense), first + second + 85
    pair = 76 * 6 + 151 * 16 + (1025 + 120) + (121 + 84) + 85
    assert network.gram(1024, 1024**2) == 2 * (1024 * (passes + kernels) + 1024**2 * pair)


def test_operations_of_an_mlp_have_closed_forms(bench):
    settings, operations = bench("settings"), bench("operations")
    from linstudy.tangent import freeze

    model = freeze(*settings.initialized(settings.MODELS["mlp"], settings.SHAPE, 0))
    network = operations.Network.of(model, settings.SHAPE)
    first, rest = 3073 * 100, 101 * 100 + 101
    assert network.step(10) == 20 * (2 * first + 3 * rest)
    assert network.linear_step(10) == 20 * (3 * first + 5 * rest)
    assert network.gram(1, 7) == 2 * (first + 2 * rest + 7 * (3173 + 201 + 102))


def test_a_table_has_ratios_floors_and_no_empty_columns(bench):
    table, measure = bench("table"), bench("measure")
    timings = [measure.Timing("ours", 0.5), measure.Timing("theirs", 2.0), measure.Timing("none", None, "left out")]
    floor = table.Floor(1e9, 1e10, useful=5e8)
    text = str(table.Section("Title", "Legend.", table.compared("here", timings, floor)))
    assert "| here | theirs | 2 s | 4 | 0.1 s | 20 | 2.5% |  |" in text
    assert "| here | none |  |  |  |  |  | left out |" in text
    bare = str(table.Section("Title", "", [table.Line("here", "this", 1.0)]))
    assert "| setting | what | median |\n" in bare


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed here")
def test_a_torch_environment_that_lacks_torch_says_so(bench):
    client = bench("torch_client")
    server = client.TorchServer(sys.executable)
    with pytest.raises(client.TorchError, match="No module named"):
        server.ask(task="about")


def test_every_part_runs(tmp_path):
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    environment.pop("LINSTUDY_TORCH_PYTHON", None)
    command = [sys.executable, str(FOLDER / "bench.py"), "--smoke", "--quick", "--full"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    headings = [line.removeprefix("## ") for line in done.stdout.splitlines() if line.startswith("## ")]
    assert all(heading.startswith(part) for heading, part in zip(headings, PARTS, strict=True)), headings
    assert [line for line in done.stdout.splitlines() if "failed:" in line or "Error:" in line] == []
