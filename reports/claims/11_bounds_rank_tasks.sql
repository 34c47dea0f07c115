-- claim: 11, ours. The expression of equation 2 ranks tasks as the measured gap between train and test accuracy does: a ranking, never a guarantee.
-- study: bounds
-- along: task, train_epochs
-- threshold: Kendall's τ of the expression of equation 2 and the gap is at least ½ in the mean of seeds, and its 95 % interval is above 0; at least five tasks
-- line: the network, or its linearization
-- tau: Kendall's τ of the expression of equation 2 and the gap over tasks, the mean of seeds
-- low: the end of its 95 % interval over seeds, by Student's t; none for one seed
-- tau_norm: the same of the bound of Lemma 1, which decides nothing
-- tasks: how many there are
WITH ranked AS (
    SELECT
        study, variant, min(position) AS position, family, way, line, seed, min_by(setting_id, position) AS setting_id,
        count(gap) AS tasks,
        count(*) FILTER (left_out) AS left_out,
        kendall(bound, gap) AS tau,
        kendall(norm_bound, gap) AS tau_norm,
        list(run_id ORDER BY run_id) FILTER (gap IS NOT NULL) AS runs
    FROM study_run JOIN bounds USING (run_id)
    WHERE line IN ('network', 'linearization') AND bound IS NOT NULL AND (gap IS NOT NULL OR left_out)
    GROUP BY ALL
)
SELECT
    study, variant, min_by(setting_id, position) AS setting_id, line, way,
    count(*) FILTER (tasks >= 5) AS seeds,
    sum(left_out)::BIGINT AS left_out,
    avg(tau) AS tau,
    lower_end(tau) AS low,
    upper_end(tau) AS high,
    avg(tau_norm) AS tau_norm,
    min(tasks) AS tasks,
    CASE WHEN min(tasks) >= 5 THEN reaches(tau, 0.5) END AS holds,
    flatten(list(runs)) AS runs
FROM ranked
GROUP BY study, variant, family, way, line
ORDER BY study, variant, min(position), way
