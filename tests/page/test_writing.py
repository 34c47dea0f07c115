import re
from base64 import b64encode
from hashlib import sha256

import pytest

from linstudy.page import writing
from linstudy.page.writing import keep_writing, write_page
from linstudy.spec.errors import LinstudyError
from linstudy.store.workspace import Workspace

LIBRARY = "window.vegaEmbed = 'not drawn in these tests';"


@pytest.fixture(autouse=True)
def _without_library(monkeypatch):
    monkeypatch.setattr(writing, "_library", lambda: LIBRARY)


def test_the_page_loads_nothing_and_runs_its_own_scripts_alone(workspace, tmp_path):
    line = write_page(workspace, tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text()
    assert re.fullmatch(r".*a\.html: 72 runs, 0\.\d MB", line)
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert scripts[0] == LIBRARY
    assert len(scripts) == 2
    hashes = {f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts}
    [policy] = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy.startswith("default-src 'none'; ")
    assert set(policy.split("script-src ")[1].split(";")[0].split(" ")) == hashes
    assert "unsafe-eval" not in policy
    assert not re.search(r"<(link|img|iframe|base)\b", text)
    assert text.count("<script") == 3, "what is named <script> is no element"
    assert "innerHTML" not in scripts[1]


def test_a_page_that_cannot_be_written_is_refused_and_the_old_one_stays(workspace, tmp_path):
    with pytest.raises(LinstudyError, match="is a folder. Name a file in it"):
        write_page(workspace, tmp_path)
    with pytest.raises(LinstudyError, match="there is no folder .* Make it first: mkdir -p"):
        write_page(workspace, tmp_path / "none" / "a.html")
    (tmp_path / "a.html").write_text("old")
    with pytest.raises(LinstudyError, match="--only: Binder Error"):
        write_page(workspace, tmp_path / "a.html", "sede = 0")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.html", "old")]


@pytest.fixture
def study(workspace, tmp_path, monkeypatch):
    """A workspace whose results are published again, and whose study ends, while one sleeps: (published, runs) each."""
    place = Workspace(tmp_path)
    place.results.write_bytes(workspace.results.read_bytes())
    holders = []
    monkeypatch.setattr(Workspace, "holder", lambda self: holders[0] or None)

    def follow(*states):
        left = iter(states)

        def sleep(seconds):
            assert seconds >= 3
            state = next(left)
            if state is KeyboardInterrupt:
                raise KeyboardInterrupt
            changed, holders[:] = state[0], [state[1]]
            if changed:
                place.results.touch()

        holders[:] = [False]
        monkeypatch.setattr(writing.time, "sleep", sleep)
        return keep_writing(place, tmp_path / "a.html", None, 3.0)

    return follow


def reloads(tmp_path):
    return '"every":3.0' in (tmp_path / "a.html").read_text()


def test_the_page_is_written_when_results_change_until_the_study_has_ended(study, tmp_path):
    told = []
    for _ in study((False, True), (True, True), (False, True), (False, False)):
        told.append(reloads(tmp_path))
    assert told == [True, True, False], "at first, once changed, and at the end"


def test_the_page_that_ctrl_c_leaves_is_not_loaded_anew(study, tmp_path):
    lines = study((False, True), KeyboardInterrupt)
    next(lines)
    assert reloads(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        next(lines)
    assert not reloads(tmp_path)


def test_results_that_are_not_there_yet_are_waited_for(study, tmp_path):
    text = (tmp_path / "results.duckdb").read_bytes()
    (tmp_path / "results.duckdb").unlink()
    lines = study((True, True))
    assert "not there yet, waiting for it" in next(lines)
    assert text
