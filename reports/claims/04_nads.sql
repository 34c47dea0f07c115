-- claim: 4. On linear predictors along the NADs accuracy falls with the index for CNNs, and the network is above its linearization (Fig. 4).
-- study: nads
-- along: task
-- threshold: both of Kendall's τ are at most −½ in the mean of seeds, and their 95 % intervals are below 0; the network is ahead in the mean of seeds, and that interval is above 0; at least four indices
-- tau_network: Kendall's τ of the index and the network's test accuracy, the mean of seeds
-- tau_linearization: the same of its linearization
-- ahead: test accuracy of the network less its linearization's, the mean over indices, and of that the mean of seeds
-- low: the end of its 95 % interval over seeds, by Student's t; none for one seed
SELECT
    study, variant, min_by(setting_id, position) AS setting_id, way,
    count(*) FILTER (indices >= 4) AS seeds,
    sum(left_out)::BIGINT AS left_out,
    avg(tau_network) AS tau_network,
    avg(tau_linearization) AS tau_linearization,
    avg(mean_advantage) AS ahead,
    avg(mean_advantage) - half_width(mean_advantage) AS low,
    avg(mean_advantage) + half_width(mean_advantage) AS high,
    CASE
        WHEN min(indices) >= 4
            THEN reaches(-tau_network, 0.5) AND reaches(-tau_linearization, 0.5) AND reaches(mean_advantage, 0)
    END AS holds,
    flatten(list(runs)) AS runs
FROM index_trends
WHERE task_kind = 'nad'
GROUP BY study, variant, family, way
ORDER BY study, variant, min(position), way
