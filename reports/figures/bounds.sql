-- title: The expression of equation 2, of the kernel at initialization, and the gap between train and test accuracy: a point for each task
-- study: bounds
-- along: task, train_epochs, train_linearize
-- drawing: lines
-- style: points
-- x: bound of equation 2, up to a constant
-- y: train less test accuracy
-- scale: log x
SELECT
    study, variant, min(position) AS position, setting_id, line,
    count(gap) AS seeds,
    count(*) FILTER (left_out) AS left_out,
    avg(bound) FILTER (gap IS NOT NULL) AS x,
    avg(gap) AS y,
    min(gap) AS low,
    max(gap) AS high
FROM study_run JOIN bounds USING (run_id)
WHERE line IN ('network', 'linearization') AND (bound IS NOT NULL OR left_out)
GROUP BY ALL
HAVING seeds + left_out > 0
ORDER BY study, variant, position
