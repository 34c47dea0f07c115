import errno
import io
import os

import pytest

from linstudy.execute.terminal import Terminal


class Broken(io.StringIO):
    """A stream whose reader goes away after one line."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        if self.getvalue():
            raise self.error
        return super().write(text)


@pytest.mark.parametrize(
    "error",
    [
        BrokenPipeError(errno.EPIPE, "Broken pipe"),
        OSError(errno.EIO, "Input/output error"),
        UnicodeEncodeError("ascii", "φ", 0, 1, "ordinal not in range(128)"),
        ValueError("I/O operation on closed file"),
    ],
)
def test_output_that_cannot_be_written_is_dropped(error):
    stream = Broken(error)
    terminal = Terminal(stream)
    for line in ("first", "second", "third"):
        terminal.print(line)
    assert stream.getvalue() == "first\n"


def test_other_mistakes_are_not_hidden():
    with pytest.raises(TypeError):
        Terminal(io.StringIO()).write(3)


def test_a_pipe_whose_reader_is_gone_is_silent():
    reader, writer = os.pipe()
    os.close(reader)
    terminal = Terminal(open(writer, "w"))  # noqa: SIM115
    terminal.print("lost")
    terminal.print("lost")
