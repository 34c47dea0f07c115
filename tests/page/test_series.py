"""Thinning, beside a slow reading of the rule."""

import pytest
from hostile import EPOCHS

from linstudy.page import series
from linstudy.page.series import CURVES, POINTS, SPECTRA, choose_points, read_series
from linstudy.store.query import open_published

MOST = 20


@pytest.fixture(scope="module")
def ask(workspace):
    with open_published(workspace.results) as ask:
        yield ask


def curves(ask, most, which="true"):
    places = {run_id: run_id for (run_id,) in ask("SELECT run_id FROM runs").rows}
    found = {}
    for group in read_series(ask, CURVES, places, which, most):
        for run, points, x, values in zip(group["run"], group["points"], group["x"], group["values"], strict=True):
            xs = [int(word) for word in group["xs"][x].split(" ")]
            ys = [float(word) if word else None for word in values.split(" ")]
            found[group["name"], run] = (points, dict(zip(xs, ys, strict=True)))
    return found


def whole(ask, name):
    rows = ask(f"SELECT run_id, epoch, value FROM curves WHERE name = '{name}' ORDER BY epoch").rows
    return {run: {x: value for id_, x, value in rows if id_ == run} for run, *_ in rows}


def kept_by_hand(runs, most):
    """The x that the rule keeps of a setting, from all the curves of its runs."""
    mean = {x: sum(run[x] for run in runs) / len(runs) for x in runs[0]}
    parts = {}
    for x in mean:
        parts.setdefault(int(most / 2 * (x / max(mean)) ** 0.5), []).append(x)
    ends = {x for part in parts.values() for x in (min(part, key=mean.get), max(part, key=mean.get))}
    return ends | {min(mean), max(mean)}


def test_a_long_curve_keeps_what_the_rule_says_and_a_short_one_all(ask):
    found, all_ = curves(ask, MOST), whole(ask, "loss")
    long = [run for run in all_ if max(all_[run]) == 300]
    kept = kept_by_hand([all_[run] for run in long], MOST)
    assert len(long) == 2
    assert 77 in kept, "the peak"
    assert len(kept) <= MOST + 2
    for run, curve in all_.items():
        points, drawn = found["loss", run]
        assert points == (301 if run in long else EPOCHS + 1), "of its setting"
        assert set(drawn) == (kept if run in long else set(curve))
        assert drawn == pytest.approx({x: curve[x] for x in drawn}, rel=1e-4)


def test_what_a_condition_leaves_out_changes_no_point_of_the_others(ask):
    some = curves(ask, MOST, "run_id LIKE '%0'")
    assert some == {key: value for key, value in curves(ask, MOST).items() if key[1].endswith("0")}
    assert some


def test_a_number_that_was_not_finite_is_nothing(ask):
    accuracies = [drawn for (name, _), (_, drawn) in curves(ask, 400).items() if name == "accuracy"]
    assert {drawn[3] for drawn in accuracies if len(drawn) > 3} == {None}


def test_numbers_above_one_keep_all_of_their_digits(ask):
    [(_, drawn)] = [
        value for (name, run), value in curves(ask, 400).items() if (name, run[:8]) == ("loss", "00000005")
    ][:1]
    assert drawn[0] == 10.5


def test_spectra_are_told_apart_by_their_epoch(ask):
    places = {run_id: place for place, (run_id,) in enumerate(ask("SELECT run_id FROM runs ORDER BY 1").rows)}
    [group] = read_series(ask, SPECTRA, places, "true", 2000)
    assert (group["name"], set(group["at_epoch"]), set(group["points"])) == ("eigenvalues", {-1}, {20})
    assert len(group["xs"]) == 1, "all share their x"


def test_as_many_points_are_chosen_as_have_room(ask, monkeypatch):
    assert choose_points(ask, "true") == POINTS[0]
    # 7 short curves of 13 and the beginning of one, twice; two of 301 in one setting, twice; 63 spectra of 20
    short, long = 2 * 13 * 5 + 6 + 63 * 20, 4 * 301
    monkeypatch.setattr(series, "MOST_NUMBERS", short + long)
    assert choose_points(ask, "true") == POINTS[0]
    monkeypatch.setattr(series, "MOST_NUMBERS", short + long - 1)
    assert choose_points(ask, "true") == 120, "x of their own count too: 6 times 180 is more than 4 times 301"
    monkeypatch.setattr(series, "MOST_NUMBERS", 0)
    assert choose_points(ask, "true") == POINTS[-1]
