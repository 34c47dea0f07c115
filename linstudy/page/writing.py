"""A page as one file of HTML, written once, or anew while a study runs."""

import functools
import json
import time
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from string import Template

from linstudy.page.contents import Contents, read_contents
from linstudy.store.files import output
from linstudy.store.workspace import Workspace

PAGE = "page.html"
"""In a workspace, unless another file is named."""

PROGRAM = ("data", "sql", "elements", "state", "filters", "table", "run", "chart", "charts", "main")
"""The page's own JavaScript, one file after the other."""

SHARE = 4
"""A page that took a second to write is written anew after four at the earliest."""


def write_page(workspace: Workspace, out: Path, condition: str | None = None, every: float | None = None) -> str:
    """Write the page of a workspace's runs, all of it or nothing; a line about it.

    Args:
        condition: SQL over the columns of `runs`: which runs; without one, all.
        every: The page loads itself anew after so many seconds.

    Raises:
        LinstudyError: As `read_contents`; if the file cannot be written.
    """
    with output(out, PAGE) as stream:
        contents = read_contents(workspace, condition)
        size = stream.write(render({**contents, "every": every}).encode())
    return f"{out}: {contents['runs']:,} runs, {size / 1e6:.1f} MB{_thinned(contents)}"


def keep_writing(workspace: Workspace, out: Path, condition: str | None, every: float) -> Iterator[str]:
    """Write the page whenever the results have changed, until the study that runs has ended; a line for each time.

    Where no study runs yet, one is waited for. The last page, also that which Ctrl-C leaves, is not loaded anew.
    """
    ran, written = False, None
    if not workspace.results.exists():
        yield f"{workspace.results}: not there yet, waiting for it"
    try:
        while not ran or workspace.holder():
            ran = ran or workspace.holder() is not None
            begun = time.monotonic()
            if (now := _changed(workspace.results)) != written:
                yield write_page(workspace, out, condition, every)
            written = now
            time.sleep(max(every, SHARE * (time.monotonic() - begun)))
    except (KeyboardInterrupt, GeneratorExit):
        if written:
            write_page(workspace, out, condition)
        raise
    yield write_page(workspace, out, condition)


def _changed(results: Path) -> int | None:
    """When the results were published; None if they are not yet."""
    return results.stat().st_mtime_ns if results.exists() else None


def render(contents: Contents) -> str:
    """The page as one text. Its policy lets nothing run but its own two scripts, and nothing be loaded."""
    library, program = _library(), "\n".join(_read(f"js/{name}.js") for name in PROGRAM)
    hashes = " ".join(f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in (library, program))
    return Template(_read("page.html")).substitute(
        policy=f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:",
        style=_read("page.css", "linstudy.report") + _read("runs.css"),
        data=_data(contents),
        library=library,
        program=program,
    )


def _read(name: str, package: str = "linstudy.page") -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")


def _data(contents: Contents) -> str:
    """JSON in which no tag can begin or end."""
    text = json.dumps(contents, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


@functools.cache
def _library() -> str:
    """Vega-Embed with Vega and Vega-Lite in it, as one script."""
    from vl_convert import javascript_bundle

    return javascript_bundle("window.vegaEmbed = vegaEmbed;")


def _thinned(contents: Contents) -> str:
    groups = [*contents["curves"], *contents["spectra"]]
    longest = max((points for group in groups for points in group["points"]), default=0)
    most = contents["most"]
    return f"; curves and spectra have at most {most:,} of up to {longest:,} points" if longest > most else ""
