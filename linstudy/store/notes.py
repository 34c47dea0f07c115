"""What people write about runs and studies. No part of any identity, so nothing is run again for it."""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import NamedTuple

from linstudy.spec.errors import LinstudyError
from linstudy.spec.vocabulary import nearest
from linstudy.store.ledger import Ledger
from linstudy.store.lookup import find_run, may_be_an_id
from linstudy.store.query import Ask, open_published
from linstudy.store.quoting import literal
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace

MOST_CHARACTERS = 10_000

_TAG = re.compile(r"[\w.+-]{1,64}")


class Note(NamedTuple):
    """A remark or a tag; `subject` is a run's id or a study's name."""

    subject: str
    is_tag: bool
    text: str

    @property
    def kind(self) -> str:
        """As people read it."""
        return "tag" if self.is_tag else "note"


def find_subject(ask: Ask, named: str) -> str:
    """The name of a study of the workspace, or the id of the run that begins so.

    Raises:
        LinstudyError: If there is neither.
    """
    studies = [name for (name,) in ask("SELECT DISTINCT name FROM study ORDER BY ALL").rows]
    if named in studies:
        return named
    if not may_be_an_id(named):
        advice = nearest(named, dict.fromkeys(studies)) if studies else "It has none"
        raise LinstudyError(f'there is no study "{named}" in the workspace. {advice}; or the beginning of a run\'s id')
    return find_run(ask, named)


def read_notes(ask: Ask, subjects: Collection[str]) -> list[Note]:
    """The notes about some runs and studies, in the order in which they were written."""
    if not subjects:
        return []
    own = ", ".join(map(literal, subjects))
    rows = ask(f"SELECT subject, is_tag, text FROM note WHERE subject IN ({own}) ORDER BY written, text").rows
    return [Note(*row) for row in rows]


def write_notes(workspace: Workspace, named: str, texts: Collection[str], *, are_tags: bool, remove: bool) -> str:
    """Add notes to a run or a study, or remove them, and publish.

    Returns:
        The subject.

    Raises:
        LinstudyError: If there is no such subject, a text is no note, or one that is to be removed is not there; if
            another process writes to the workspace.
    """
    for text in texts:
        _check(text, are_tags)
    with workspace.lock(), Ledger.open(workspace) as ledger:
        ledger.recover()
        publish(ledger, workspace.results)
        with open_published(workspace.results) as ask:
            subject = find_subject(ask, named)
            known = read_notes(ask, [subject])
        notes = [Note(subject, are_tags, text) for text in texts]
        if remove and (missing := [note.text for note in notes if note not in known]):
            raise LinstudyError(f'{subject} has no such note: "{missing[0]}"')
        now = datetime.now(UTC).replace(tzinfo=None)
        with ledger.write() as connection:
            for note in notes:
                if remove:
                    connection.execute("DELETE FROM note WHERE (subject, is_tag, text) = (?, ?, ?)", list(note))
                else:
                    connection.execute("INSERT OR IGNORE INTO note VALUES (?, ?, ?, ?)", [*note, now])
        publish(ledger, workspace.results)
    return subject


def _check(text: str, is_tag: bool) -> None:
    if is_tag and not _TAG.fullmatch(text):
        raise LinstudyError(f'"{text}" is no tag: a word of letters, digits, and . + - _, of 64 at most')
    if not text.strip() or len(text) > MOST_CHARACTERS:
        raise LinstudyError(f"a note has some text, and {MOST_CHARACTERS:,} characters at most")
