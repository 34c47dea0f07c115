-- claim: 7, as printed. Training on sign φ_j raises α(φ_j) more than α of any other eigenfunction that was probed, for every seed (Fig. 7, 15, 16).
-- study: kernel_rotation
-- threshold: for every seed the target's growth is more than every other eigenfunction's
-- low: the end of the 95 % interval, by Student's t of its logarithm over seeds, of the target's growth over the largest of any other; none for one seed
-- over_neighbours: the target's growth over the median growth of its neighbours, the median of seeds
-- over_median: the target's growth over the median growth of all eigenfunctions, the median of seeds
-- least_over_best_neighbour: the target's growth over the largest of a neighbour, the least of seeds
-- least_over_any_other: the target's growth over the largest of any other eigenfunction, the least of seeds
SELECT
    study, variant, setting_id,
    count(target_growth) AS seeds,
    count(*) FILTER (left_out) AS left_out,
    median(target_growth / neighbours_growth) AS over_neighbours,
    median(target_growth / median_growth) AS over_median,
    exp(avg(ln(target_growth / best_other_growth)) - half_width(ln(target_growth / best_other_growth))) AS low,
    exp(avg(ln(target_growth / best_other_growth)) + half_width(ln(target_growth / best_other_growth))) AS high,
    min(target_growth / best_neighbour_growth) AS least_over_best_neighbour,
    min(target_growth / best_other_growth) AS least_over_any_other,
    bool_and(target_growth > best_other_growth) AS holds,
    list(run_id ORDER BY run_id) FILTER (target_growth IS NOT NULL) AS runs
FROM study_run JOIN rotations USING (run_id)
WHERE train_linearize IS NULL
GROUP BY ALL
HAVING seeds + left_out > 0
ORDER BY study, variant, min(position)
