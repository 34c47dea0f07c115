-- Made at publishing, after the generated `runs` and `final`.

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
