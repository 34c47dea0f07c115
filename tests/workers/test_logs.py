"""What workers print, dealt out to files."""

import pytest

from linstudy.workers import logs
from linstudy.workers.logs import Log, LogWriter, mark


@pytest.fixture
def writer(tmp_path):
    return LogWriter(tmp_path / "logs", "worker.log")


@pytest.fixture
def small(monkeypatch):
    """Logs of 100 bytes at the beginning and 40 at the end."""
    monkeypatch.setattr(logs, "HEAD_BYTES", 100)
    monkeypatch.setattr(logs, "TAIL_BYTES", 40)


def written(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()} if folder.exists() else {}


PRINTED = b"starting\n" + mark("r1-1.log") + b"epoch 1\nepoch 2" + mark("") + mark("r2-2.log") + b"\nlast\n\n"
DEALT = {"worker.log": b"starting\n", "r1-1.log": b"epoch 1\nepoch 2", "r2-2.log": b"\nlast\n\n"}


@pytest.mark.parametrize("first", range(len(PRINTED) + 1))
def test_marks_cut_anywhere_deal_out_the_same(writer, tmp_path, first):
    writer.feed(PRINTED[:first])
    writer.feed(PRINTED[first:])
    writer.close()
    assert written(tmp_path / "logs") == DEALT


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_small_pieces_deal_out_the_same(writer, tmp_path, size):
    for start in range(0, len(PRINTED), size):
        writer.feed(PRINTED[start : start + size])
    writer.close()
    assert written(tmp_path / "logs") == DEALT


def test_what_is_printed_is_there_at_once(writer, tmp_path):
    writer.feed(mark("r1-1.log") + b"epoch 1")
    assert written(tmp_path / "logs") == {"r1-1.log": b"epoch 1"}


def test_a_log_where_nothing_is_printed_is_not_made(writer, tmp_path):
    writer.feed(mark("r1-1.log") + mark(""))
    writer.close()
    assert written(tmp_path / "logs") == {}


@pytest.mark.parametrize("text", [b"\n\x1e" + b"x" * 1000 + b"\nmore", b"a\x1eb\n", b"\x1e\n"])
def test_what_only_looks_like_a_mark_is_printed(writer, tmp_path, text):
    """Such as a control character inside a line; a name as long as this is no file's."""
    for start in range(0, len(text), 50):
        writer.feed(text[start : start + 50])
    writer.close()
    assert written(tmp_path / "logs") == {"worker.log": text}


def test_a_mark_names_no_file_outside_of_the_folder(writer, tmp_path):
    writer.feed(mark("../../outside.log") + b"text")
    writer.close()
    assert written(tmp_path / "logs") == {"outside.log": b"text"}


def test_a_log_goes_on_where_it_was_left(writer, tmp_path):
    writer.feed(mark("r1-1.log") + b"one " + mark("") + b"between" + mark("r1-1.log") + b"two")
    writer.close()
    assert written(tmp_path / "logs") == {"r1-1.log": b"one two", "worker.log": b"between"}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("piece", [1, 7, 40, 64])
def test_a_long_log_keeps_its_beginning_and_its_end(tmp_path, piece):
    text = b"".join(b"%06d\n" % line for line in range(1000))
    log = Log(tmp_path / "a.log")
    for start in range(0, len(text), piece):
        log.write(text[start : start + piece])
    log.close()
    content = log.path.read_bytes()
    head, note, tail = content[:100], *content[100:].removeprefix(b"\n[").split(b" bytes left out]\n")
    assert head == text[:100]
    assert text.endswith(tail)
    assert 40 <= len(tail) < 40 + piece
    assert int(note.replace(b",", b"")) == len(text) - len(head) - len(tail)


@pytest.mark.usefixtures("small")
def test_a_log_that_just_fits_says_nothing_of_bytes_left_out(tmp_path):
    log = Log(tmp_path / "a.log")
    for _ in range(14):
        log.write(b"x" * 10)
    log.close()
    assert log.path.read_bytes() == b"x" * 140


def test_a_flood_is_cut_to_a_mebibyte(tmp_path):
    log = Log(tmp_path / "a.log")
    for _ in range(200):
        log.write(b"x" * 2**16)
    log.close()
    assert 2**20 <= log.path.stat().st_size < 2**20 + 2**16 + 100


def test_the_last_words_are_the_end_of_the_current_log(writer):
    assert writer.last_words() == ""
    lines = "\n".join([f"line {number}" for number in range(20)] + ["y" * 1000])
    writer.feed(b"own\n" + mark("r1-1.log") + lines.encode())
    writer.close()
    assert writer.last_words().splitlines() == [*(f"line {number}" for number in range(16, 20)), "y" * 300]


@pytest.mark.usefixtures("small")
def test_the_last_words_of_a_long_log_are_those_that_were_printed_last(writer):
    writer.feed(b"z" * 500 + b"\nRuntimeError: this is why\n")
    writer.close()
    assert writer.last_words().splitlines()[-1] == "RuntimeError: this is why"


def test_bytes_that_are_no_text_do_no_harm(writer):
    writer.feed(b"\xff\xfe broken\n")
    writer.close()
    assert writer.last_words().endswith("broken")
