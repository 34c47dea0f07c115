"""Times and ratios of the parts, taken in one run, in turn and warmed up: `just bench`. Nothing is asserted.

The table goes to standard output, part by part, and with --write NAME to reports/benchmarks/NAME.md too.
"""

import contextlib
import functools
import gc
import shlex
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import accuracy
import click
import convolutions
import distribution
import full
import function_space
import grams
import jax
import machine
import probes
import projection
import runner
import spectra
import start_up
import store
import training
from settings import Settings, memory_of_peers
from table import Line, Section
from torch_client import TorchServer

from linstudy.runs.precision import precision

REPORTS = Path(__file__).parents[2] / "reports" / "benchmarks"

PARTS: dict[str, Callable[[Settings], Section]] = {
    "grams": grams.section,
    "accuracy": accuracy.section,
    "steps": training.step_section,
    "convolutions": convolutions.section,
    "linear": function_space.section,
    "fused": training.fused_section,
    "nads": spectra.nads_section,
    "spectrum": spectra.spectrum_section,
    "probes": probes.section,
    "store": store.section,
    "runner": runner.section,
    "start": start_up.section,
    "workers": distribution.section,
    "projection": projection.section,
}
SMOKE = "A smoke test: sizes are tiny, an MLP may stand for another network, and the times mean nothing.\n\n"

ON_ACCELERATORS = "projection"
"""A part that is left out on CPUs unless it is named."""


@click.command(help=__doc__)
@click.argument("parts", nargs=-1, type=click.Choice([*PARTS, "full"]))
@click.option("--repeats", default=5, show_default=True, help="Timings of each candidate.")
@click.option("--quick", is_flag=True, help="Leave out what takes minutes.")
@click.option("--smoke", is_flag=True, help="Tiny sizes, to see that everything runs; the times mean nothing.")
@click.option("--torch", envvar="LINSTUDY_TORCH_PYTHON", help="Python of the torch environment (README).")
@click.option("--memory", type=float, help="GiB that a peer may hold.  [default: half of the device's]")
@click.option("--budget", type=float, help="GiB of features held by our Grams.  [default: the library's]")
@click.option("--full", "with_full", is_flag=True, help="The 60,000² Gram of LeNet too.")
@click.option("--full-out", type=click.Choice(["memory", "file"]), default="memory", show_default=True)
@click.option("--full-folder", type=click.Path(path_type=Path, file_okay=False, exists=True), help="Where its file is.")
@click.option("--write", "name", metavar="NAME", help="Write reports/benchmarks/NAME.md too.")
def main(
    parts: tuple[str, ...],
    repeats: int,
    quick: bool,
    smoke: bool,
    torch: str | None,
    memory: float | None,
    budget: float | None,
    with_full: bool,
    full_out: str,
    full_folder: Path | None,
    name: str | None,
) -> None:
    gc.freeze()  # each warm-up is followed by a collection, which need not look at all that was imported
    with contextlib.ExitStack() as stack:
        server = TorchServer(torch) if torch else None
        if server is not None:
            stack.callback(server.close)
        stack.enter_context(precision("float32"))
        held = memory_of_peers() if memory is None else int(memory * 2**30)
        settings = Settings(repeats, smoke, quick, held, None if budget is None else int(budget * 2**30), server)
        report = Report(None if name is None else REPORTS / f"{name}.md")
        report.add(f"# Benchmark\n\n{SMOKE if smoke else ''}{machine.description(_command(), server)}")
        table = {**PARTS, "full": functools.partial(full.section, out=full_out, folder=full_folder)}
        for part in _chosen(parts, with_full):
            report.add(str(_section(part, table[part], settings)))
            if not smoke:  # programs of the next parts are others, and hold memory
                jax.clear_caches()


class Report:
    """What has been told so far, on standard output and in a file."""

    def __init__(self, path: Path | None):
        self._path, self._told = path, ""

    def add(self, text: str) -> None:
        """Tell more."""
        print(text, flush=True)
        self._told += f"{text}\n"
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(self._told.rstrip() + "\n", encoding="utf-8")


def _chosen(parts: Sequence[str], with_full: bool) -> list[str]:
    every = [part for part in PARTS if part != ON_ACCELERATORS or jax.default_backend() != "cpu"]
    chosen = [*(parts or every), *(["full"] if with_full else [])]
    return list(dict.fromkeys(chosen))


def _section(part: str, make: Callable[[Settings], Section], settings: Settings) -> Section:
    """A part; one that fails says why."""
    start = time.perf_counter()
    try:
        section = make(settings)
    except Exception as error:
        traceback.print_exc()
        remark = f"failed: {type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
        section = Section(part, "This part failed.", [Line(part, "", remark=remark)])
    print(f"{part}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return section


def _command() -> str:
    """The command without paths of this machine."""
    hidden, words = ("--torch", "--full-folder"), sys.argv[1:]
    shown = ["PATH" if before in hidden else word for before, word in zip(["", *words], words, strict=False)]
    shown = [f"{word.split('=')[0]}=PATH" if word.startswith(hidden) and "=" in word else word for word in shown]
    return shlex.join(["just", "bench", *shown])


if __name__ == "__main__":
    main()
