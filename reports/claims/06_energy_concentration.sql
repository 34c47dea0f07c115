-- claim: 6. Energy concentration of the two-class labels rises in training (Fig. 6, Table 1): at the end it is more than at the start, for every seed.
-- study: kernel_rotation, energy_concentration
-- threshold: for every seed the energy concentration at the end is more than at the start
-- rise: at_end − at_start, the mean of seeds
-- low: the end of its 95 % interval over seeds, by Student's t; none for one seed
-- at_start: energy concentration ‖Φ_K y‖ / ‖y‖ at initialization, the mean of seeds; K is the probe's `top`
-- at_end: the same after training
-- least_rise: the least of at_end − at_start over seeds
WITH ends AS (
    SELECT run_id, arg_min_null(value, epoch) AS at_start, arg_max_null(value, epoch) AS at_end
    FROM curves
    WHERE name = 'energy_concentration' AND status = 'done'
    GROUP BY run_id
    HAVING count(DISTINCT epoch) > 1
)
SELECT
    study, variant, setting_id,
    count(at_end - at_start) AS seeds,
    count(*) FILTER (diverged OR (ends.run_id IS NOT NULL AND at_end - at_start IS NULL)) AS left_out,
    avg(at_start) AS at_start,
    avg(at_end) AS at_end,
    avg(at_end - at_start) AS rise,
    avg(at_end - at_start) - half_width(at_end - at_start) AS low,
    avg(at_end - at_start) + half_width(at_end - at_start) AS high,
    min(at_end - at_start) AS least_rise,
    bool_and(at_end > at_start) AS holds,
    list(run_id ORDER BY run_id) FILTER (at_end - at_start IS NOT NULL) AS runs
FROM study_runs LEFT JOIN ends USING (run_id)
WHERE probe_kind = 'energy_concentration' AND probe_label IS DISTINCT FROM 'figure 6' AND train_linearize IS NULL
    AND task_kind = 'binary_classes'
GROUP BY ALL
HAVING seeds + left_out > 0
ORDER BY study, variant, min(position)
