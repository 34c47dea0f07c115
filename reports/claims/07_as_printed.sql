-- claim: 7, as printed. Training on sign φ_j raises α(φ_j) more than α of any other eigenfunction that was probed, for every seed (Fig. 7, 15, 16).
-- study: studies/kernel_rotation.yaml
WITH alphas AS (
    SELECT
        run_id, variant, data_kind, model_kind, task_index AS target, seed, j,
        max_by(value, epoch) / min_by(value, epoch) AS growth
    FROM study_run JOIN spectra USING (run_id)
    WHERE probe_kind = 'alignment' AND spectra.name = 'alignment' AND task_kind = 'eigenfunction'
        AND train_linearize IS NULL AND status = 'done'
    GROUP BY ALL
    HAVING count(DISTINCT epoch) > 1
),
growths AS (
    SELECT
        run_id, variant, data_kind, model_kind, target,
        any_value(growth) FILTER (j = target) AS target_growth,
        median(growth) FILTER (j <> target AND abs(j - target) <= 10) AS neighbours_growth,
        max(growth) FILTER (j <> target AND abs(j - target) <= 10) AS best_neighbour_growth,
        max(growth) FILTER (j <> target) AS best_other_growth,
        median(growth) AS median_growth,
        avg((growth > 1)::INTEGER) AS share_rising
    FROM alphas
    GROUP BY ALL
)
SELECT
    variant, data_kind, model_kind, target,
    count(*) AS seeds,
    median(target_growth / neighbours_growth) AS over_neighbours,
    median(target_growth / median_growth) AS over_median,
    min(target_growth / best_neighbour_growth) AS least_over_best_neighbour,
    min(target_growth / best_other_growth) AS least_over_any_other,
    bool_and(target_growth > best_other_growth) AS holds
FROM growths
GROUP BY ALL
ORDER BY ALL
