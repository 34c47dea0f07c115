-- claim: 2, first half. On the labels sign φⱼ the linearization beats the network (Fig. 2).
-- study: eigenfunctions
-- along: task, train_epochs
-- threshold: the mean of seeds of `ahead` is above 0, and so is its 95 % interval; and at no index is the network ahead in the same sense; at least four indices
-- ahead: test accuracy of the linearization less the network's, the mean over indices j, and of that the mean of seeds
-- low: the end of its 95 % interval over seeds, by Student's t; none for one seed
-- least: the least of any index and seed
-- behind: the indices at which the network is ahead, in the mean of seeds and in its own 95 % interval, of those of which all seeds are done
WITH differences AS (
    SELECT
        study, variant, min(position) AS position, family, way, seed, min_by(setting_id, position) AS setting_id,
        count(advantage) AS indices,
        count(*) FILTER (left_out) AS left_out,
        -avg(advantage) AS ahead,
        -max(advantage) AS least,
        flatten(list([run_id, linearization] ORDER BY run_id) FILTER (advantage IS NOT NULL)) AS runs
    FROM study_run JOIN comparisons USING (run_id)
    WHERE task_kind = 'eigenfunction' AND (advantage IS NOT NULL OR left_out)
    GROUP BY ALL
)
SELECT
    study, variant, min_by(setting_id, position) AS setting_id, way,
    count(*) FILTER (indices >= 4) AS seeds,
    sum(left_out)::BIGINT AS left_out,
    avg(ahead) AS ahead,
    avg(ahead) - half_width(ahead) AS low,
    avg(ahead) + half_width(ahead) AS high,
    min(least) AS least,
    array_to_string(behind, ', ') AS behind,
    CASE WHEN min(indices) >= 4 THEN reaches(ahead, 0) AND behind IS NULL END AS holds,
    flatten(list(runs)) AS runs
FROM differences JOIN reversals USING (study, variant, family, way)
GROUP BY study, variant, family, way, behind
ORDER BY study, variant, min(position), way
