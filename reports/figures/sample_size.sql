-- title: Test accuracy on the two-class labels, and distance travelled, against the size of the training set (Fig. 5)
-- study: sample_size
-- along: data_train, data_test, train_batch_size, train_linearize, task_positive
-- drawing: lines
-- x: training samples
-- scale: log x, log ‖θ − θ0‖
FROM (
    SELECT
        study, variant, position, setting_id, seeds, left_out, line, data_train AS x,
        unnest([
            {number: 1, facet: 'test accuracy', y: test_accuracy, low: test_accuracy_min, high: test_accuracy_max},
            {number: 2, facet: '‖θ − θ0‖', y: distance_l2, low: distance_l2_min, high: distance_l2_max}
        ], recursive := true)
    FROM averages
    WHERE line IN ('network', 'linearization') AND seeds + left_out > 0
)
ORDER BY study, variant, position, number
