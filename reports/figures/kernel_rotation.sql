-- title: Alignment of the NTK with its initial eigenfunctions, before and after training on one of them (Fig. 7, 15, 16)
-- study: kernel_rotation
WITH panels AS (
    SELECT
        study, variant, min(position) AS position, setting_id, target,
        count(target_growth) AS seeds,
        count(*) FILTER (left_out) AS left_out,
        median(target_growth / neighbours_growth) AS over_neighbours,
        min(target_growth / neighbours_growth) AS over_neighbours_min,
        max(target_growth / neighbours_growth) AS over_neighbours_max,
        median(target_growth / median_growth) AS over_median
    FROM study_run JOIN rotations USING (run_id)
    WHERE train_linearize IS NULL
    GROUP BY ALL
    HAVING seeds + left_out > 0
),
alphas AS (
    SELECT
        study, variant, setting_id, j,
        median(alpha_start) AS alpha_start,
        median(alpha_end) AS alpha_end,
        min(alpha_end) AS alpha_end_min,
        max(alpha_end) AS alpha_end_max
    FROM study_run JOIN growths USING (run_id)
    WHERE run_id NOT IN (SELECT run_id FROM rotations WHERE left_out)
    GROUP BY ALL
)
FROM panels LEFT JOIN alphas USING (study, variant, setting_id)
ORDER BY study, variant, position, j
