"""The table of drawings, and a drawing as files."""

from collections.abc import Callable
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from linstudy.report import energy_concentration, kernel_rotation
from linstudy.report.question import Question, Rows, open_results, read_question
from linstudy.report.style import STYLE
from linstudy.spec.errors import LinstudyError

DRAWINGS: dict[str, Callable[[Rows], Figure]] = {
    "kernel_rotation": kernel_rotation.draw,
    "energy_concentration": energy_concentration.draw,
}


def draw(name: str, results: Path, reports: Path, out: Path) -> Path:
    """Draw one figure into a folder, as PNG and PDF; the path of the PNG.

    Raises:
        LinstudyError: If there is no such figure, or no rows for it.
    """
    question = read_question(reports / "figures" / f"{name}.sql")
    with open_results(results) as ask_of:
        rows = question.rows(ask_of(question))
    if not rows:
        raise LinstudyError(f"figure {name}: no rows yet in {results}. Run: {question.command}")
    return draw_rows(question, rows, out)


def draw_rows(question: Question, rows: Rows, out: Path) -> Path:
    """Draw rows that are there.

    Raises:
        LinstudyError: If there is no drawing for the question.
    """
    if question.name not in DRAWINGS:
        raise LinstudyError(
            f"figure {question.name}: no drawing has this name. Allowed: {', '.join(DRAWINGS)}; "
            "a new one is a module in linstudy/report and a line in DRAWINGS"
        )
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{question.name}.png"
    with matplotlib.rc_context(STYLE):
        figure = DRAWINGS[question.name](rows)
        figure.savefig(path)
        figure.savefig(path.with_suffix(".pdf"))
    return path
