from linstudy.text.excerpt import CHARACTERS_PER_LINE, LINES, excerpt


def test_a_short_text_is_told_whole():
    text = "\n".join("x" * 80 for _ in range(LINES))
    assert excerpt(text + "\n", "elsewhere") == text


def test_a_long_text_is_cut_by_lines_and_says_where_the_rest_is():
    text = "\n".join(f"line {number}" for number in range(100))
    *kept, last = excerpt(text, "elsewhere").splitlines()
    assert kept == text.splitlines()[:LINES]
    left_out = len(text) - len("\n".join(kept))
    assert last == f"… {left_out} more characters: elsewhere"


def test_a_long_line_is_cut_too():
    told = excerpt("x" * 5_000_000, "elsewhere")
    assert len(told.splitlines()[0]) == LINES * CHARACTERS_PER_LINE
    assert told.endswith("4,998,080 more characters: elsewhere")
