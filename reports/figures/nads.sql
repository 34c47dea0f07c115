-- title: Test accuracy of linear predictors along the NADs against their index (Fig. 4)
-- study: nads
-- along: task, train_linearize
-- drawing: lines
-- x: index j of the NAD
-- y: test accuracy (mean and range of seeds)
-- scale: log x
SELECT
    study, variant, position, setting_id, seeds, left_out, line,
    task_index AS x, test_accuracy AS y, test_accuracy_min AS low, test_accuracy_max AS high
FROM averages
WHERE line IN ('network', 'linearization') AND seeds + left_out > 0
ORDER BY study, variant, position
