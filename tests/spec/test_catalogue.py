"""Studies by their names: which file a name means, and what is said of one that nothing has."""

import tomllib
from pathlib import Path

import pytest

from linstudy.report.question import reports_folder
from linstudy.spec import catalogue
from linstudy.spec.catalogue import StudyFile, describe_catalogue, find_study, named_studies, shipped_folder
from linstudy.spec.errors import StudyError
from linstudy.spec.points import load_study

ROOT = Path(__file__).parents[2]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, in which there is nothing; linstudy comes with two studies."""
    shipped, here = tmp_path / "shipped", tmp_path / "here"
    write(shipped / "kernel_rotation.yaml", "The one that is shipped", "profiles: {paper: {}, laptop: {}}")
    write(shipped / "bounds.yaml", "Bounds")
    (shipped / "schema.json").write_text("{}")
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(catalogue, "shipped_folder", lambda: shipped)
    return here


def write(path, title="", more=""):
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"study: {path.stem}\ntitle: {title}\ndata: {{kind: digits}}\nmodel: {{kind: mlp}}\n{more}\n")


def test_in_an_empty_folder_a_name_means_what_linstudy_comes_with(here):
    found = find_study(Path("kernel_rotation"))
    assert (found.path, found.shipped) == (here.parent / "shipped/kernel_rotation.yaml", True)
    assert found.folder == Path()  # the user's data lie there, not in the package
    assert load_study(found).folder == Path()


def test_a_file_of_the_current_folder_comes_first_then_one_of_its_studies(here):
    write(here / "studies/kernel_rotation.yml")
    assert find_study(Path("kernel_rotation")) == StudyFile(Path("studies/kernel_rotation.yml"))
    write(here / "kernel_rotation.yaml")
    assert find_study(Path("kernel_rotation")) == StudyFile(Path("kernel_rotation.yaml"))
    assert find_study(Path("bounds")).shipped


def test_a_path_means_its_file(here):
    write(here / "kernel_rotation")
    for path in ("kernel_rotation", "a.yaml", "../shipped/bounds.yaml", "/dev/zero"):
        assert find_study(Path(path)) == StudyFile(Path(path))


def test_a_folder_hides_no_study_and_is_told_where_it_is_read(here):
    (here / "bounds").mkdir()
    (here / "results").mkdir()
    assert find_study(Path("bounds")).shipped
    with pytest.raises(StudyError, match="^results: is a folder"):
        load_study(find_study(Path("results")))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("bound", 'there is no study "bound". Did you mean "bounds"? Allowed: mine, bounds, kernel_rotation, or the '),
        (
            "studies/bounds.yaml",
            "studies/bounds.yaml: there is no such file. linstudy comes with this study: name it bounds",
        ),
    ],
)
def test_what_is_not_there_is_told_with_what_is(here, asked, message):
    write(here / "mine.yaml")
    with pytest.raises(StudyError) as raised:
        find_study(Path(asked))
    assert str(raised.value).startswith(message)


def test_the_list_has_names_titles_and_profiles_and_no_other_yaml(here):
    write(here / "studies/bounds.yaml", "My own bounds")
    (here / "compose.yaml").write_text("services: {}\n")
    (here / "broken.yaml").write_text("study: [\n")
    with pytest.raises(StudyError) as raised:
        load_study(Path("broken.yaml"))
    assert list(describe_catalogue()) == [
        "in ./:",
        f"  broken                  {raised.value}",
        "in studies/:",
        "  bounds                  My own bounds",
        "linstudy comes with:",
        "  kernel_rotation         The one that is shipped",
        "                          profiles: paper, laptop",
    ]


def test_every_committed_study_is_shipped_and_the_names_are_those_of_the_studies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = sorted((ROOT / "studies").glob("*.yaml"))
    assert list(named_studies()) == [file.stem for file in files]
    assert all(load_study(find_study(Path(file.stem))).name == file.stem for file in files)


def test_the_wheel_takes_studies_and_sql_where_they_are_looked_for():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    taken = {ROOT / source: ROOT / target for source, target in build["force-include"].items()}
    assert taken[shipped_folder()] == Path(catalogue.__file__).parents[1] / "studies"
    package = ROOT / "linstudy/report/reports"
    folders = {path.parent for path in reports_folder().resolve().glob("*/*.sql")}
    assert {taken[folder] for folder in folders} == {package / folder.name for folder in folders}
