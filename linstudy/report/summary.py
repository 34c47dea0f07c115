"""What claims say: the verdict of rows, and all claims by data and model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from linstudy.report.document import Cell, Paragraph, Section, Table, Tone
from linstudy.report.question import Rows

ANCHOR = "summary"

HOLDS, FAILS, OPEN = "holds", "fails", "not enough data"

_LEGEND = (
    "A cell is about the settings of one model on one data set: the claim holds in all of them, fails in all, or holds "
    "in some. *Not enough data*: there are runs, and too few, or the interval over their seeds decides neither. "
    "*1 seed*: there is no interval, and the one decides. –: there are no runs. A setting is a run without its seed: "
    "everything else that can change a number. Each cell leads to the claim's rows and their query."
)


class Claim(NamedTuple):
    """A claim, where its section is, and the rows that decide it."""

    name: str
    statement: str
    anchor: str
    rows: Rows


def verdict(rows: Rows) -> str:
    """What the rows' column `holds` says: in all settings, in none, in some, or nothing yet."""
    if not rows:
        return "no runs yet"
    counts = {words: count for words, count in _counts(rows).items() if count}
    (first, count), *others = counts.items()
    if not others and first == OPEN or len(rows) == 1:
        return first
    if not others:
        return f"{first} in all {count} settings"
    return ", ".join([f"{first} in {count} of {len(rows)} settings", *(f"{words} in {n}" for words, n in others)])


def word(holds: Any) -> str:
    """A row's verdict: its column `holds` is NULL where nothing decides."""
    return OPEN if holds is None else HOLDS if holds else FAILS


def tone(rows: Rows) -> Tone:
    """The verdict of rows as a colour."""
    counts = _counts(rows)
    if counts[HOLDS] and counts[FAILS]:
        return "mixed"
    return "good" if counts[HOLDS] else "bad" if counts[FAILS] else "open"


def _counts(rows: Rows) -> dict[str, int]:
    found = [word(row["holds"]) for row in rows]
    return {words: found.count(words) for words in (HOLDS, FAILS, OPEN)}


def summarize(claims: Sequence[Claim]) -> Section:
    """A row for each claim, a column for each model on each data set."""
    places = dict.fromkeys(place for claim in claims for place in map(_place, claim.rows))
    by_data = sorted(places, key=lambda place: [data for data, _ in places].index(place[0]))
    columns = (Cell("claim"), *(Cell(model, note=data) for data, model in by_data))
    rows = tuple((_named(claim), *(_cell(claim, place) for place in by_data)) for claim in claims)
    return Section("Claims by data and model", (Table(columns, rows), Paragraph(_LEGEND)), ANCHOR)


def _named(claim: Claim) -> Cell:
    return Cell(claim.name, note=claim.statement, anchor=claim.anchor)


def _cell(claim: Claim, place: tuple[str, str]) -> Cell:
    rows = [row for row in claim.rows if _place(row) == place]
    if not rows:
        return Cell("–")
    found, counts = tone(rows), _counts(rows)
    words = {"good": HOLDS, "bad": FAILS, "open": OPEN}.get(found, f"{HOLDS} in {counts[HOLDS]} of {len(rows)}")
    notes = [f"{len(rows)} settings"] if len(rows) > 1 else []
    if counts[OPEN] and found != "open":
        notes.append(f"{counts[OPEN]} without a verdict")
    if {row["seeds"] for row in rows if row["holds"] is not None} == {1}:
        notes.append("1 seed")
    return Cell(words, ", ".join(notes), claim.anchor, tone=found)


def _place(row: dict[str, Any]) -> tuple[str, str]:
    return data_name(row["setting"]), model_name(row["setting"])


def data_name(fields: dict[str, Any]) -> str:
    """The kind of the data, with the name of their folder or file where they have one."""
    path = fields.get("data_path")
    return " ".join(filter(None, (fields["data_kind"] or "no data", Path(path).name if path else "")))


def model_name(fields: dict[str, Any]) -> str:
    """The kind of the model, with its width where it has one, or who makes it."""
    width, factory = fields.get("model_width"), fields.get("model_factory")
    words = (fields["model_kind"] or "no model", f"width {width}" if width else "", factory or "")
    return " ".join(filter(None, words))
