-- claim: 2, first half. On the labels sign φⱼ the linearization beats the network (Fig. 2).
-- study: eigenfunctions
-- along: task, train_epochs
-- threshold: the mean of seeds is above 0, and so is its 95 % interval; at least four indices
-- ahead: test accuracy of the linearization less the network's, the mean over indices j, and of that the mean of seeds
-- low: the end of its 95 % interval over seeds, by Student's t; none for one seed
-- least: the least of any index and seed
-- share: the share of indices and seeds at which the linearization is at least as good
WITH differences AS (
    SELECT
        study, variant, min(position) AS position, family, seed, min_by(setting_id, position) AS setting_id,
        count(advantage) AS indices,
        count(*) FILTER (diverged) AS diverged,
        -avg(advantage) AS ahead,
        -max(advantage) AS least,
        avg((advantage <= 0)::INTEGER) AS share,
        flatten(list([run_id, linearization]) FILTER (advantage IS NOT NULL)) AS runs
    FROM study_run JOIN comparisons USING (run_id)
    WHERE task_kind = 'eigenfunction' AND (advantage IS NOT NULL OR diverged)
    GROUP BY ALL
)
SELECT
    study, variant, min_by(setting_id, position) AS setting_id,
    count(*) FILTER (indices >= 4) AS seeds,
    sum(diverged)::BIGINT AS diverged,
    avg(ahead) AS ahead,
    avg(ahead) - half_width(ahead) AS low,
    avg(ahead) + half_width(ahead) AS high,
    min(least) AS least,
    avg(share) AS share,
    CASE WHEN min(indices) >= 4 THEN avg(ahead) - coalesce(half_width(ahead), 0) > 0 END AS holds,
    flatten(list(runs)) AS runs
FROM differences
GROUP BY study, variant, family
ORDER BY study, variant, min(position)
