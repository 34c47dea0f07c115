import pytest

from linstudy.text.layout import live_line, wrap_words

NAME = "12 runs like training digits lenet eigenfunction(index=20) epochs=200 seed=0"
TEXT = "epoch 197/200  loss 0.0002  accuracy 1.000  test 0.930"
LEFT = "12 min 05 s left"


@pytest.mark.parametrize("width", [40, 41, 60, 80, 100, 120, 200])
def test_test_accuracy_and_time_left_are_never_cut(width):
    line = live_line(NAME, TEXT, LEFT, width)
    assert len(line) <= width
    assert line.endswith(f"test 0.930  {LEFT}")


def test_the_rest_is_there_as_far_as_there_is_room():
    assert live_line(NAME, TEXT, LEFT, 40) == f"12 runs...  test 0.930  {LEFT}"
    assert live_line(NAME, TEXT, LEFT, 60).endswith(f"  epoch 197/200  test 0.930  {LEFT}")
    assert live_line(NAME, TEXT, LEFT, 160).startswith(NAME)
    assert live_line(NAME, TEXT, LEFT, 160).endswith(f"  {TEXT}  {LEFT}")


def test_a_line_without_text_or_time_has_the_name_alone():
    assert live_line("spectrum digits", "", "", 40) == "spectrum digits"
    assert live_line("spectrum digits", "Gram", "", 24) == "spectrum digits     Gram"


def test_lines_break_between_words_alone():
    text = f"done  {NAME}\n    ValueError: {'x' * 50} odd"
    lines = wrap_words(text, 40).splitlines()
    assert " ".join(lines).split() == text.split()
    assert all(len(line) <= 40 or "x" * 50 in line for line in lines)
    assert wrap_words(text, 200) == text
