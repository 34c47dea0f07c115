-- title: Energy concentration of the training labels on the NTK's first K eigenfunctions while it trains (Fig. 6)
-- study: kernel_rotation, energy_concentration
SELECT
    study, variant, min(position) AS position, setting_id, epoch,
    count(value) AS seeds,
    count(*) FILTER (diverged OR (status = 'done' AND value IS NULL)) AS left_out,
    median(value) AS concentration,
    min(value) AS concentration_min,
    max(value) AS concentration_max
FROM study_runs LEFT JOIN (
    SELECT run_id, epoch, value FROM curves
    WHERE name = 'energy_concentration' AND status = 'done' AND run_id NOT IN (
        SELECT dependency.run_id FROM dependency JOIN trainings ON trainings.run_id = needs WHERE left_out
    )
) AS measured USING (run_id)
WHERE probe_kind = 'energy_concentration' AND probe_label IS DISTINCT FROM 'table 1' AND train_linearize IS NULL
GROUP BY ALL
HAVING seeds + left_out > 0
ORDER BY study, variant, position, epoch
