"""All that is stored of one run, in lines."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from linstudy.explain import parts_of_source
from linstudy.plan import describe_fields
from linstudy.spec.stored import without_defaults
from linstudy.store.notes import read_notes
from linstudy.store.query import Ask, open_published
from linstudy.store.quoting import literal
from linstudy.store.rows import study_name
from linstudy.store.workspace import Workspace
from linstudy.text.amounts import count, duration, rough_size
from linstudy.text.excerpt import excerpt
from linstudy.workers.logs import log_file, read_end

LAST_LINES = 10
"""Of its log."""

MOST_OTHERS = 10
"""Runs that need it, or that it needs, that are listed."""

_LONGEST_IDENTITY = 16
"""Characters of a hash that are shown."""

_STATUS = """
coalesce((SELECT arg_max(status, attempt_id) FROM attempt WHERE attempt.run_id = run.run_id), 'planned') AS status
"""
_RUN = f"SELECT spec, source, {_STATUS}, setting_id FROM run WHERE run_id = {{run}}"
_SETTING = "SELECT count(DISTINCT spec -> 'seed'), count(*) FROM run WHERE setting_id = {setting}"
_STUDIES = "SELECT study, variant FROM study_run WHERE run_id = {run} ORDER BY ALL"
_NEEDS = f"""
SELECT role, needs, spec, {_STATUS} FROM dependency JOIN run ON run.run_id = needs
WHERE dependency.run_id = {{run}} ORDER BY ALL
"""
_NEEDED_BY = f"""
SELECT role, run.run_id, spec, {_STATUS} FROM dependency JOIN run USING (run_id) WHERE needs = {{run}} ORDER BY ALL
"""
_ATTEMPTS = """
SELECT
    attempt_id, status, started, date_diff('microsecond', started, finished) / 1e6 AS seconds, host, device, methods,
    versions, git_commit, dirty, fused_group, fingerprint, notices, error, code, log
FROM attempt WHERE run_id = {run} ORDER BY attempt_id
"""
PLACE = "concat_ws('_', nullif(split, ''), name) || CASE label WHEN '' THEN '' ELSE '__' || label END AS place"
LAST = "arg_max_null(value, (coalesce(epoch, 2::BIGINT ** 62), coalesce(step, 2::BIGINT ** 62))) AS value"
"""A number's name, as in the view `final`, and the last of its values; one of no epoch comes at the end."""

_NUMBERS = f"""
SELECT
    {PLACE},
    {LAST},
    unit, max(epoch) AS epoch
FROM metric JOIN metric_def USING (name) WHERE run_id = {{run}} GROUP BY name, label, split, unit ORDER BY ALL
"""
_VECTORS = f"""
SELECT
    {PLACE},
    max(len(value)) AS entries, list(epoch ORDER BY epoch) FILTER (epoch IS NOT NULL) AS epochs
FROM vector WHERE run_id = {{run}} GROUP BY name, label, split ORDER BY ALL
"""
_ARTIFACTS = "SELECT name, epoch, bytes, path FROM artifact WHERE run_id = {run} ORDER BY ALL"


def describe_runs(run_ids: Iterable[str], workspace: Workspace) -> Iterator[str]:
    """All that is published of some runs, the last lines of their logs, and which of their files are missing."""
    with open_published(workspace.results) as ask:
        for number, run_id in enumerate(run_ids):
            yield from [""] if number else []
            yield from _Details(run_id, workspace, ask).lines()


class _Details:
    """What is asked about one run."""

    def __init__(self, run_id: str, workspace: Workspace, ask: Ask):
        self._run_id, self._workspace, self._ask_sql = run_id, workspace, ask

    def lines(self) -> Iterator[str]:
        [(spec, source, status, setting)] = self._ask(_RUN)
        yield f"{status:<12}{self._run_id}  {describe_stored(spec)}"
        yield from self._setting(setting)
        studies = [study_name(study, variant) for study, variant in self._ask(_STUDIES)]
        yield from (f"{'study':<12}{name}" for name in studies or ["none has it any more"])
        for note in read_notes(self._ask_sql, [self._run_id]):
            yield f"{note.kind:<12}{note.text}"
        yield from self._others("needs", _NEEDS)
        yield from self._others("needed by", _NEEDED_BY)
        yield from _table("spec", [*_fields(spec), *_contents(source)])
        yield from _titled("attempts", self._attempts())
        yield from _table("numbers, the last of each", self._numbers())
        yield from _titled("files", self._artifacts())
        yield from self._log()

    def _ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self._ask_sql(sql.format(run=literal(self._run_id))).rows

    def _setting(self, setting: str | None) -> Iterator[str]:
        if setting is None:  # of an earlier linstudy
            return
        [(seeds, runs)] = self._ask_sql(_SETTING.format(setting=literal(setting))).rows
        yield f"{'setting':<12}{setting}  {count(runs, 'run')}, {count(seeds, 'seed')}"

    def _others(self, title: str, sql: str) -> Iterator[str]:
        others = self._ask(sql)
        for role, run_id, spec, status in others[:MOST_OTHERS]:
            yield f"{title:<12}{run_id}  {status}, as its {role}: {describe_stored(spec)}"
        if (more := len(others) - MOST_OTHERS) > 0:
            yield f"{'':<12}and {more} more"

    def _attempts(self) -> Iterator[str]:
        for number, status, started, seconds, host, device, *more in self._ask(_ATTEMPTS):
            methods, versions, commit, dirty, group, fingerprint, notices, error, code, log = more
            took = "" if seconds is None else f", {duration(seconds)}"
            yield f"    {number}: {status}, {started:%Y-%m-%d %H:%M:%S} UTC{took}, on {host or '?'}, {device or '?'}"
            if group:
                yield f"        trained together with others, whose time this is: group {group}"
            if methods:
                yield f"        methods: {_pairs(methods, ': ')}"
            if versions:
                yield f"        versions: {_pairs(versions, ' ')}"
            if commit:
                yield f"        commit: {commit}{', with changes' if dirty else ''}"
            if code:
                yield f"        kept of its code: {', '.join(code)} (linstudy code {self._run_id} brings it back)"
            if fingerprint:
                yield f"        data as loaded: {fingerprint[:16]}"
            yield from (f"        warning: {notice}" for notice in notices or ())
            if error:
                first, *rest = excerpt(error, "linstudy status --failed", lines=4).split("\n")
                yield from (f"        error: {first}", *(f"            {line}" for line in rest))
            if log:
                printed = log_file(self._workspace, log).is_file()
                yield f"        log: {log if printed else 'it printed nothing, or its log is gone'}"

    def _numbers(self) -> Iterator[tuple[str, str]]:
        for name, value, unit, epoch in self._ask(_NUMBERS):
            shown = "not finite" if value is None else f"{value:.6g}{'' if unit == '1' else f' {unit}'}"
            yield name, f"{shown}{_at(epoch)}"
        for name, entries, epochs in self._ask(_VECTORS):
            yield name, f"{count(entries, 'entry', 'entries')}{_at(*(epochs or ()))}"

    def _artifacts(self) -> Iterator[str]:
        for name, epoch, size, path in self._ask(_ARTIFACTS):
            missing = "" if (self._workspace.root / path).is_file() else ", not here"
            yield f"    {name}{_at(epoch)}, {rough_size(size)}{missing}: {path}"

    def _log(self) -> Iterator[str]:
        logs = [row[-1] for row in self._ask(_ATTEMPTS) if row[-1]]
        if logs and (lines := read_end(log_file(self._workspace, logs[-1]), LAST_LINES)):
            yield f"the end of what it printed (all of it: linstudy log {self._run_id})"
            yield from (f"    {line}" for line in lines)


def describe_stored(spec: dict[str, Any]) -> str:
    """A stored run in a few words, whichever linstudy stored it."""
    return describe_fields(without_defaults(spec))


def flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values within mappings by their dotted paths; those that are None left out."""
    for name, value in content.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{name}.")
        elif value is not None:
            yield f"{prefix}{name}", value


def _fields(spec: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in flat(spec):
        if name != "kind":
            yield name, json.dumps(value, ensure_ascii=False)


def _contents(source: str | None) -> Iterator[tuple[str, str]]:
    """What identifies the content behind the parts of a run that name something outside of its study."""
    for name, identity in flat(parts_of_source(source or "")):
        yield f"content of {name}", str(identity)[:_LONGEST_IDENTITY]


def _table(title: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Names and texts in two columns, under a title; nothing if there are none."""
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0)
    return _titled(title, (f"    {name:<{width}}  {text}" for name, text in rows))


def _titled(title: str, lines: Iterator[str]) -> Iterator[str]:
    """The lines under a title; nothing if there are none."""
    for number, line in enumerate(lines):
        if number == 0:
            yield title
        yield line


def _pairs(content: Mapping[str, Any], between: str) -> str:
    return ", ".join(f"{name}{between}{value}" for name, value in content.items())


def _at(*epochs: int | None) -> str:
    known = [epoch for epoch in epochs if epoch is not None]
    if len(known) > 6:
        return f" at {len(known)} epochs from {known[0]} to {known[-1]}"
    return f" at epoch{'s' * (len(known) > 1)} {', '.join(map(str, known))}" if known else ""
