-- claim: 9, first half. On the labels sign φⱼ the test accuracy of the linearization falls within a few epochs of training the network on them (Fig. 9).
-- study: pretrained_kernel
-- along: train_linearize
-- threshold: the mean of seeds is below 0, and so is its 95 % interval
-- change: test accuracy of the linearization around the weights after five epochs less that of the one at initialization, the mean of seeds
-- low: the end of its 95 % interval over seeds, by Student's t; none for one seed
-- at_start: test accuracy of the linearization at initialization, the mean of seeds
-- after_one: that of the one around the weights after one epoch
-- after_five: that of the one around the weights after five epochs
WITH anchored AS (
    SELECT
        study, variant, min(position) AS position, family, task, seed, min_by(setting_id, position) AS setting_id,
        bool_or(diverged) AS diverged,
        any_value(test_accuracy) FILTER (anchor_epoch = 0) AS at_start,
        any_value(test_accuracy) FILTER (anchor_epoch = 1) AS after_one,
        any_value(test_accuracy) FILTER (anchor_epoch = 5) AS after_five,
        list(run_id) FILTER (test_accuracy IS NOT NULL) AS runs
    FROM study_run JOIN trainings USING (run_id)
    WHERE task_kind = 'eigenfunction' AND anchor_epoch IN (0, 1, 5) AND NOT train_linearize_centred
        AND (test_accuracy IS NOT NULL OR diverged)
    GROUP BY study, variant, family, task, seed
)
SELECT
    study, variant, min_by(setting_id, position) AS setting_id,
    count(after_five - at_start) AS seeds,
    count(*) FILTER (diverged) AS diverged,
    avg(after_five - at_start) AS change,
    avg(after_five - at_start) - half_width(after_five - at_start) AS low,
    avg(after_five - at_start) + half_width(after_five - at_start) AS high,
    avg(at_start) AS at_start,
    avg(after_one) AS after_one,
    avg(after_five) AS after_five,
    avg(after_five - at_start) + coalesce(half_width(after_five - at_start), 0) < 0 AS holds,
    flatten(list(runs)) AS runs
FROM anchored
GROUP BY study, variant, family, task
ORDER BY study, variant, min(position)
