"""The plain scalars of YAML 1.2: numbers, true, false, null, and texts without quotes.

Dates and `no` are texts, since a study knows neither dates nor a second word for false.
"""

import re

_INTEGER = re.compile(r"(?P<sign>[-+]?)(?:0b(?P<b>[01_]+)|0o(?P<o>[0-7_]+)|0x(?P<x>[0-9a-fA-F_]+)|(?P<d>[0-9][0-9_]*))")
_BASES = {"b": 2, "o": 8, "x": 16, "d": 10}
_NUMBER = re.compile(r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"(?P<sign>[-+]?)\.(?:inf|Inf|INF)")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_SIXTY_FOUR_BITS = range(-(2**63), 2**63)
_LONGEST = 400
"""Digits of a number that Python reads at once; a longer one is beyond every limit or a text by mistake."""


def plain_value(text: str) -> str | int | float | bool | None:
    """What a text without quotes means.

    Raises:
        ValueError: For a number beyond 64 bits, or beyond the largest floating-point number.
    """
    if text in _WORDS:
        return _WORDS[text]
    if match := _INTEGER.fullmatch(text):
        return _integer(text, match)
    if match := _INFINITY.fullmatch(text):
        return float(f"{match['sign']}inf")
    return _float(text) if _NUMBER.fullmatch(text) else text


def _integer(text: str, match: re.Match[str]) -> int | str:
    [(form, digits)] = [(form, match[form]) for form in _BASES if match[form] is not None]
    digits = digits.replace("_", "")
    if not digits:
        return text
    value = int(match["sign"] + digits, _BASES[form]) if len(digits) <= _LONGEST else 2**64
    if value not in _SIXTY_FOUR_BITS:
        raise ValueError(f"{_start(text)} is beyond the whole numbers of 64 bits")
    return value


def _float(text: str) -> float:
    value = float(text.replace("_", ""))
    if abs(value) == float("inf"):
        raise ValueError(f"{_start(text)} is beyond the largest number, 1.8e308")
    return value


def _start(text: str) -> str:
    return text if len(text) <= 30 else f"{text[:27]}..."
