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
    places = ",\n        ".join(_place(number, field, names[field.path]) for number, field in enumerate(shown))
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
field (place, pointer, within, name, is_part, is_target) AS (
    VALUES
        {places}
),
entry AS (
    SELECT
        setting_id, kind, field.*,
        list_has_any(along, within) AS is_beside,
        json_extract(spec, pointer) AS value,
        json_extract_string(spec, pointer) AS text
    FROM setting CROSS JOIN field
),
told AS (
    SELECT
        setting_id, kind, place, is_target, is_beside, text,
        CASE
            WHEN is_beside OR text IS NULL THEN NULL
            WHEN is_part THEN CASE
                WHEN count(text) OVER alike < count(*) OVER alike THEN name
            END
            WHEN min(value) OVER alike <> max(value) OVER alike THEN
                concat_ws(' ', name, CASE
                    WHEN length(text) > {LONGEST} THEN left(text, {LONGEST - 1}) || '…' ELSE text
                END)
        END AS word
    FROM entry WINDOW alike AS (PARTITION BY kind, place)
),
words AS (
    SELECT
        setting_id, kind,
        coalesce(string_agg(word, ', ' ORDER BY place) FILTER (NOT is_target), '') AS network,
        coalesce(string_agg(word, ', ' ORDER BY place) FILTER (is_target), '') AS target,
        string_agg(coalesce(text, ''), chr(0) ORDER BY place) FILTER (is_beside) AS besides
    FROM told
    GROUP BY setting_id, kind
),
apart AS (
    SELECT * REPLACE (
        CASE WHEN count(*) OVER (PARTITION BY kind, network, target, besides) = 1 THEN network
        ELSE concat_ws(', ', nullif(network, ''), 'setting ' || left(setting_id, 6)) END AS network
    )
    FROM setting JOIN words USING (setting_id, kind)
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


def _place(number: int, field: Field, name: str) -> str:
    """A row of the table of fields: a field is told where it has two values or more among the settings of a kind.

    A part that only some of them have is told by its name, and a kind without one. `within` has the field's own column
    and those of the parts that it is in.
    """
    within = ["_".join(field.path[:end]) for end in range(1, len(field.path) + 1)]
    told = "NULL" if field.path[-1] == "kind" else literal(name)
    return (
        f"({number}, {field.pointer}, [{', '.join(map(literal, within))}], {told}, "
        f"{field.is_part}, {field.path[0] in _TARGET})"
    )


def _names(spec_fields: Sequence[Field]) -> dict[tuple[str, ...], str]:
    """For each path its last parts, as few as name no other path."""
    ends: dict[tuple[str, ...], int] = {}
    for path, _ in spec_fields:
        for start in range(len(path)):
            ends[path[start:]] = ends.get(path[start:], 0) + 1
    return {path: " ".join(_shortest(path, ends)) for path, _ in spec_fields}


def _shortest(path: tuple[str, ...], ends: dict[tuple[str, ...], int]) -> tuple[str, ...]:
    return next((path[start:] for start in range(len(path) - 1, 0, -1) if ends[path[start:]] == 1), path)
