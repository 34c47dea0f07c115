-- claim: 2, first half. On the labels sign φⱼ the linearization beats the network (Fig. 2).
-- study: eigenfunctions
-- along: task, train_epochs
-- threshold: the mean of seeds of `ahead` is above 0, and so is its 95 % interval; and at no index is the network ahead in the same sense; at least four indices
-- ahead: test accuracy of the linearization less the network's, the mean over indices j, and of that the mean of seeds
-- low: the end of its 95 % interval over seeds, by Student's t; none for one seed
-- least: the least of any index and seed
-- behind: the indices at which the network is ahead, in the mean of seeds and in its own 95 % interval, of those of which all seeds are done
SELECT
    study, variant, min_by(setting_id, position) AS setting_id, way,
    count(*) FILTER (indices >= 4) AS seeds,
    sum(left_out)::BIGINT AS left_out,
    avg(-mean_advantage) AS ahead,
    avg(-mean_advantage) - half_width(-mean_advantage) AS low,
    avg(-mean_advantage) + half_width(-mean_advantage) AS high,
    -max(largest_advantage) AS least,
    array_to_string(behind, ', ') AS behind,
    CASE WHEN min(indices) >= 4 THEN reaches(-mean_advantage, 0) AND behind IS NULL END AS holds,
    flatten(list(runs)) AS runs
FROM index_trends JOIN reversals USING (study, variant, family, way)
WHERE task_kind = 'eigenfunction'
GROUP BY study, variant, family, way, behind
ORDER BY study, variant, min(position), way
