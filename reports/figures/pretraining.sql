-- title: Test accuracy of the linearization around the weights after e epochs of training the network; dashed: the network (Fig. 9)
-- study: pretrained_kernel
-- along: train_linearize
-- drawing: lines
-- x: epochs e of the network before it is linearized
-- y: test accuracy (mean and range of seeds)
-- scale: symlog x
SELECT
    study, variant, position, setting_id, seeds, left_out,
    CASE WHEN line = 'network' THEN line ELSE 'linearization' END AS line,
    anchor_epoch AS x, test_accuracy AS y, test_accuracy_min AS low, test_accuracy_max AS high
FROM averages
WHERE line NOT LIKE 'centred%' AND seeds + left_out > 0
ORDER BY study, variant, position
