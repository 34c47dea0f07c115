-- claim: 3. Steps to fit the labels sign φⱼ, and the distance travelled, grow with j (Fig. 3, 13, 14).
-- study: eigenfunctions
-- along: task, train_epochs
-- threshold: both of Kendall's τ are at least ½ in the mean of seeds, and their 95 % intervals are above 0; at least four indices, of which every seed reaches the loss at one at least; of networks, as those figures are
-- tau_steps: Kendall's τ of j and the steps to a loss of 0.01, the mean of seeds; trainings that never reach it come last, and two of these are no pair
-- low: the end of the 95 % interval of tau_steps over seeds, by Student's t; none for one seed
-- tau_distance: the same of j and ‖θ − θ0‖₂
-- low_distance: the lower end of its 95 % interval
-- high_distance: the upper end
WITH trends AS (
    SELECT
        study, variant, min(position) AS position, family, seed, min_by(setting_id, position) AS setting_id,
        count(distance_l2) AS indices,
        count(*) FILTER (left_out) AS left_out,
        count(steps_to_fit) AS fitted,
        kendall(task_index, CASE WHEN distance_l2 IS NOT NULL THEN coalesce(steps_to_fit, 1e300) END) * indices * (indices - 1)
            / nullif(indices * (indices - 1) - (indices - fitted) * (indices - fitted - 1), 0) AS tau_steps,
        kendall(task_index, distance_l2) AS tau_distance,
        list(run_id ORDER BY run_id) FILTER (distance_l2 IS NOT NULL) AS runs
    FROM study_run JOIN trainings USING (run_id)
    WHERE task_kind = 'eigenfunction' AND line = 'network' AND (distance_l2 IS NOT NULL OR left_out)
    GROUP BY ALL
)
SELECT
    study, variant, min_by(setting_id, position) AS setting_id,
    count(*) FILTER (indices >= 4 AND tau_steps IS NOT NULL) AS seeds,
    sum(left_out)::BIGINT AS left_out,
    avg(tau_steps) AS tau_steps,
    lower_end(tau_steps) AS low,
    upper_end(tau_steps) AS high,
    avg(tau_distance) AS tau_distance,
    lower_end(tau_distance) AS low_distance,
    upper_end(tau_distance) AS high_distance,
    CASE
        WHEN min(indices) >= 4 AND count(tau_steps) = count(*)
            THEN reaches(tau_steps, 0.5) AND reaches(tau_distance, 0.5)
    END AS holds,
    flatten(list(runs)) AS runs
FROM trends
GROUP BY study, variant, family
ORDER BY study, variant, min(position)
