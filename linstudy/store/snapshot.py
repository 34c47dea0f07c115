"""Publishing: a copy of the ledger that readers can hold open without disturbing anybody."""

import contextlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from linstudy.store.database import attach, discard, log, publishing
from linstudy.store.files import install
from linstudy.store.fingerprint import note_content
from linstudy.store.ledger import Ledger
from linstudy.store.views import view_definitions


def publish(ledger: Ledger, path: Path) -> None:
    """Replace `path` by a copy of what the ledger has committed, with the views for people.

    A reader that has the old file open keeps it; one that opens `path` gets the old file or the new one, whole. Where
    `path` is a link, the file that it names is replaced.
    """
    path = path.resolve()
    temporary = publishing(path)
    # where the ledger has a working copy, DuckDB may be unable to lock a file beside `path`
    written = temporary if ledger.working_copy is None else publishing(ledger.working_copy)
    discard(written)
    try:
        _write(ledger, written)
        if written != temporary:
            shutil.copyfile(written, temporary)
            discard(written)
        # Left by someone who wrote into the published file; beside another file it would make that one unreadable.
        log(path).unlink(missing_ok=True)
        install(temporary, path)
    except (OSError, duckdb.Error):
        discard(written)
        discard(temporary)
        raise


def _write(ledger: Ledger, file: Path) -> None:
    try:
        with ledger.session() as session:
            _make(session, file)
            session.execute("COPY FROM DATABASE ledger TO snapshot (DATA)")
            note_content(session)
            session.execute("CHECKPOINT snapshot")
    finally:
        # After a full disk the session that wrote can neither detach its database nor choose another one.
        with ledger.session() as session, contextlib.suppress(duckdb.Error):
            session.execute("DETACH snapshot")


_empty: dict[tuple[str, ...], bytes] = {}
_MOST_EMPTY = 8
"""Files of 1.3 MB."""


def _make(session: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Make a file of the ledger's tables without their rows, and of the views; `snapshot`, then the default database.

    DuckDB plans each view as it is created, which takes longer than all else that is published of a small study. The
    views are the same until a new kind of number appears: such files are kept.
    """
    tables = session.execute("SELECT sql FROM duckdb_tables() WHERE database_name = 'ledger'").fetchall()
    views = view_definitions(session)
    key = (*(sql for (sql,) in tables), views)
    if key in _empty:
        file.write_bytes(_empty[key])
    else:
        attach(session, file, "snapshot")
        session.execute("COPY FROM DATABASE ledger TO snapshot (SCHEMA)")
        session.execute("USE snapshot")
        session.execute(views)
        session.execute("USE ledger")
        session.execute("DETACH snapshot")
        if len(_empty) == _MOST_EMPTY:
            del _empty[next(iter(_empty))]
        _empty[key] = file.read_bytes()
    attach(session, file, "snapshot")
    session.execute("USE snapshot")


SECONDS_BETWEEN_TRIALS = 30.0

_PROBLEM = (
    "{path}: cannot be replaced: {error}. The ledger has everything; it is published as soon as that is possible, "
    "which is tried every {seconds:g} s and at the end"
)


class Publisher:
    """Publishes a ledger as often as it may: not twice within `interval` seconds, and within `share` of the time.

    Attributes:
        problem: Why the last trial failed; empty if it did not. What was published before stays, and nothing is lost.
    """

    def __init__(
        self,
        ledger: Ledger,
        path: Path,
        *,
        interval: float = 3.0,
        share: float = 0.02,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._ledger = ledger
        self._path = path
        self._interval = interval
        self._share = share
        self._clock = clock
        self._next = clock()
        self._published: int | None = None
        self.problem = ""

    def publish(self, *, force: bool = False) -> bool:
        """Publish what is new, or wait: call it after every run and now and then, and with `force` at the end.

        Returns:
            Whether the file was replaced.
        """
        revision, start = self._ledger.revision, self._clock()
        if not force and (revision == self._published or start < self._next):
            return False
        try:
            publish(self._ledger, self._path)
        except (OSError, duckdb.Error) as error:
            self.problem = _PROBLEM.format(path=self._path, error=error, seconds=SECONDS_BETWEEN_TRIALS)
            self._next = self._clock() + SECONDS_BETWEEN_TRIALS
            return False
        end = self._clock()
        self._next = end + max(self._interval, (end - start) / self._share)
        self._published, self.problem = revision, ""
        return True
