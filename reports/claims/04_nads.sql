-- claim: 4. On linear predictors along the NADs accuracy falls with the index for CNNs, and the network is above its linearization (Fig. 4).
-- study: nads
-- along: task
-- threshold: both of Kendall's τ are at most −½ in the mean of seeds, and their 95 % intervals are below 0; the network is ahead in the mean of seeds, and that interval is above 0; at least four indices
-- tau_network: Kendall's τ of the index and the network's test accuracy, the mean of seeds
-- tau_linearization: the same of its linearization
-- ahead: test accuracy of the network less its linearization's, the mean over indices, and of that the mean of seeds
-- low: the end of its 95 % interval over seeds, by Student's t; none for one seed
WITH trends AS (
    SELECT
        study, variant, min(position) AS position, family, way, seed, min_by(setting_id, position) AS setting_id,
        count(advantage) AS indices,
        count(*) FILTER (left_out) AS left_out,
        kendall(task_index, test_accuracy) AS tau_network,
        kendall(task_index, linearization_accuracy) AS tau_linearization,
        avg(advantage) AS ahead,
        flatten(list([run_id, linearization] ORDER BY run_id) FILTER (advantage IS NOT NULL)) AS runs
    FROM study_run JOIN comparisons USING (run_id)
    WHERE task_kind = 'nad' AND (advantage IS NOT NULL OR left_out)
    GROUP BY ALL
)
SELECT
    study, variant, min_by(setting_id, position) AS setting_id, way,
    count(*) FILTER (indices >= 4) AS seeds,
    sum(left_out)::BIGINT AS left_out,
    avg(tau_network) AS tau_network,
    avg(tau_linearization) AS tau_linearization,
    avg(ahead) AS ahead,
    avg(ahead) - half_width(ahead) AS low,
    avg(ahead) + half_width(ahead) AS high,
    CASE
        WHEN min(indices) >= 4
            THEN reaches(-tau_network, 0.5) AND reaches(-tau_linearization, 0.5) AND reaches(ahead, 0)
    END AS holds,
    flatten(list(runs)) AS runs
FROM trends
GROUP BY study, variant, family, way
ORDER BY study, variant, min(position), way
