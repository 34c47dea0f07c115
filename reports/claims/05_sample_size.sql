-- claim: 5. For some networks the advantage over the linearization on the two-class labels grows with the number of samples, and so does the distance travelled (Fig. 5).
-- study: sample_size
-- along: data_train, train_batch_size
-- threshold: both of Kendall's τ are at least ½ in the mean of seeds, and their 95 % intervals are above 0; at least four sizes, of which all seeds are done that have so many
-- tau_advantage: Kendall's τ of the number of training samples and the network's test accuracy less its linearization's, the mean of seeds
-- low: the end of the 95 % interval of tau_advantage over seeds, by Student's t; none for one seed
-- tau_distance: the same of the number of samples and the network's ‖θ − θ0‖₂
-- first: the advantage at the smallest size of which those seeds are done, the mean of seeds
-- last: the advantage at the largest of these
-- largest: that size, in training samples
WITH sized AS (
    SELECT
        comparisons.*, study, variant, position,
        md5(json_merge_patch(spec, '{"seed": null, "data": {"train": null}, "train": {"batch_size": null}}')) AS network
    FROM study_run JOIN comparisons USING (run_id) JOIN run USING (run_id)
    WHERE task_kind = 'binary_classes' AND (advantage IS NOT NULL OR comparisons.left_out)
),
counted AS (
    SELECT
        * EXCLUDE (advantage),
        CASE
            WHEN count(advantage) OVER (PARTITION BY study, variant, network, way, seed) >= 4 THEN advantage
        END AS advantage
    FROM sized
),
complete AS (
    SELECT
        * EXCLUDE (advantage),
        CASE
            WHEN count(DISTINCT seed) FILTER (advantage IS NOT NULL) OVER of_size
                = count(DISTINCT seed) FILTER (advantage IS NOT NULL) OVER of_all
                THEN advantage
        END AS advantage
    FROM counted
    WINDOW
        of_size AS (PARTITION BY study, variant, network, way, data_train),
        of_all AS (PARTITION BY study, variant, network, way)
),
trends AS (
    SELECT
        study, variant, min(position) AS position, network, way, seed, min_by(setting_id, position) AS setting_id,
        count(advantage) AS sizes,
        count(*) FILTER (left_out) AS left_out,
        kendall(data_train, advantage) AS tau_advantage,
        kendall(data_train, CASE WHEN advantage IS NOT NULL THEN distance_l2 END) AS tau_distance,
        arg_min(advantage, data_train) AS first,
        arg_max(advantage, data_train) AS last,
        max(data_train) FILTER (advantage IS NOT NULL) AS largest,
        flatten(list([run_id, linearization] ORDER BY run_id) FILTER (advantage IS NOT NULL)) AS runs
    FROM complete
    GROUP BY study, variant, network, way, seed
)
SELECT
    study, variant, min_by(setting_id, position) AS setting_id, way,
    count(*) FILTER (sizes >= 4) AS seeds,
    sum(left_out)::BIGINT AS left_out,
    avg(tau_advantage) AS tau_advantage,
    lower_end(tau_advantage) AS low,
    upper_end(tau_advantage) AS high,
    avg(tau_distance) AS tau_distance,
    avg(first) AS first,
    avg(last) AS last,
    max(largest) AS largest,
    CASE WHEN max(sizes) >= 4 THEN reaches(tau_advantage, 0.5) AND reaches(tau_distance, 0.5) END AS holds,
    flatten(list(runs)) AS runs
FROM trends
GROUP BY study, variant, network, way
ORDER BY study, variant, min(position), way
