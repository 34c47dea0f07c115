-- title: Energy concentration of the training labels on the NTK's first K eigenfunctions while it trains (Fig. 6)
-- study: studies/kernel_rotation.yaml
SELECT
    variant, data_kind, model_kind, task_kind, task_index AS target, probe_top AS top,
    epoch,
    count(*) AS seeds,
    median(value) AS concentration,
    min(value) AS concentration_min,
    max(value) AS concentration_max
FROM study_run JOIN curves USING (run_id)
WHERE probe_kind = 'energy_concentration' AND curves.name = 'energy_concentration' AND status = 'done'
    AND train_linearize IS NULL
GROUP BY ALL
ORDER BY variant, data_kind, model_kind, task_kind, target, top, epoch
