-- title: Alignment of the NTK with its initial eigenfunctions, before and after training on one of them (Fig. 7, 15, 16)
-- study: studies/kernel_rotation.yaml
-- Neighbours of the target j: the ten eigenfunctions before it and the ten after it.
WITH alphas AS (
    SELECT
        run_id, study, variant, data_kind, model_kind, task_index AS target, seed,
        j, min_by(value, epoch) AS alpha_start, max_by(value, epoch) AS alpha_end
    FROM study_run JOIN spectra USING (run_id)
    WHERE probe_kind = 'alignment' AND spectra.name = 'alignment' AND task_kind = 'eigenfunction'
        AND train_linearize IS NULL AND status = 'done'
    GROUP BY ALL
    HAVING count(DISTINCT epoch) > 1
),
growths AS (SELECT *, alpha_end / alpha_start AS growth FROM alphas),
ratios AS (
    SELECT
        run_id, study, variant, data_kind, model_kind, target,
        any_value(growth) FILTER (j = target) AS target_growth,
        median(growth) FILTER (j <> target AND abs(j - target) <= 10) AS neighbours_growth,
        median(growth) AS median_growth
    FROM growths
    GROUP BY ALL
),
panels AS (
    SELECT
        study, variant, data_kind, model_kind, target,
        count(*) AS seeds,
        median(target_growth / neighbours_growth) AS over_neighbours,
        min(target_growth / neighbours_growth) AS over_neighbours_min,
        max(target_growth / neighbours_growth) AS over_neighbours_max,
        median(target_growth / median_growth) AS over_median
    FROM ratios
    GROUP BY ALL
)
SELECT
    variant, data_kind, model_kind, target, seeds,
    over_neighbours, over_neighbours_min, over_neighbours_max, over_median,
    j,
    median(alpha_start) AS alpha_start,
    median(alpha_end) AS alpha_end,
    min(alpha_end) AS alpha_end_min,
    max(alpha_end) AS alpha_end_max
FROM growths JOIN panels USING (study, variant, data_kind, model_kind, target)
GROUP BY ALL
ORDER BY variant, data_kind, model_kind, target, j
