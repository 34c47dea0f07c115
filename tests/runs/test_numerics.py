"""The numbers and the defaults of each kind of run are those of its version in `NUMERICS`.

Stored runs are found by an id that has the version in it: if numbers change and the version does not, old and new ones
are taken for each other.
"""

import hashlib
import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from pydantic import BaseModel

from linstudy.metrics import LABEL_RESIDUAL, LABEL_ROTATION, METRICS, RESIDUALS
from linstudy.plan import NUMERICS
from linstudy.spec.run import RunSpec
from linstudy.spec.spectrum import ALL_KEPT, DEFAULT_TOP
from linstudy.spec.train import Train
from linstudy.spec.vocabulary import kinds_of

pytestmark = pytest.mark.product_settings

PINNED = Path(__file__).with_name("numerics.json")
TOLERANCE = 1e-4
"""Relative. Parameters are drawn in float32, so they may move by 1e-7 between versions of JAX; all else is float64."""

ROUNDING = (RESIDUALS, LABEL_RESIDUAL, LABEL_ROTATION)
"""Metrics that are rounding alone in float64."""

DIGITS = """
study: digits
data: {kind: digits, train: 24, test: 8}
model: {kind: mlp, hidden: [6], activation: gelu}
task: {kind: eigenfunction, index: 2}
train: {epochs: 2, batch_size: 8, precision: float64}
spectrum: {precision: float64}
probes:
  - {kind: alignment, top: 3, at: [start, end]}
  - {kind: energy_concentration, top: 4, at: [end]}
  - {kind: spectrum_summary, at: [end]}
  - {kind: rkhs_norm, cutoff: 1.0e-2, at: [end]}
sweep: {train.linearize: [null, {}]}
"""
DRAWS = """
study: draws
data: {kind: gaussian, shape: [5], train: 16, test: 8}
model: {kind: mlp, hidden: [6], activation: gelu}
task: {kind: nad, index: 1}
train: {epochs: 1, batch_size: 8, optimizer: {kind: adam}, precision: float64}
spectrum: {precision: float64}
probes: [{kind: alignment, top: 3, at: [start]}]
"""


def summary(value):
    """A scalar, or the first entries and the norm of a vector: its last entries are mostly rounding."""
    return [float(entry) for entry in ([*value[:3], np.linalg.norm(value)] if np.ndim(value) else [value])]


def numbers(study, found, kind):
    """What the runs of a kind measured, by study, run, metric, split and epoch."""
    return {
        f"{study} {position} {metric.name}{label} {split or '-'} {'-' if epoch is None else epoch}": summary(value)
        for position, run_id in enumerate(found.of(kind))
        for metric in METRICS.values()
        if metric not in ROUNDING
        for label in ("", "1", "2")
        for split in ("", "train", "test", "train_running")
        for epoch, value in found.values(run_id, metric, split, label).items()
    }


def specs_of(annotation):
    """The spec classes in an annotation, and in theirs."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from specs_of(field.annotation)
    for argument in get_args(annotation):
        yield from specs_of(argument)


def defaults(kind):
    """A hash of the defaults of each spec class that a run of a kind is made of."""
    [root] = [spec for spec in get_args(get_args(RunSpec)[0]) if kind in kinds_of(spec)]
    constants = {"constants": digest([DEFAULT_TOP, ALL_KEPT])} if kind == "spectrum" else {}
    return {spec.__name__: digest(written(spec)) for spec in specs_of(root)} | constants


def written(spec):
    return {name: repr(field.default) for name, field in spec.model_fields.items()}


def digest(content):
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:8]


def differences(pinned, found):
    """The pinned names whose values are not the same up to the tolerance; what is new changes nothing."""
    return [name for name in pinned if not _alike(pinned[name], found.get(name))]


def _alike(one, other):
    if not isinstance(one, list) or not isinstance(other, list):
        return one == other
    return len(one) == len(other) and np.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE**2)


def check(kind, part, found):
    """Fail with what to do where something is not what is pinned for the version of a kind."""
    name = f"{kind} {NUMERICS[kind]}"
    pinned = json.loads(PINNED.read_text()).get(name, {}).get(part)
    text = json.dumps(found, indent=2)
    if pinned is None:
        pytest.fail(f'no {part} are pinned for "{name}". Write them into {PINNED.name} as "{name}": "{part}":\n{text}')
    if changed := differences(pinned, found):
        pytest.fail(
            f"the {part} of {kind} runs are no longer those of version {NUMERICS[kind]}: {', '.join(changed)}. "
            f"If that is meant, add 1 to {kind} in NUMERICS of linstudy/plan.py, so that stored runs are run anew, "
            f'and write into {PINNED.name}, in the place of "{name}", these as "{part}":\n{text}'
        )


@pytest.mark.parametrize("kind", NUMERICS)
def test_the_defaults_of_a_kind_are_those_of_its_version(kind):
    check(kind, "defaults", defaults(kind))


def test_the_numbers_of_every_kind_are_those_of_its_version(told):
    digits, draws = told(DIGITS), told(DRAWS)
    for kind in NUMERICS:
        check(kind, "numbers", numbers("digits", digits, kind) | numbers("draws", draws, kind))


def test_only_the_versions_of_today_are_pinned():
    assert set(json.loads(PINNED.read_text())) == {f"{kind} {version}" for kind, version in NUMERICS.items()}


def test_a_change_is_seen_and_rounding_is_not():
    pinned = {"loss": [0.5], "alpha": [3.0, 2.0, 1.0]}
    assert differences(pinned, {"loss": [0.5 * (1 + 1e-6)], "alpha": [3.0, 2.0, 1.0]}) == []
    assert differences(pinned, {"loss": [0.5 * (1 + 1e-3)], "alpha": [3.0, 2.0, 1.0]}) == ["loss"]
    assert differences(pinned, {"loss": [0.5], "alpha": [3.0, 2.0]}) == ["alpha"]
    assert differences(pinned, {"loss": [0.5]}) == ["alpha"]
    assert differences({"loss": [0.5]}, pinned) == []


@pytest.mark.parametrize("part", ["defaults", "numbers"])
def test_what_to_do_is_said(monkeypatch, part):
    with pytest.raises(
        pytest.fail.Exception, match=r"If that is meant, add 1 to nads in NUMERICS of linstudy/plan\.py"
    ):
        check("nads", part, {"NadsRun": "other"})
    monkeypatch.setitem(NUMERICS, "nads", 1000)
    with pytest.raises(pytest.fail.Exception, match='no .* are pinned for "nads 1000"'):
        check("nads", part, {"NadsRun": "other"})


def test_a_changed_default_is_seen(monkeypatch):
    before = defaults("training")
    monkeypatch.setattr(Train.model_fields["batch_size"], "default", 64)
    assert differences(before, defaults("training")) == ["Train"]
    assert differences(defaults("nads"), defaults("nads")) == []
