-- claim: 7, second half. All alignments rise (Fig. 7): α grows for at least 99 % of the eigenfunctions that were probed, for every seed.
-- study: kernel_rotation
-- threshold: for every seed at least 99 % of the alignments grow
-- least_share_rising: the share of the eigenfunctions whose α grew, of those that start above rounding; the least of seeds
-- median_growth: the median growth of all eigenfunctions, and of that the median of seeds
SELECT
    study, variant, setting_id,
    count(share_rising) AS seeds,
    count(*) FILTER (left_out) AS left_out,
    min(share_rising) AS least_share_rising,
    median(median_growth) AS median_growth,
    bool_and(share_rising >= 0.99) AS holds,
    list(run_id ORDER BY run_id) FILTER (share_rising IS NOT NULL) AS runs
FROM study_run JOIN rotations USING (run_id)
WHERE train_linearize IS NULL
GROUP BY ALL
HAVING seeds + left_out > 0
ORDER BY study, variant, min(position)
