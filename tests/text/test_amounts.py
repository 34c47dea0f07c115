"""Times and sizes in words."""

from linstudy.text.amounts import rough_size, rough_time


def test_rough_numbers():
    assert [rough_time(time) for time in (0.1, 89, 90, 5400, 35_999, 36_000)] == [
        "1 s",
        "89 s",
        "2 min",
        "1 h 30 min",
        "10 h",
        "10 h",
    ]
    assert [rough_size(size) for size in (1, 9e5, 9.94e6, 9.96e6, 9.6e8)] == [
        "0 kB",
        "900 kB",
        "9.9 MB",
        "10 MB",
        "1.0 GB",
    ]
