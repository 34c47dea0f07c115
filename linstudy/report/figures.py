"""The table of drawings, and a drawing as files."""

from collections.abc import Callable, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb

import matplotlib
from matplotlib.figure import Figure

from linstudy import __version__
from linstudy.report import energy_concentration, images, kernel_rotation, lines
from linstudy.report.freshness import Mark
from linstudy.report.question import Origin, Question, Rows, open_results, origin, read_question
from linstudy.report.style import STYLE
from linstudy.spec.errors import LinstudyError
from linstudy.store.query import data_version

Drawing = Callable[[Rows, Mapping[str, str]], Figure]
"""Makes a figure of rows, each with its setting, and the notes of the query that gave them."""

DRAWINGS: dict[str, Drawing] = {
    "energy_concentration": energy_concentration.draw,
    "images": images.draw,
    "kernel_rotation": kernel_rotation.draw,
    "lines": lines.draw,
}


def draw(name: str, results: Path, reports: Path, out: Path) -> Path:
    """Draw one figure into a folder, as PNG and PDF; the path of the PNG.

    Raises:
        LinstudyError: If there is no such figure, or no rows for it; as `draw_rows`.
    """
    question = read_question(reports / "figures" / f"{name}.sql")
    mark = Mark(data_version(results), results.name)
    with open_results(results) as ask_of:
        ask = ask_of(question)
        if not (rows := question.rows(ask)):
            raise LinstudyError(f"figure {name}: no rows yet in {results}. Run: {question.command}")
        return draw_rows(question, rows, out, mark, origin(rows, ask))


def draw_rows(question: Question, rows: Rows, out: Path, mark: Mark, behind: Origin) -> Path:
    """Draw rows that are there; the files say what they were made of.

    Raises:
        LinstudyError: If there is no drawing for the question, or it fails: whatever a drawing raises.
    """
    drawing = _drawing(question)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{question.name}.png"
    try:
        with matplotlib.rc_context(STYLE):
            figure = drawing(rows, question.notes)
            figure.draw_without_rendering()
            figure.set_layout_engine("none")  # it is laid out, and would be anew at each saving
            figure.savefig(path, metadata=_png_metadata(question, mark, behind))
            figure.savefig(path.with_suffix(".pdf"), metadata=_pdf_metadata(question, mark, behind))
    except Exception as error:
        last = extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}, line {last.lineno}"
        raise LinstudyError(
            f"figure {question.name}: its drawing failed with {type(error).__name__}: {error} ({where})"
        ) from error
    return path


def _png_metadata(question: Question, mark: Mark, behind: Origin) -> dict[str, str]:
    """The mark first, where `read_mark` looks for it."""
    return {
        "Comment": str(mark),
        "Title": question.title,
        "Software": f"linstudy {__version__}",
        "Data version": mark.data,
        "Query": question.sql,
        "Runs": " ".join(behind.runs),
    }


def _pdf_metadata(question: Question, mark: Mark, behind: Origin) -> dict[str, str]:
    """The same under the names that PDF has."""
    return {
        "Title": question.title,
        "Creator": f"linstudy {__version__}",
        "Subject": question.sql,
        "Keywords": f"{mark} Runs: {' '.join(behind.runs)}",
    }


def _drawing(question: Question) -> Drawing:
    """The drawing that the note `drawing` names, its own name unless said: in a module beside its SQL, else ours."""
    name = question.notes.get("drawing", question.name)
    own = question.path.with_name(f"{name}.py")
    if own.is_file():
        return _own(own)
    if name not in DRAWINGS:
        raise LinstudyError(
            f'figure {question.name}: there is no drawing "{name}". Write {own} with draw(rows, notes), '
            f'or a line "-- drawing: NAME" at the top of {question.path.name}. Allowed: {", ".join(DRAWINGS)}'
        )
    return DRAWINGS[name]


def _own(path: Path) -> Drawing:
    """`draw` of a user's module."""
    spec = spec_from_file_location(f"linstudy_drawing_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise LinstudyError(f"{path}: it cannot be imported")
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise LinstudyError(f"{path}: {type(error).__name__}: {error}") from error
    if not callable(getattr(module, "draw", None)):
        raise LinstudyError(f"{path}: it has no function draw(rows, notes) that returns a matplotlib Figure")
    return module.draw
