-- Made at publishing, after the generated `runs`, `settings_among` and `final`.

-- Every setting, a run without its seed; what its label says tells it from the others of its kind.
CREATE VIEW settings AS FROM settings_among(NULL);

-- Every number over epochs and steps, with everything known of its run.
CREATE VIEW curves AS
SELECT metric.*, runs.* EXCLUDE (run_id)
FROM metric JOIN runs USING (run_id);

-- Every vector, one row an entry; j counts from 1.
CREATE VIEW spectra AS
SELECT entry.*, runs.* EXCLUDE (run_id)
FROM (
    SELECT run_id, name, label, split, epoch, generate_subscripts(value, 1) AS j, unnest(value) AS value
    FROM vector
) AS entry
JOIN runs USING (run_id);

-- The runs of each study, in its order.
CREATE VIEW study_runs AS
SELECT study_run.study, study_run.variant, study_run.position, runs.*
FROM study_run JOIN runs USING (run_id);

-- How much each alignment α(φ_j) grew from the first epoch that its probe measured to the last. `target` is the j of a
-- training on sign φ_j; its neighbours are the ten eigenfunctions before it and the ten after it. `growth` is NULL where
-- the first value is at most a float32 rounding (2⁻²³) of the run's largest: it is noise, and so is what is divided by it.
-- `finite` is false for all of a run where one of its alignments is no number.
CREATE VIEW growths AS
SELECT
    ends.*,
    CASE WHEN alpha_start > pow(2, -23) * max(alpha_start) OVER of_run THEN alpha_end / alpha_start END AS growth,
    CASE
        WHEN j = target THEN 'target'
        WHEN abs(j - target) <= 10 THEN 'neighbour'
        ELSE 'other'
    END AS place,
    bool_and(alpha_start IS NOT NULL AND alpha_end IS NOT NULL) OVER of_run AS finite,
    runs.* EXCLUDE (run_id)
FROM (
    SELECT
        run_id, j,
        any_value(CASE WHEN task_kind = 'eigenfunction' THEN task_index END) AS target,
        arg_min_null(value, epoch) AS alpha_start,
        arg_max_null(value, epoch) AS alpha_end
    FROM spectra
    WHERE kind = 'probe' AND name = 'alignment' AND status = 'done'
    GROUP BY run_id, j
    HAVING count(DISTINCT epoch) > 1
) AS ends
JOIN runs USING (run_id)
WINDOW of_run AS (PARTITION BY run_id);

-- What training on sign φ_j did to α(φ_j) and to the others: a row for each alignment probe of such a training, its numbers
-- NULL until it is done. `diverged` is true also where an alignment is no number.
CREATE VIEW rotations AS
SELECT
    runs.* REPLACE (diverged OR run_id IN (SELECT run_id FROM growths WHERE NOT finite) AS diverged),
    task_index AS target,
    turn.* EXCLUDE (run_id)
FROM runs
LEFT JOIN (
    SELECT
        run_id,
        max(growth) FILTER (place = 'target') AS target_growth,
        median(growth) FILTER (place = 'neighbour') AS neighbours_growth,
        max(growth) FILTER (place = 'neighbour') AS best_neighbour_growth,
        max(growth) FILTER (place <> 'target') AS best_other_growth,
        median(growth) AS median_growth,
        count(*) FILTER (growth > 1) / nullif(count(growth), 0) AS share_rising
    FROM growths
    WHERE finite
    GROUP BY run_id
) AS turn USING (run_id)
WHERE probe_kind = 'alignment' AND task_kind = 'eigenfunction';
