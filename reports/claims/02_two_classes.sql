-- claim: 2, second half. On the two-class labels some networks beat their linearizations (Fig. 2, 5).
-- study: eigenfunctions, sample_size
-- along: train_epochs
-- threshold: the mean of seeds is above 0, and so is its 95 % interval; the paper says it of some networks, not of all
-- ahead: test accuracy of the network less its linearization's, the mean of seeds
-- low: the end of its 95 % interval over seeds, by Student's t; none for one seed
-- network: test accuracy of the network, the mean of seeds
-- linearization: test accuracy of its linearization at initialization, the mean of seeds
SELECT
    study, variant, min_by(setting_id, position) AS setting_id, way,
    count(advantage) AS seeds,
    count(*) FILTER (left_out) AS left_out,
    avg(advantage) AS ahead,
    avg(advantage) - half_width(advantage) AS low,
    avg(advantage) + half_width(advantage) AS high,
    avg(test_accuracy) FILTER (advantage IS NOT NULL) AS network,
    avg(linearization_accuracy) FILTER (advantage IS NOT NULL) AS linearization,
    reaches(advantage, 0) AS holds,
    flatten(list([run_id, linearization] ORDER BY run_id) FILTER (advantage IS NOT NULL)) AS runs
FROM study_run JOIN comparisons USING (run_id)
WHERE task_kind = 'binary_classes' AND (advantage IS NOT NULL OR left_out)
GROUP BY study, variant, family, way, task
ORDER BY study, variant, min(position), way
