"""What is wrong with a text that is no YAML, in the words of someone who writes a study."""

import re

from ruamel.yaml.error import MarkedYAMLError

_TAB = "a tab stands where only spaces may: indent with spaces"
_COLON = (
    'a ":" cannot stand here. Put a text that holds ": " in quotes, '
    'or else look for a missing ":" or a wrong indent in the line above'
)
_ESCAPE = r"in double quotes a backslash begins an escape, and \{} is none: use single quotes, or \\"
_BEGINNING = "a text that begins with {} needs quotes"
_HERE = (
    (r"found character '\\t'", _TAB),
    (r"found character ['\"](.)['\"]", _BEGINNING),
    (r"mapping values are not allowed here", _COLON),
    (r"expected <block end>, but found '<scalar>'", "a text cannot follow a text in quotes: put all of it in quotes"),
    (r"expected <block end>, but found '([\]},])'", 'no bracket is open that this "{}" could go with'),
    (r"expected <block end>, but found '\?'", "a key cannot follow the entries of a list: check the indent"),
    (r"expected <block end>, but found '-'", "an entry of a list cannot follow keys: check the indent"),
    (r"expected <block end>", "this line is indented unlike those that it belongs to"),
    (r"found unknown escape character '(.)'", _ESCAPE),
    (r"found unknown escape character", _ESCAPE.format("this")),
    (r"sequence entries are not allowed here", 'a list with "-" begins on a line of its own, or is written [a, b]'),
    (r"expected alphabetic or numeric character", _BEGINNING.format("* or &")),
    (r"expected the node content, but found '([^<].*)'", 'a value is missing before this "{}"'),
    (r"expected ',' or '(.)'", 'a comma or "{}" is missing before this'),
)
_AT_START = (
    (r"could not find expected ':'", 'a ":" is missing after this key'),
    (r"found unexpected (?:end of stream|document separator)", "the quote that opens here is not closed"),
)
_WITHIN_BRACKETS = r"expected (?:',' or|the node content)"


def is_unclosed(error: MarkedYAMLError, line: int) -> bool:
    """Whether an error is best told of a bracket, opened in a line counted from 0."""
    problem = error.problem or ""
    is_far = "<stream end>" in problem or (error.problem_mark is not None and error.problem_mark.line > line)
    return is_far and re.match(_WITHIN_BRACKETS, problem) is not None


def explain(error: MarkedYAMLError) -> str:
    """One plain sentence for an error of the YAML library; its own words where there is none."""
    problem = error.problem or error.context or "it cannot be read"
    for pattern, words in _HERE + _AT_START:
        if match := re.match(pattern, problem):
            return words.format(*match.groups())
    return problem.removeprefix("but ")


def begins_at_context(error: MarkedYAMLError) -> bool:
    """Whether the place to look at is where the faulty part begins, not where it was noticed."""
    return any(re.match(pattern, error.problem or "") for pattern, _ in _AT_START)
