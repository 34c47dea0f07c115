-- claim: 8. The network fits the labels sign φⱼ much faster than its linearization at initialization; the centred linearization around the trained weights fits as fast as the network and generalizes as badly (Fig. 8).
-- study: pretrained_kernel
-- along: train_linearize
-- threshold: for every seed the loss, averaged over all epochs but 0, of the network is at most half of its linearization's; that of the linearization around the trained weights at most 1.5 times the network's; and its test accuracy is below that of the linearization at initialization, and nearer to the network's
-- loss_network: training loss averaged over the epochs after 0, of the network, the mean of seeds
-- loss_linearization: the same of the linearization at initialization
-- loss_pretrained: the same of the centred linearization around the trained weights
-- test_network: test accuracy of the network, the mean of seeds
-- test_linearization: the same of the linearization at initialization
-- test_pretrained: the same of the centred linearization around the trained weights
WITH losses AS (
    SELECT run_id, avg(value) AS loss
    FROM curves
    WHERE name = 'loss' AND split = 'train' AND status = 'done' AND epoch > 0
    GROUP BY run_id
),
kinds AS (
    SELECT
        study, variant, family, task, seed, position, setting_id, run_id, left_out, way, test_accuracy,
        CASE WHEN NOT left_out THEN loss END AS loss,
        CASE WHEN line IN ('network', 'linearization') THEN line ELSE 'pretrained' END AS line
    FROM study_run JOIN trainings USING (run_id) LEFT JOIN losses USING (run_id)
    WHERE task_kind = 'eigenfunction' AND (
        line IN ('network', 'linearization') OR (train_linearize_centred AND anchor_epoch = train_epochs)
    ) AND (losses.loss IS NOT NULL OR left_out)
),
triples AS (  -- of several ways the usual one at initialization, and the one with the initial batch norm, as Fig. 8 has it
    SELECT
        study, variant, min(position) AS position, family, task, seed, min_by(setting_id, position) AS setting_id,
        bool_or(left_out) AS left_out,
        any_value(loss) FILTER (line = 'network') AS loss_network,
        arg_min(loss, way) FILTER (line = 'linearization') AS loss_linearization,
        arg_max(loss, way) FILTER (line = 'pretrained') AS loss_pretrained,
        any_value(test_accuracy) FILTER (line = 'network') AS test_network,
        arg_min(test_accuracy, way) FILTER (line = 'linearization') AS test_linearization,
        arg_max(test_accuracy, way) FILTER (line = 'pretrained') AS test_pretrained,
        list(run_id ORDER BY run_id) FILTER (NOT left_out) AS runs
    FROM kinds
    GROUP BY study, variant, family, task, seed
)
SELECT
    study, variant, min_by(setting_id, position) AS setting_id,
    count(loss_network + loss_linearization + loss_pretrained) AS seeds,
    count(*) FILTER (left_out) AS left_out,
    avg(loss_network) AS loss_network,
    avg(loss_linearization) AS loss_linearization,
    avg(loss_pretrained) AS loss_pretrained,
    avg(test_network) AS test_network,
    avg(test_linearization) AS test_linearization,
    avg(test_pretrained) AS test_pretrained,
    bool_and(
        loss_network <= 0.5 * loss_linearization
        AND loss_pretrained <= 1.5 * loss_network
        AND test_pretrained < test_linearization
        AND abs(test_pretrained - test_network) < abs(test_pretrained - test_linearization)
    ) FILTER (loss_network + loss_linearization + loss_pretrained IS NOT NULL) AS holds,
    flatten(list(runs)) AS runs
FROM triples
GROUP BY study, variant, family, task
ORDER BY study, variant, min(position)
