"""A workspace made by hand, with hostile names in it, and a browser."""

import pytest
from browser import CHROMIUM, Browser
from hostile import EVIL, LONG, MANY, losses, spectrum, training

from linstudy import metrics
from linstudy.facts import Ending, Number, Report, Vector
from linstudy.store.ledger import Ledger
from linstudy.store.rows import StudyRow
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace


@pytest.fixture(scope="session")
def workspace(tmp_path_factory):
    """Trainings of three settings of two seeds, one of which is 300 epochs long; failures; many spectra."""
    place = Workspace(tmp_path_factory.mktemp("workspace"))
    done = [training(seed, index) for index in (2, 5) for seed in (0, 1)]
    done += [training(seed, 77, LONG) for seed in (0, 1)]
    failed, running, planned = training(2, 2), training(3, 2), training(4, 2)
    spectra = [spectrum(seed) for seed in range(MANY)]
    place.logs.mkdir(parents=True)
    (place.logs / "failed-1.log").write_text(f"{'x' * 5000}{EVIL}")
    (place.root / "secret.log").write_text("SECRET")
    with Ledger.open(place) as ledger:
        ledger.register(StudyRow("evil", EVIL, EVIL, "study: evil\n"), [*done, failed, running, planned])
        ledger.register(StudyRow("many", "", "Many spectra", "study: many\n"), spectra)
        for run in done:
            ledger.record(Report(ledger.begin(run.run_id, {"host": EVIL}), (*losses(run), Ending("done"))))
        first = ledger.begin(failed.run_id, {"log": ".linstudy/logs/../../secret.log"})
        ledger.record(Report(first, (Ending("interrupted"),)))
        second = ledger.begin(failed.run_id, {"log": ".linstudy/logs/failed-1.log"})
        ledger.record(Report(second, (*losses(failed), Ending("failed", EVIL, f"Traceback {EVIL}"))))
        ledger.record(Report(ledger.begin(running.run_id, {}), tuple(losses(running))[:6]))
        for number, run in enumerate(spectra):
            values = [float((number + 1) * 10.0 ** (-j / 4)) for j in range(20)]
            facts = (Vector(metrics.EIGENVALUES, values), Number(metrics.TRACE, sum(values)), Ending("done"))
            ledger.record(Report(ledger.begin(run.run_id, {}), facts))
        ledger.flush()
        publish(ledger, place.results)
    return place


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("there is no Chromium to open pages with: apt-get install chromium")
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()
