"""Times, sizes and counts in words."""


def duration(seconds: float) -> str:
    """A time for people."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s" if seconds < 10 else f"{rest} s"


def rough_time(seconds: float) -> str:
    """A time of about this: nobody needs the seconds of hours."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    if hours >= 10:
        return f"{round(minutes / 60)} h"
    return f"{hours} h {rest:02} min" if hours else f"{minutes} min"


def rough_size(size: float) -> str:
    """Bytes to two figures: 34 MB, 1.2 GB, 17 GB."""
    for unit, power in (("GB", 9), ("MB", 6)):
        if size >= 0.95 * 10**power:
            number = size / 10**power
            return f"{number:.1f} {unit}" if number < 9.95 else f"{number:.0f} {unit}"
    return f"{size / 1000:.0f} kB"


def count(number: int, what: str, several: str = "") -> str:
    """`1 run`, `4,012 runs`; `several` is a plural that does not end like this one."""
    return f"{number:,} {what if number == 1 else several or what + 's'}"
