-- title: Test accuracy on the labels sign φⱼ against the index j; dashed: the two-class labels (Fig. 2)
-- study: eigenfunctions
-- along: task, train_epochs, train_linearize
-- drawing: lines
-- x: index j of the eigenfunction φⱼ
-- y: test accuracy (mean and range of seeds)
-- scale: log x
SELECT
    study, variant, position, setting_id, seeds, left_out, line,
    task_index AS x, test_accuracy AS y, test_accuracy_min AS low, test_accuracy_max AS high
FROM averages
WHERE line IN ('network', 'linearization') AND seeds + left_out > 0
ORDER BY study, variant, position
