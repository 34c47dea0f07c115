-- claim: 6. Energy concentration rises strongly in training (Fig. 6, Table 1): at the end it is more than at the start, for every seed.
-- study: studies/kernel_rotation.yaml
WITH ends AS (
    SELECT
        run_id, variant, data_kind, model_kind, task_kind, task_index AS target, probe_top AS top, seed,
        min_by(value, epoch) AS at_start, max_by(value, epoch) AS at_end
    FROM study_run JOIN curves USING (run_id)
    WHERE probe_kind = 'energy_concentration' AND curves.name = 'energy_concentration' AND status = 'done'
        AND train_linearize IS NULL
    GROUP BY ALL
    HAVING count(DISTINCT epoch) > 1
)
SELECT
    variant, data_kind, model_kind, task_kind, target, top,
    count(*) AS seeds,
    median(at_start) AS at_start,
    median(at_end) AS at_end,
    min(at_end - at_start) AS least_rise,
    bool_and(at_end > at_start) AS holds
FROM ends
GROUP BY ALL
ORDER BY ALL
