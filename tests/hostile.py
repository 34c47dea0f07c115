"""Runs, made by hand, whose names are markup, quotes and templates."""

import math

from linstudy import metrics
from linstudy.facts import Number
from linstudy.store.rows import RunRow

EVIL = "</script><script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'>\"'&{most}$data"
"""What nobody may take for HTML, SQL or a template."""

EPOCHS, LONG = 12, 300
MANY = 63
"""Spectra of one setting each: more than a chart draws lines."""


def training(seed, index, epochs=EPOCHS):
    spec = {
        "kind": "training",
        "data": {"kind": "digits", "seed": 0, "train": 2**60 + 1},
        "model": {"kind": "import", "factory": f"{EVIL}{index}", "arguments": {EVIL: EVIL, "width": 8}},
        "task": {"kind": "eigenfunction", "index": index},
        "train": {"epochs": epochs, "linearize": None},
        "seed": seed,
    }
    return RunRow(f"{index:08x}{epochs:04x}000{seed}", "training", spec, (), "", f"{index:016x}")


def spectrum(seed):
    spec = {"kind": "spectrum", "data": {"kind": "digits", "seed": seed}, "model": {"kind": "mlp"}, "seed": 0}
    return RunRow(f"abc{seed:013x}", "spectrum", spec, (), "", f"def{seed:013x}")


def losses(run):
    """Curves that fall from above 10, each with a peak at an epoch of its own setting, and 0 at the end."""
    spec = run.spec
    last, index, seed = spec["train"]["epochs"], spec["task"]["index"], spec["seed"]
    for epoch in range(last + 1):
        value = 0.0 if epoch == last else 10.5 * math.exp(-epoch / 5) + seed / 8 + (7 if epoch == index else 0)
        yield Number(metrics.LOSS, value, "train", epoch, 10 * epoch)
        yield Number(metrics.ACCURACY, math.nan if epoch == 3 else 0.75 + index / 100 + seed / 16, "test", epoch, epoch)
