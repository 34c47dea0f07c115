import pytest

from linstudy.spec.errors import LinstudyError
from linstudy.store.ledger import Ledger
from linstudy.store.lookup import find_runs
from linstudy.store.notes import Note, read_notes, write_notes
from linstudy.store.query import open_published


@pytest.fixture
def place(workspace, study, runs):
    """A workspace of a study with two runs, `s` and `t`, which are hexadecimal here."""
    workspace.root.mkdir()
    with workspace.lock(), Ledger.open(workspace) as ledger:
        ledger.register(study, [run._replace(run_id=id_, dependencies=()) for run, id_ in zip(runs, "ab", strict=True)])
    return workspace


def write(place, subject, *texts, are_tags=False, remove=False):
    return write_notes(place, subject, texts, are_tags=are_tags, remove=remove)


def read(place, *subjects):
    with open_published(place.results) as ask:
        return read_notes(ask, subjects)


def test_notes_and_tags_stay_until_they_are_removed(place):
    assert write(place, "a", "stuck at 0.69; look again") == "a"
    write(place, "a", "odd", "figure-2", are_tags=True)
    write(place, "a", "odd", are_tags=True)
    write(place, "rotation", "for the talk")
    assert read(place, "a") == [
        Note("a", False, "stuck at 0.69; look again"),
        Note("a", True, "figure-2"),  # written at once with the next one
        Note("a", True, "odd"),
    ]
    assert read(place, "rotation") == [Note("rotation", False, "for the talk")]
    write(place, "a", "odd", are_tags=True, remove=True)
    assert [note.text for note in read(place, "a")] == ["stuck at 0.69; look again", "figure-2"]


def test_runs_are_selected_by_their_tags(place):
    write(place, "b", "good", are_tags=True)
    with open_published(place.results) as ask:
        assert find_runs(ask, "list_contains(tags, 'good')") == ["b"]
        assert find_runs(ask, "tags IS NULL") == ["a"]


@pytest.mark.parametrize(
    ("subject", "text", "options", "problem"),
    [
        ("c", "x", {}, "no run of the workspace begins with c"),
        ("a", "two words", {"are_tags": True}, '"two words" is no tag'),
        ("a", "", {}, "a note has some text"),
        ("a", "x" * 10_001, {}, "10,000 characters at most"),
        ("a", "never said", {"remove": True}, 'a has no such note: "never said"'),
    ],
)
def test_what_is_no_note_is_refused(place, subject, text, options, problem):
    with pytest.raises(LinstudyError) as raised:
        write(place, subject, text, **options)
    assert problem in str(raised.value)
