import errno
import fcntl
import importlib.util
import re
from pathlib import Path

import duckdb
import pytest

from linstudy import __version__
from linstudy.describe import doctor
from linstudy.describe.doctor import Finding, diagnose
from linstudy.store.database import SCHEMA_VERSION as NOW
from linstudy.store.ledger import Ledger
from linstudy.store.workspace import Workspace
from linstudy.tangent import load_neural_tangents


@pytest.fixture
def findings(tmp_path, monkeypatch):
    """A function that diagnoses a workspace, without JAX."""
    monkeypatch.setattr(doctor, "_devices", lambda: "devices")
    monkeypatch.setattr(doctor, "_gradient", lambda: "gradient")

    def absent():
        raise ImportError("neural-tangents is not installed")

    monkeypatch.setattr(doctor, "_neural_tangents", absent)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    def find(workspace=tmp_path, data_folder=None, reports=tmp_path):
        return [str(finding) for finding in diagnose(workspace, data_folder, reports)]

    return find


def test_each_finding_begins_with_its_verdict():
    assert [str(Finding("a", fine)) for fine in (True, False, None)] == ["ok  a", "NO  a", "--  a"]


def test_versions_and_folders_are_told(findings, tmp_path):
    told = findings(data_folder=tmp_path)
    assert told[0].startswith(f"ok  linstudy {__version__}, ")
    assert told[1].startswith("ok  Python 3.")
    assert re.match(r"ok  jax \S+  jaxlib \S+  .*  filelock \S+", told[2])
    assert f"ok  the workspace {tmp_path} can be written to, synced and locked" in told
    assert any(line.startswith(f"ok  the data folder is {tmp_path}") for line in told)
    assert f"ok  the reports folder is {tmp_path}" in told


def test_a_package_that_is_missing_is_wrong(findings, monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("numpy", "no-such-package"))
    assert findings()[2].startswith(
        "NO  not installed: no-such-package. Install linstudy again with pip; there are numpy "
    )


def test_what_the_environment_changes_is_told(findings, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--any")
    [line] = [line for line in findings() if line.startswith("ok  the environment sets ")]
    assert " XLA_FLAGS=--any" in line


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (None, f"ok  {{}} does not exist yet; `linstudy run` makes it, with schema version {NOW}"),
        (NOW, f"ok  {{}} has schema version {NOW}"),
        (NOW - 1, f"ok  {{}} has schema version {NOW - 1}; the next `linstudy run` makes it {NOW}"),
        (
            NOW + 1,
            f"NO  {{}} has schema version {NOW + 1}; this linstudy reads and writes version {NOW}. "
            "Install the linstudy that wrote it, or choose another folder with --workspace",
        ),
    ],
)
def test_the_version_of_the_results_is_told(findings, tmp_path, version, words):
    results = tmp_path / "results.duckdb"
    if version is not None:
        with duckdb.connect(str(results)) as connection:
            connection.execute(
                f"CREATE TABLE ledger_version AS SELECT 'linstudy' AS program, {version} AS schema_version"
            )
    assert words.format(results) in findings()


def test_without_neural_tangents_it_is_said_what_is_missing(monkeypatch):
    monkeypatch.setattr("linstudy.tangent.neural_tangents_adapter.importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("linstudy.tangent.load_neural_tangents", load_neural_tangents.__wrapped__)  # it remembers
    doctor_finds = doctor._check(doctor._neural_tangents, otherwise=None)
    assert str(doctor_finds).startswith("--  neural-tangents is not installed. Install it with `pip install --no-deps")
    assert str(doctor_finds).endswith(f" {doctor._WITHOUT_NEURAL_TANGENTS}")


def test_what_is_optional_and_absent_is_neither_fine_nor_wrong(findings, tmp_path):
    told = findings(reports=tmp_path / "none")
    assert "--  neural-tangents is not installed" in told
    assert any(line.startswith("--  there is no reports folder") for line in told)
    assert all(line.startswith("-- ") for line in told if "downloaded when first used" in line)
    assert not any(line.startswith("NO") for line in told)


def test_a_workspace_that_run_would_make_is_fine_and_stays_unmade(findings, tmp_path):
    new = tmp_path / "a" / "b"
    assert f"ok  the workspace {new}, which `linstudy run` makes, can be written to, synced and locked" in findings(new)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_named(findings, tmp_path):
    (tmp_path / ".linstudy").write_text("")
    assert f"NO  {tmp_path / '.linstudy'} is no folder, where one belongs. Move it elsewhere" in findings()


def test_a_file_system_without_locks_is_named(findings, monkeypatch):
    def flock(file, how):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    [line] = [line for line in findings() if line.startswith("NO")]
    assert "cannot be locked (Function not implemented): its file system has no locks" in line
    assert line.endswith("or one on a local disk for the ledger: linstudy run --ledger DIR")


def test_a_ledger_elsewhere_is_told(findings, tmp_path):
    workspace = Workspace(tmp_path / "w", tmp_path / "local")
    assert not any("the ledger " in line for line in findings(workspace.root))
    with workspace.lock():
        ledger = Ledger.open(workspace)
        assert [line for line in findings(workspace.root) if line.startswith("ok  the ledger lies on ")]
    ledger._connection.close()
    [file] = workspace.working.iterdir()
    file.unlink()
    [line] = [line for line in findings(workspace.root) if line.startswith("NO")]
    assert line.startswith("NO  the ledger of the last run is not here: it lies on ")


def test_a_missing_data_folder_is_wrong(findings, tmp_path):
    assert f"NO  the data folder {tmp_path / 'none'} does not exist. Make it, or name another with --data" in findings(
        data_folder=tmp_path / "none"
    )


def test_a_folder_that_cannot_be_written_to_is_wrong(findings):
    [line] = [line for line in findings(Path("/proc")) if line.startswith("NO")]
    assert "the folder /proc cannot be written to" in line


def test_without_distributed_it_is_said_what_needs_it(findings, monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "distributed" else "1")
    assert "--  distributed is not installed. `run --dask` alone needs it: pip install 'linstudy[dask]'" in findings()
    monkeypatch.setattr(doctor, "_version", lambda name: "1")
    assert "ok  distributed 1 is installed, for `run --dask`" in findings()


@pytest.mark.parametrize(("memory", "sign"), [(None, "ok"), (2**29, "ok"), (2**28, "NO")])
def test_less_memory_than_a_worker_takes_is_told(monkeypatch, tmp_path, memory, sign):
    monkeypatch.setattr(doctor, "available_memory", lambda: memory)
    told = str(doctor._resources(Workspace(tmp_path)))
    assert told.startswith(f"{sign}  a worker may use ")
    assert ("give it more" in told) == (sign == "NO")
