-- claim: 10. Adam and MNIST show the same: accuracy falls as j grows, and the linearization beats the network on the labels sign φⱼ; but on MNIST LeNet's two curves cross near φ_500 (Fig. 11, 12).
-- study: eigenfunctions_adam, eigenfunctions_mnist
-- along: task, train_epochs
-- threshold: both of Kendall's τ of j and accuracy are at most −½ in the mean of seeds, and the linearization is ahead in the mean over the indices below 300; at least four indices there
-- tau_network: Kendall's τ of j and the network's test accuracy, the mean of seeds
-- tau_linearization: the same of its linearization
-- ahead: test accuracy of the linearization less the network's, the mean over indices below 300, and of that the mean of seeds
-- low: the end of its 95 % interval over seeds, by Student's t; none for one seed
-- crossing: the smallest j at which the network is ahead in every seed and stays so; none if there is none
WITH trends AS (
    SELECT
        study, variant, min(position) AS position, family, seed, min_by(setting_id, position) AS setting_id,
        count(advantage) FILTER (task_index < 300) AS indices,
        count(*) FILTER (diverged) AS diverged,
        kendall(task_index, test_accuracy) AS tau_network,
        kendall(task_index, linearization_accuracy) AS tau_linearization,
        -avg(advantage) FILTER (task_index < 300) AS ahead,
        max(task_index) FILTER (advantage <= 0) AS linear_until,
        list(task_index ORDER BY task_index) FILTER (advantage IS NOT NULL) AS indices_done,
        flatten(list([run_id, linearization]) FILTER (advantage IS NOT NULL)) AS runs
    FROM study_run JOIN comparisons USING (run_id)
    WHERE task_kind = 'eigenfunction' AND (advantage IS NOT NULL OR diverged)
    GROUP BY ALL
)
SELECT
    study, variant, min_by(setting_id, position) AS setting_id,
    count(*) FILTER (indices >= 4) AS seeds,
    sum(diverged)::BIGINT AS diverged,
    avg(tau_network) AS tau_network,
    avg(tau_linearization) AS tau_linearization,
    avg(ahead) AS ahead,
    avg(ahead) - half_width(ahead) AS low,
    avg(ahead) + half_width(ahead) AS high,
    list_min(list_filter(
        any_value(indices_done), lambda j: j > coalesce(max(linear_until), 0)
    )) AS crossing,
    CASE
        WHEN min(indices) >= 4
            THEN avg(tau_network) <= -0.5 AND avg(tau_linearization) <= -0.5
                AND avg(ahead) - coalesce(half_width(ahead), 0) > 0
    END AS holds,
    flatten(list(runs)) AS runs
FROM trends
GROUP BY study, variant, family
ORDER BY study, variant, min(position)
