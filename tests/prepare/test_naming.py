"""Two files of one study's name: which is the same file, and which is not."""

import pytest

from linstudy.prepare.naming import Naming, check_name, file_note
from linstudy.spec.catalogue import StudyFile
from linstudy.spec.errors import LinstudyError
from linstudy.spec.points import load_study
from linstudy.store.rows import StudyRow
from linstudy.store.workspace import Workspace

TEXT = "study: lin\ndata: {kind: digits}\nmodel: {kind: mlp}\n"


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "project" / "ws").mkdir(parents=True)
    return Workspace(tmp_path / "project" / "ws")


@pytest.fixture
def write(tmp_path, workspace):
    """A function that writes a study file, and gives its row."""

    def write(name, text=TEXT, variant=""):
        path = tmp_path / "project" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return StudyRow("lin", variant, "", text, file_note(StudyFile(path), workspace))

    return write


def refused(*arguments):
    with pytest.raises(LinstudyError) as raised:
        check_name(*arguments)
    return str(raised.value)


def test_another_file_of_the_name_is_refused_with_what_to_do(write, workspace):
    first, second = write("a.yaml"), write("b.yaml", TEXT + "seeds: [1]\n")
    assert refused(second, [first], workspace, Naming()) == (
        "study lin: in this workspace the name belongs to ../a.yaml, and ../b.yaml is another file. "
        "Give this one a name of its own (its line `study: lin`), keep both with --variant NAME, "
        "or let this one take the other's place with --replace: its runs stay then, without a study"
    )
    paper = second._replace(variant="paper")
    assert "../b.yaml is another file" in refused(paper, [first], workspace, Naming()), "nor are the two mixed"


def test_an_edited_file_is_the_same_one(write, workspace):
    first = write("a.yaml")
    edited = write("a.yaml", TEXT + "seeds: [1]\n")
    assert check_name(edited, [first], workspace, Naming()) is None
    assert check_name(edited._replace(variant="paper"), [first], workspace, Naming()) is None


def test_the_same_text_elsewhere_is_the_same_study(write, workspace):
    assert check_name(write("clone/a.yaml"), [write("a.yaml")], workspace, Naming()) is None


def test_a_file_that_was_moved_and_edited_takes_its_place_and_it_is_said(write, workspace, tmp_path):
    first = write("a.yaml")
    (tmp_path / "project" / "a.yaml").unlink()
    moved = write("b.yaml", TEXT + "seeds: [1]\n")
    assert check_name(moved, [first], workspace, Naming()) == (
        "study lin: its points are now those of ../b.yaml, no longer those of ../a.yaml, which is gone"
    )


def test_a_project_that_was_copied_goes_on(write, workspace, tmp_path):
    first = write("a.yaml")
    copy = tmp_path / "copy"
    (copy / "ws").mkdir(parents=True)
    (copy / "a.yaml").write_text(TEXT + "seeds: [1]\n")
    place = Workspace(copy / "ws")
    edited = first._replace(document=TEXT + "seeds: [1]\n", file=file_note(StudyFile(copy / "a.yaml"), place))
    assert edited.file == first.file
    assert check_name(edited, [first], place, Naming()) is None


def test_a_study_whose_file_is_not_known_is_taken_over_and_it_is_said(write, workspace):
    imported = write("a.yaml")._replace(file=None)
    second = write("b.yaml", TEXT + "seeds: [1]\n")
    assert check_name(second, [imported], workspace, Naming()) == (
        "study lin: its points are now those of ../b.yaml, no longer those of a file that is not known"
    )
    assert check_name(write("c.yaml"), [imported], workspace, Naming()) is None, "it has the same text"


def test_a_copy_of_a_shipped_study_that_was_edited_is_another_file(write, workspace):
    shipped = StudyRow("lin", "", "", TEXT, "linstudy:kernel_rotation.yaml")
    own = write("a.yaml", TEXT + "seeds: [1]\n")
    assert "belongs to the one that linstudy comes with" in refused(own, [shipped], workspace, Naming())
    assert check_name(write("a.yaml"), [shipped], workspace, Naming()) is None
    gone = shipped._replace(file="linstudy:no_longer_there.yaml")
    assert check_name(own, [gone], workspace, Naming()).endswith("the one that linstudy comes with, which is gone")


def test_both_are_kept_if_that_is_asked(write, workspace, tmp_path):
    first, naming = write("a.yaml"), Naming(variant="mine")
    second = write("b.yaml", TEXT + "seeds: [1]\n", "mine")
    study = naming.apply(load_study(tmp_path / "project" / "b.yaml", overrides=["seeds=[2]"]))
    assert study.variant == "mine seeds=[2]"
    assert check_name(second, [first], workspace, naming) is None
    third = write("c.yaml", TEXT + "seeds: [3]\n", "mine")
    assert "../c.yaml is another file" in refused(third, [first, second], workspace, naming)
    with pytest.raises(LinstudyError, match="use letters"):
        Naming(variant="a b").apply(study)


def test_the_other_is_replaced_if_that_is_asked(write, workspace):
    first, second = write("a.yaml"), write("b.yaml", TEXT + "seeds: [1]\n")
    assert check_name(second, [first], workspace, Naming(replace=True)) == (
        "study lin: its points are now those of ../b.yaml, no longer those of ../a.yaml"
    )
