-- claim: 10, second half. On MNIST too accuracy falls as j grows, and the linearization beats the network on the labels sign φⱼ; but LeNet's two curves cross near φ_500 (Fig. 12).
-- study: eigenfunctions_mnist
-- along: task, train_epochs
-- threshold: both of Kendall's τ of j and accuracy are at most −½ in the mean of seeds, and their 95 % intervals are below 0; the linearization is ahead in the mean over the indices below 300, of which there are at least four, and that interval is above 0; and LeNet's curves cross from 300 on, of which the largest index decides if it is at least 500; on MNIST or Fashion-MNIST alone
-- tau_network: Kendall's τ of j and the network's test accuracy, the mean of seeds
-- tau_linearization: the same of its linearization
-- ahead: test accuracy of the linearization less the network's, the mean over indices below 300, and of that the mean of seeds
-- low: the end of its 95 % interval over seeds, by Student's t; none for one seed
-- crossing: the smallest j at which the network is ahead in every seed and stays so, of those of which all seeds are done; none if there is none
WITH trends AS (
    SELECT
        study, variant, min(position) AS position, family, way, model_kind, seed, min_by(setting_id, position) AS setting_id,
        count(advantage) FILTER (task_index < 300) AS indices,
        count(*) FILTER (left_out) AS left_out,
        kendall(task_index, test_accuracy) AS tau_network,
        kendall(task_index, linearization_accuracy) AS tau_linearization,
        -avg(advantage) FILTER (task_index < 300) AS ahead,
        flatten(list([run_id, linearization] ORDER BY run_id) FILTER (advantage IS NOT NULL)) AS runs
    FROM study_run JOIN comparisons USING (run_id)
    WHERE task_kind = 'eigenfunction' AND data_kind IN ('mnist', 'fashion_mnist')
        AND (advantage IS NOT NULL OR left_out)
    GROUP BY ALL
),
complete AS (
    SELECT study, variant, family, way, task_index, bool_and(advantage > 0) AS is_ahead
    FROM study_run JOIN comparisons USING (run_id)
    WHERE task_kind = 'eigenfunction'
    GROUP BY study, variant, family, way, task_index
    QUALIFY count(advantage) = max(count(advantage)) OVER (PARTITION BY study, variant, family, way)
),
ends AS (
    SELECT *, max(task_index) FILTER (NOT is_ahead) OVER (PARTITION BY study, variant, family, way) AS linear_until
    FROM complete
),
crossings AS (
    SELECT
        study, variant, family, way,
        min(task_index) FILTER (task_index > coalesce(linear_until, 0)) AS crossing,
        max(task_index) AS last_index
    FROM ends
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
    crossing,
    CASE
        WHEN min(indices) >= 4
            THEN reaches(-tau_network, 0.5) AND reaches(-tau_linearization, 0.5) AND reaches(ahead, 0)
                AND CASE WHEN model_kind <> 'lenet' THEN true WHEN last_index >= 500 THEN coalesce(crossing >= 300, false) END
    END AS holds,
    flatten(list(runs)) AS runs
FROM trends JOIN crossings USING (study, variant, family, way)
GROUP BY study, variant, family, way, model_kind, crossing, last_index
ORDER BY study, variant, min(position), way
