-- table: Table 1. Energy concentration of the training labels and test accuracy, beside what the paper prints
-- study: energy_concentration
-- at_start: energy concentration ‖Φ_K y‖ / ‖y‖ at initialization, the mean of seeds; K is the probe's `top`
-- start_range: the least and the largest of seeds
-- start_printed: as the paper prints it; only beside runs of its sizes
-- start_difference: ours less the printed one
-- at_end: the same after training
-- accuracy: on the test samples, after training
WITH printed (model_kind, start_printed, end_printed, accuracy_printed) AS (
    VALUES ('mlp', 0.260, 0.636, 0.676), ('lenet', 0.258, 0.830, 0.750), ('resnet', 0.227, 0.967, 0.814)
),
ends AS (
    SELECT
        run_id,
        max(epoch) AS last,
        arg_min_null(value, epoch) AS at_start,
        CASE WHEN last > 0 THEN arg_max_null(value, epoch) END AS at_end
    FROM curves
    WHERE name = 'energy_concentration' AND status = 'done'
    GROUP BY run_id
),
accuracies AS (
    SELECT dependency.run_id, CASE WHEN epoch > 0 THEN test_accuracy END AS accuracy
    FROM dependency JOIN final ON final.run_id = needs
    WHERE role = 'training' AND status = 'done'
)
SELECT
    study, variant, setting_id,
    count(at_start) AS seeds,
    count(*) FILTER (diverged OR (ends.run_id IS NOT NULL AND at_start IS NULL)) AS left_out,
    avg(at_start) AS at_start,
    CASE WHEN count(at_start) > 1 THEN printf('%.3f to %.3f', min(at_start), max(at_start)) END AS start_range,
    any_value(start_printed) AS start_printed,
    avg(at_start - start_printed) AS start_difference,
    avg(at_end) AS at_end,
    CASE WHEN count(at_end) > 1 THEN printf('%.3f to %.3f', min(at_end), max(at_end)) END AS end_range,
    any_value(end_printed) FILTER (at_end IS NOT NULL) AS end_printed,
    avg(at_end - end_printed) AS end_difference,
    avg(accuracy) AS accuracy,
    CASE WHEN count(accuracy) > 1 THEN printf('%.3f to %.3f', min(accuracy), max(accuracy)) END AS accuracy_range,
    any_value(accuracy_printed) FILTER (accuracy IS NOT NULL) AS accuracy_printed,
    avg(accuracy - accuracy_printed) AS accuracy_difference
FROM study_runs
LEFT JOIN ends USING (run_id)
LEFT JOIN accuracies USING (run_id)
LEFT JOIN printed
    ON printed.model_kind = study_runs.model_kind AND probe_top = 50 AND probe_samples = 12000
    AND coalesce(model_width, 64) = 64
WHERE probe_kind = 'energy_concentration' AND probe_label = 'table 1'
GROUP BY ALL
HAVING seeds + left_out > 0
ORDER BY study, variant, min(position)
