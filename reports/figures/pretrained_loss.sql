-- title: Training loss of the network, of its linearization, and of the centred linearization around the trained weights (Fig. 8)
-- study: pretrained_kernel
-- along: train_linearize
-- drawing: lines
-- x: epoch
-- y: training loss (mean and range of seeds)
-- scale: log y
WITH losses AS (SELECT run_id, epoch, value FROM curves WHERE name = 'loss' AND split = 'train' AND status = 'done')
SELECT
    study, variant, min(position) AS position, setting_id, line, losses.epoch AS x,
    count(value) AS seeds,
    count(*) FILTER (left_out) AS left_out,
    avg(value) AS y,
    min(value) AS low,
    max(value) AS high
FROM study_run JOIN trainings USING (run_id) LEFT JOIN losses ON losses.run_id = trainings.run_id AND NOT left_out
WHERE line IN ('network', 'linearization') OR line LIKE 'centred%'
GROUP BY ALL
HAVING seeds + left_out > 0
ORDER BY study, variant, position, x
