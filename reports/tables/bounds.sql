-- table: Bounds of the kernel at initialization beside the measured gap, a line for each task
-- study: bounds
-- bound: the expression of equation 2, sqrt(yᵀΘ⁻¹y · mean Θ(x,x) / m), up to an unknown constant; the mean of seeds
-- norm_bound: the lower bound of Lemma 1, ‖y‖² / α(y), of the RKHS norm yᵀΘ⁻¹y
-- gap: train less test accuracy
-- accuracy: on the test samples
SELECT
    study, variant, setting_id,
    count(gap) AS seeds,
    count(*) FILTER (left_out) AS left_out,
    avg(bound) AS bound,
    avg(norm_bound) AS norm_bound,
    avg(gap) AS gap,
    avg(test_accuracy) AS accuracy
FROM study_run JOIN bounds USING (run_id)
WHERE line IN ('network', 'linearization') AND (bound IS NOT NULL OR left_out)
GROUP BY ALL
HAVING seeds + left_out > 0
ORDER BY study, variant, min(position)
