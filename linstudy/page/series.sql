-- The curves and spectra that a page keeps: of one with over {most} points, in {most} / 2 intervals that are even in the
-- square root of x, the points where the mean over the runs of its setting is least and largest, of equal ones the
-- first; and both ends. All runs of a setting keep the same points. `at_epoch` is -1 where the points are of no epoch,
-- or of one each.
WITH entry AS (
    SELECT
        run_id, coalesce(setting_id, run_id) AS setting, name, label, split,
        coalesce({at_epoch}, -1) AS at_epoch, {x} AS x, value
    FROM {view}
    WHERE {which}
),
mean AS (
    SELECT
        setting, name, label, split, at_epoch, x, avg(value) AS value,
        count(*) OVER series AS points, min(x) OVER series AS low, max(x) OVER series AS high
    FROM entry
    GROUP BY setting, name, label, split, at_epoch, x
    WINDOW series AS (PARTITION BY setting, name, label, split, at_epoch)
),
kept AS (
    SELECT setting, name, label, split, at_epoch, x, points
    FROM mean
    WINDOW part AS (
        PARTITION BY setting, name, label, split, at_epoch, floor({most} / 2 * sqrt(x / high))
    )
    QUALIFY points <= {most} OR x IN (low, high)
        OR row_number() OVER (part ORDER BY value, x) = 1
        OR row_number() OVER (part ORDER BY value DESC NULLS LAST, x) = 1
),
drawn AS (FROM entry JOIN kept USING (setting, name, label, split, at_epoch, x))
