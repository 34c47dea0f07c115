import io
import re

import pytest

from linstudy.execute.display import Display, make_display
from linstudy.execute.progress import Pace
from linstudy.execute.screen import LiveScreen, PlainScreen
from linstudy.execute.terminal import Terminal

ERROR = "the worker process was killed by SIGKILL"


class Lines(Terminal):
    """A terminal that keeps what is printed."""

    def __init__(self):
        super().__init__(io.StringIO())
        self.printed = []

    def print(self, line):
        self.printed.append(line)


@pytest.fixture
def terminal():
    return Lines()


@pytest.fixture
def plain(terminal, clock, runs):
    display = Display(PlainScreen(terminal))
    display.begin(len(runs), [run.run_id for run in runs])
    return display


def test_each_run_of_a_group_has_its_first_and_its_last_line(plain, terminal, runs):
    plain.started(runs)
    for run in runs:
        plain.finished(run, "done", None, 2.0)
    assert [line.split()[:2] for line in terminal.printed] == [
        *(["running", run.run_id] for run in runs),
        *(["done", run.run_id] for run in runs),
    ]
    assert [line.split("seed=")[1][1:] for line in terminal.printed[3:]] == [
        f"  2.0 s  ({number} of 3 runs)" for number in (1, 2, 3)
    ]


def test_a_group_tells_of_its_progress_as_often_as_one_run(plain, terminal, runs, clock):
    plain.started(runs)
    del terminal.printed[:]
    for second in range(91):
        clock.seconds = second
        for run in runs:
            plain.progressed(run, second / 180, f"epoch {second}")
    # One run of three has told of its epoch, the two others are one behind.
    assert [line.split("epoch ")[1] for line in terminal.printed] == [
        "30  2 min 34 s left",
        "60  2 min 02 s left",
        "90  1 min 31 s left",
    ]


def test_a_group_that_failed_is_told_of_once(plain, terminal, runs):
    plain.started(runs)
    del terminal.printed[:]
    for run in runs:
        plain.parted(run, ERROR)
    [line] = terminal.printed
    assert line.startswith("3 runs like training ")
    assert line.endswith(f"failed together, so each is tried alone\n    {ERROR}")


def test_runs_of_two_groups_are_kept_apart(plain, terminal, runs, clock):
    plain.started(runs[:2])
    plain.started(runs[2:])
    plain.finished(runs[0], "done", None, 1.0)
    plain.parted(runs[1], ERROR)
    plain.progressed(runs[2], 0.0, "epoch 0")
    clock.seconds = 40.0
    plain.progressed(runs[2], 0.5, "epoch 1")
    assert terminal.printed[-1].endswith("epoch 1  40 s left")


def test_a_long_error_is_cut(plain, terminal, runs):
    plain.started(runs[:1])
    plain.finished(runs[0], "failed", "x" * 5_000_000, 1.0)
    assert len(terminal.printed[-1]) < 3000
    assert terminal.printed[-1].endswith("more characters: linstudy status --failed")


def test_time_left_after_resuming_counts_from_there(clock):
    pace = Pace()
    assert pace.left(160 / 200) is None
    clock.seconds = 1.0
    assert pace.left(161 / 200) == pytest.approx(39)
    clock.seconds = 20.0
    assert pace.left(180 / 200) == pytest.approx(20)
    assert pace.left(1.0) is None


def test_time_left_of_the_next_stage_has_nothing_of_the_one_before(clock):
    pace = Pace()
    for fraction in (0.0, 0.5, 1.0):
        clock.seconds = 100 * fraction
        pace.left(fraction)
    assert pace.left(0.0) is None
    clock.seconds += 1.0
    assert pace.left(0.25) == 3.0


class Tty(io.StringIO):
    def isatty(self):
        return True


def shown(stream):
    """Everything that was ever drawn, without control sequences."""
    return re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue()))


@pytest.mark.parametrize("width", [40, 80, 120])
def test_live_lines_fit_the_terminal(runs, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    stream = Tty()
    display = Display(LiveScreen(Terminal(stream)))
    display.begin(5, [run.run_id for run in runs])
    display.started(runs)
    for epoch in (0, 100):
        display.progressed(runs[0], epoch / 200, f"epoch {epoch}/200  loss 0.0002  accuracy 1.000  test 0.930")
    display.finished(runs[0], "done", None, 2.0)  # draws the picture too
    display.close()
    lines = shown(stream)
    assert max(map(len, lines)) <= width
    assert any(line.rstrip().endswith("test 0.930") or "test 0.930  " in line for line in lines)
    assert any(line.startswith("3 of 5 runs") for line in lines)
    assert runs[0].run_id in " ".join(lines), "an id is never split"


def test_a_terminal_has_live_lines_and_a_file_has_not(runs):
    for stream, live in ((Tty(), True), (io.StringIO(), False)):
        display = make_display(Terminal(stream))
        display.note("said")
        display.close()
        assert ("\x1b" in stream.getvalue()) == live
        assert "said\n" in stream.getvalue()


class Gone(Tty):
    """A terminal that goes away."""

    gone = False

    def write(self, text):
        if self.gone:
            raise OSError(5, "Input/output error")
        return super().write(text)


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_terminal_that_goes_away_ends_no_display(runs):
    stream = Gone()
    display = make_display(Terminal(stream))
    display.begin(3, [run.run_id for run in runs])
    display.started(runs)
    stream.gone = True
    for run in runs:
        display.progressed(run, 0.5, "epoch 1")
        display.finished(run, "done", None, 1.0)
    display.close()
