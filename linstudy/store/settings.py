"""Settings: runs without their seed, and the few words that tell one from another."""

from collections.abc import Sequence

from linstudy.store.fields import Field, columns
from linstudy.store.quoting import identifier, literal

_NOT_ITS_OWN = {("seed",), ("kind",), ("probe", "at"), ("probe", "every")}
"""The seed and the kind are no difference between settings; a probe's epochs are in `epochs`."""

_TARGET = {"task", "probe", "epochs"}
"""What a setting learns and measures; the rest is its network: data, model and training."""

LONGEST = 40
"""Characters of a value in a label."""


def settings_macro(spec_fields: Sequence[Field]) -> str:
    """The SQL of `settings_among(ids, along)`: a row for each of these settings, or for all where `ids` is NULL.

    `network` and `target` say in what a setting differs from the others of its kind that are asked for; `label` is
    both, or the kinds of its parts where it differs in nothing. Settings that no field tells apart get their ids.
    `along` is a list of fields that whoever asks tells by other means, such as the axis of a figure: they, and all
    within them (`train_linearize`), are no words of a label, and settings may have one label that differ in these.
    """
    parts = list(dict.fromkeys(path[0] for path, _ in spec_fields))
    shown = [field for field in spec_fields if field.path not in _NOT_ITS_OWN and field.types != {"OBJECT"}]
    shown.sort(key=lambda field: parts.index(field.path[0]))  # a model's own arguments stand by the model
    own = "".join(
        f",\n    {expression} AS {identifier(name)}" for name, expression in columns(spec_fields) if name != "seed"
    )
    names = _names(spec_fields)
    network = _words([field for field in shown if field.path[0] not in _TARGET], names)
    target = _words([field for field in shown if field.path[0] in _TARGET], names)
    besides = f"concat_ws(chr(0), {', '.join(map(_beside, shown))})"
    return f"""CREATE MACRO settings_among(ids, along := []::VARCHAR[]) AS TABLE
WITH setting AS (
    SELECT
        run.setting_id, run.kind, arg_min(spec, run.run_id) AS spec,
        count(DISTINCT seed) AS seeds, count(*) AS runs,
        count(*) FILTER (status = 'done') AS done, count(*) FILTER (diverged) AS diverged
    FROM run JOIN runs USING (run_id)
    WHERE run.setting_id IS NOT NULL AND (ids IS NULL OR list_contains(ids, run.setting_id))
    GROUP BY run.setting_id, run.kind
),
words AS (
    SELECT *, {network} AS network, {target} AS target, {besides} AS besides
    FROM setting WINDOW same_kind AS (PARTITION BY kind)
),
apart AS (
    SELECT * REPLACE (
        CASE WHEN count(*) OVER (PARTITION BY kind, network, target, besides) = 1 THEN network
        ELSE concat_ws(', ', nullif(network, ''), 'setting ' || left(setting_id, 6)) END AS network
    )
    FROM words
)
SELECT
    setting_id,
    kind,
    coalesce(
        nullif(concat_ws(', ', nullif(network, ''), nullif(target, '')), ''),
        concat_ws(', ', spec ->> '/model/kind', spec ->> '/data/kind', spec ->> '/task/kind', spec ->> '/probe/kind')
    ) AS label,
    network,
    target,
    seeds,
    runs,
    done,
    diverged{own}
FROM apart"""


def _words(shown: Sequence[Field], names: dict[tuple[str, ...], str]) -> str:
    return f"concat_ws(', ', {', '.join(_word(field, names[field.path]) for field in shown)})"


def _along(field: Field) -> str:
    """Whether the field is, or is within, one of those that the macro is asked to leave out."""
    within = ["_".join(field.path[:end]) for end in range(1, len(field.path) + 1)]
    return f"list_has_any(along, [{', '.join(map(literal, within))}])"


def _beside(field: Field) -> str:
    """What tells settings apart without being a word of their label."""
    return f"CASE WHEN {_along(field)} THEN coalesce(json_extract_string(spec, {field.pointer}), '') END"


def _word(field: Field, name: str) -> str:
    """The field with its value where it has two values or more among the settings of a kind; NULL elsewhere.

    A part that only some of them have is told by its name.
    """
    value = f"json_extract(spec, {field.pointer})"
    text = f"json_extract_string(spec, {field.pointer})"
    short = f"CASE WHEN length({text}) > {LONGEST} THEN left({text}, {LONGEST - 1}) || '…' ELSE {text} END"
    if field.is_part:  # its own fields say the rest
        some = f"count({text}) OVER same_kind < count(*) OVER same_kind"
        return f"CASE WHEN {some} AND {text} IS NOT NULL AND NOT {_along(field)} THEN {literal(name)} END"
    word = short if field.path[-1] == "kind" else f"{literal(name + ' ')} || {short}"
    differs = f"min({value}) OVER same_kind <> max({value}) OVER same_kind"
    return f"CASE WHEN {differs} AND NOT {_along(field)} THEN {word} END"


def _names(spec_fields: Sequence[Field]) -> dict[tuple[str, ...], str]:
    """For each path its last parts, as few as name no other path."""
    ends: dict[tuple[str, ...], int] = {}
    for path, _ in spec_fields:
        for start in range(len(path)):
            ends[path[start:]] = ends.get(path[start:], 0) + 1
    return {path: " ".join(_shortest(path, ends)) for path, _ in spec_fields}


def _shortest(path: tuple[str, ...], ends: dict[tuple[str, ...], int]) -> tuple[str, ...]:
    return next((path[start:] for start in range(len(path) - 1, 0, -1) if ends[path[start:]] == 1), path)
