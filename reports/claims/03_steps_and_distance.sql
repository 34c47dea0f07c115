-- claim: 3. Steps to fit the labels sign φⱼ, and the distance travelled, grow with j (Fig. 3, 13, 14).
-- study: eigenfunctions
-- along: task, train_epochs
-- threshold: both of Kendall's τ are at least ½ in the mean of seeds, and their 95 % intervals are above 0; at least four indices
-- line: the network, or its linearization
-- tau_steps: Kendall's τ of j and the steps to a loss of 0.01, the mean of seeds; trainings that never reach it come last, as equals
-- low: the end of the 95 % interval of tau_steps over seeds, by Student's t; none for one seed
-- tau_distance: the same of j and ‖θ − θ0‖₂
-- low_distance: the end of its 95 % interval
WITH trends AS (
    SELECT
        study, variant, min(position) AS position, family, line, seed, min_by(setting_id, position) AS setting_id,
        count(distance_l2) AS indices,
        count(*) FILTER (diverged) AS diverged,
        kendall(task_index, CASE WHEN distance_l2 IS NOT NULL THEN coalesce(steps_to_fit, 1e300) END) AS tau_steps,
        kendall(task_index, distance_l2) AS tau_distance,
        list(run_id) FILTER (distance_l2 IS NOT NULL) AS runs
    FROM study_run JOIN trainings USING (run_id)
    WHERE task_kind = 'eigenfunction' AND line IN ('network', 'linearization')
        AND (distance_l2 IS NOT NULL OR diverged)
    GROUP BY ALL
)
SELECT
    study, variant, min_by(setting_id, position) AS setting_id, line,
    count(*) FILTER (indices >= 4) AS seeds,
    sum(diverged)::BIGINT AS diverged,
    avg(tau_steps) AS tau_steps,
    avg(tau_steps) - half_width(tau_steps) AS low,
    avg(tau_steps) + half_width(tau_steps) AS high,
    avg(tau_distance) AS tau_distance,
    avg(tau_distance) - half_width(tau_distance) AS low_distance,
    CASE
        WHEN min(indices) >= 4
            THEN avg(tau_steps) >= 0.5 AND avg(tau_steps) - coalesce(half_width(tau_steps), 0) > 0
                AND avg(tau_distance) >= 0.5 AND avg(tau_distance) - coalesce(half_width(tau_distance), 0) > 0
    END AS holds,
    flatten(list(runs)) AS runs
FROM trends
GROUP BY study, variant, family, line
ORDER BY study, variant, min(position)
