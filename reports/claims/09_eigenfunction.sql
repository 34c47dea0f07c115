-- claim: 9, first half. On the labels sign φⱼ the test accuracy of the linearization falls within a few epochs of training the network on them (Fig. 9).
-- study: pretrained_kernel
-- along: train_linearize
-- threshold: the mean of seeds is below 0, and so is its 95 % interval
-- change: test accuracy of the linearization around the weights after five epochs less that of the one at initialization, the mean of seeds
-- low: the end of its 95 % interval over seeds, by Student's t; none for one seed
-- at_start: test accuracy of the linearization at initialization, the mean of seeds
-- after_one: that of the one around the weights after one epoch
-- after_five: that of the one around the weights after five epochs
SELECT
    study, variant, min_by(setting_id, position) AS setting_id, way,
    count(change) AS seeds,
    count(*) FILTER (left_out) AS left_out,
    avg(change) AS change,
    avg(change) - half_width(change) AS low,
    avg(change) + half_width(change) AS high,
    avg(at_start) AS at_start,
    avg(after_one) AS after_one,
    avg(after_five) AS after_five,
    reaches(-change, 0) AS holds,
    flatten(list(runs)) AS runs
FROM pretrainings
WHERE task_kind = 'eigenfunction'
GROUP BY study, variant, family, way, task
ORDER BY study, variant, min(position), way
