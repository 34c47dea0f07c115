-- claim: 5. For some networks the advantage over the linearization on the two-class labels grows with the number of samples, and so does the distance travelled (Fig. 5).
-- study: sample_size
-- along: data_train, train_batch_size
-- threshold: both of Kendall's τ are at least ½ in the mean of seeds, and their 95 % intervals are above 0; at least four sizes
-- tau_advantage: Kendall's τ of the number of training samples and the network's test accuracy less its linearization's, the mean of seeds
-- low: the end of the 95 % interval of tau_advantage over seeds, by Student's t; none for one seed
-- tau_distance: the same of the number of samples and the network's ‖θ − θ0‖₂
-- first: the advantage at the smallest size, the mean of seeds
-- last: the advantage at the largest size, the mean of seeds
WITH sized AS (
    SELECT
        comparisons.*, study, variant, position,
        md5(json_merge_patch(spec, '{"seed": null, "data": {"train": null}, "train": {"batch_size": null}}')) AS network
    FROM study_run JOIN comparisons USING (run_id) JOIN run USING (run_id)
    WHERE task_kind = 'binary_classes' AND (advantage IS NOT NULL OR comparisons.diverged)
),
trends AS (
    SELECT
        study, variant, min(position) AS position, network, seed, min_by(setting_id, position) AS setting_id,
        count(advantage) AS sizes,
        count(*) FILTER (diverged) AS diverged,
        kendall(data_train, advantage) AS tau_advantage,
        kendall(data_train, CASE WHEN advantage IS NOT NULL THEN distance_l2 END) AS tau_distance,
        arg_min(advantage, data_train) AS first,
        arg_max(advantage, data_train) AS last,
        flatten(list([run_id, linearization]) FILTER (advantage IS NOT NULL)) AS runs
    FROM sized
    GROUP BY ALL
)
SELECT
    study, variant, min_by(setting_id, position) AS setting_id,
    count(*) FILTER (sizes >= 4) AS seeds,
    sum(diverged)::BIGINT AS diverged,
    avg(tau_advantage) AS tau_advantage,
    avg(tau_advantage) - half_width(tau_advantage) AS low,
    avg(tau_advantage) + half_width(tau_advantage) AS high,
    avg(tau_distance) AS tau_distance,
    avg(first) AS first,
    avg(last) AS last,
    CASE
        WHEN min(sizes) >= 4
            THEN avg(tau_advantage) >= 0.5 AND avg(tau_advantage) - coalesce(half_width(tau_advantage), 0) > 0
                AND avg(tau_distance) >= 0.5 AND avg(tau_distance) - coalesce(half_width(tau_distance), 0) > 0
    END AS holds,
    flatten(list(runs)) AS runs
FROM trends
GROUP BY study, variant, network
ORDER BY study, variant, min(position)
