-- claim: 1. Test accuracy on the labels sign φⱼ falls as j grows, for networks and for their linearizations (Fig. 2).
-- study: eigenfunctions
-- along: task, train_epochs
-- threshold: Kendall's τ of j and accuracy is at most −½ in the mean of seeds, and its 95 % interval is below 0; at least four indices
-- line: the network, or its linearization
-- tau: Kendall's τ of j and test accuracy, the mean of seeds; −1 if every larger j has a lower accuracy
-- low: the end of its 95 % interval over seeds, by Student's t; none for one seed
-- first: test accuracy at the smallest j, the mean of seeds
-- last: test accuracy at the largest j, the mean of seeds
WITH trends AS (
    SELECT
        study, variant, min(position) AS position, family, way, line, seed, min_by(setting_id, position) AS setting_id,
        count(test_accuracy) AS indices,
        count(*) FILTER (left_out) AS left_out,
        kendall(task_index, test_accuracy) AS tau,
        arg_min(test_accuracy, task_index) AS first,
        arg_max(test_accuracy, task_index) AS last,
        list(run_id ORDER BY run_id) FILTER (test_accuracy IS NOT NULL) AS runs
    FROM study_run JOIN trainings USING (run_id)
    WHERE task_kind = 'eigenfunction' AND line IN ('network', 'linearization')
        AND (test_accuracy IS NOT NULL OR left_out)
    GROUP BY ALL
)
SELECT
    study, variant, min_by(setting_id, position) AS setting_id, way, line,
    count(*) FILTER (indices >= 4) AS seeds,
    sum(left_out)::BIGINT AS left_out,
    avg(tau) AS tau,
    lower_end(tau) AS low,
    upper_end(tau) AS high,
    avg(first) AS first,
    avg(last) AS last,
    CASE WHEN min(indices) >= 4 THEN reaches(-tau, 0.5) END AS holds,
    flatten(list(runs)) AS runs
FROM trends
GROUP BY study, variant, family, way, line
ORDER BY study, variant, min(position), way
