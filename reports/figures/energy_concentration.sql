-- title: Energy concentration of the training labels on the NTK's first K eigenfunctions while it trains (Fig. 6)
-- study: kernel_rotation, energy_concentration
SELECT
    study, variant, min(position) AS position, setting_id, epoch,
    count(value) AS seeds,
    count(*) FILTER (left_out OR (status = 'done' AND value IS NULL)) AS left_out,
    median(value) AS concentration,
    min(value) AS concentration_min,
    max(value) AS concentration_max
FROM study_run JOIN probes USING (run_id) LEFT JOIN (
    SELECT run_id, epoch, value FROM curves WHERE name = 'energy_concentration' AND status = 'done'
) AS measured ON measured.run_id = probes.run_id AND NOT left_out
WHERE probe_kind = 'energy_concentration' AND probe_label IS DISTINCT FROM 'table 1' AND train_linearize IS NULL
GROUP BY ALL
HAVING seeds + left_out > 0
ORDER BY study, variant, position, epoch
