-- Made at publishing, after the generated `runs`, `settings_among` and `final`.

-- Every setting, a run without its seed; what its label says tells it from the others of its kind.
CREATE VIEW settings AS FROM settings_among(NULL);

-- Every number over epochs and steps, with everything known of its run.
CREATE VIEW curves AS
SELECT metric.*, runs.* EXCLUDE (run_id)
FROM metric JOIN runs USING (run_id);

-- Every vector, one row an entry; j counts from 1.
CREATE VIEW spectra AS
SELECT entry.*, runs.* EXCLUDE (run_id)
FROM (
    SELECT run_id, name, label, split, epoch, generate_subscripts(value, 1) AS j, unnest(value) AS value
    FROM vector
) AS entry
JOIN runs USING (run_id);

-- The runs of each study, in its order.
CREATE VIEW study_runs AS
SELECT study_run.study, study_run.variant, study_run.position, runs.*
FROM study_run JOIN runs USING (run_id);

-- How much each alignment α(φ_j) grew from the first epoch that its probe measured to the last. `target` is the j of a
-- training on sign φ_j; its neighbours are the ten eigenfunctions before it and the ten after it. `growth` is NULL where
-- the first value is at most a float32 rounding (2⁻²³) of the run's largest: it is noise, and so is what is divided by it.
-- `finite` is false for all of a run where one of its alignments is no number.
CREATE VIEW growths AS
SELECT
    ends.*,
    CASE WHEN alpha_start > pow(2, -23) * max(alpha_start) OVER of_run THEN alpha_end / alpha_start END AS growth,
    CASE
        WHEN j = target THEN 'target'
        WHEN abs(j - target) <= 10 THEN 'neighbour'
        ELSE 'other'
    END AS place,
    bool_and(alpha_start IS NOT NULL AND alpha_end IS NOT NULL) OVER of_run AS finite,
    runs.* EXCLUDE (run_id)
FROM (
    SELECT
        run_id, j,
        any_value(CASE WHEN task_kind = 'eigenfunction' THEN task_index END) AS target,
        arg_min_null(value, epoch) AS alpha_start,
        arg_max_null(value, epoch) AS alpha_end
    FROM spectra
    WHERE kind = 'probe' AND name = 'alignment' AND status = 'done'
    GROUP BY run_id, j
    HAVING count(DISTINCT epoch) > 1
) AS ends
JOIN runs USING (run_id)
WINDOW of_run AS (PARTITION BY run_id);

-- Half of the 95 % interval of a mean, by Student's t; NULL for one value. Beyond ten values the quantile is a series
-- (Abramowitz and Stegun 26.7.5), which is within 0.2 % there.
CREATE MACRO half_width(value) AS coalesce(
    [NULL, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262][count(value)],
    1.96 + 2.372 / (count(value) - 1) + 2.823 / (count(value) - 1) ^ 2
) * stddev_samp(value) / sqrt(count(value));

-- Whether the mean of a group is at least `aim`, which is not negative, and above 0 by its 95 % interval: true; false where
-- the interval lies below `aim`; NULL where it decides neither. One value has no interval, and decides by itself.
CREATE MACRO reaches(value, aim) AS CASE
    WHEN avg(value) >= aim AND avg(value) > coalesce(half_width(value), 0) THEN true
    WHEN avg(value) + coalesce(half_width(value), 0) < aim THEN false
END;

-- Kendall's τ of a group: the share of pairs of which y rises with x, less the share of which it falls. Pairs of equal
-- numbers count as neither. NULL for fewer than two.
CREATE MACRO kendall(x, y) AS list_avg(list_transform(
    flatten(list_transform(range(count(x)), lambda i: list_transform(range(i), lambda k: [i + 1, k + 1]))),
    lambda pair: sign(list(x ORDER BY x, y)[pair[1]] - list(x ORDER BY x, y)[pair[2]])
        * sign(list(y ORDER BY x, y)[pair[1]] - list(y ORDER BY x, y)[pair[2]])
));

-- The ends of the 95 % interval of a mean of Kendall's τ, which lies between −1 and 1; NULL for one value.
CREATE MACRO lower_end(tau) AS
CASE WHEN half_width(tau) IS NOT NULL THEN greatest(avg(tau) - half_width(tau), -1) END;

CREATE MACRO upper_end(tau) AS
CASE WHEN half_width(tau) IS NOT NULL THEN least(avg(tau) + half_width(tau), 1) END;

-- Every training of at least one epoch, with its last numbers: NULL until it is done, and where it is `left_out`, because it
-- diverged, or because rounding decides its labels sign φ_j: more than a hundredth of them, as `label_rotation` tells. `line`
-- is the network or which linearization of it, `steps` how many it made, `anchor_epoch` how many epochs of the network lie
-- before a linearization, `way` what else is not as usual of it. Trainings of one `family` differ in nothing but task, seed,
-- epochs, `line` and `way`; `task` tells tasks apart.
CREATE VIEW trainings AS
SELECT
    runs.*,
    concat_ws(
        ' ',
        CASE WHEN train_linearize_centred THEN 'centred' END,
        CASE WHEN train_linearize IS NULL THEN 'network' ELSE 'linearization' END,
        CASE WHEN train_linearize_at_epoch > 0 THEN 'after ' || train_linearize_at_epoch || ' epochs' END
    ) AS line,
    CASE WHEN train_linearize IS NOT NULL THEN coalesce(train_linearize_at_epoch, 0) END AS anchor_epoch,
    concat_ws(
        ', ',
        CASE WHEN train_linearize_batch_norm = 'initial' THEN 'initial batch norm' END,
        CASE WHEN train_linearize_space <> 'auto' THEN 'space: ' || train_linearize_space END
    ) AS way,
    md5(json_merge_patch(
        run.spec, '{"seed": null, "task": null, "train": {"epochs": null, "linearize": null}}'
    )) AS family,
    md5(json_extract(run.spec, '/task')) AS task,
    steps,
    runs.diverged OR coalesce(labels.unclear, false) AS left_out,
    last.* EXCLUDE (run_id, status)
FROM runs
JOIN run USING (run_id)
LEFT JOIN (
    SELECT run_id, max(value) > pi() / 100 AS unclear FROM metric WHERE name = 'label_rotation' GROUP BY run_id
) AS labels USING (run_id)
LEFT JOIN final AS last ON last.run_id = runs.run_id AND last.status = 'done' AND labels.unclear IS NOT TRUE
LEFT JOIN (SELECT run_id, max(step) AS steps FROM metric GROUP BY run_id) USING (run_id)
WHERE runs.kind = 'training' AND train_epochs > 0;

-- Every probe of a training; its numbers count for nothing where it is `left_out`, because it or its training is.
CREATE VIEW probes AS
SELECT runs.*, diverged OR odd.run_id IS NOT NULL AS left_out
FROM runs LEFT JOIN (
    SELECT DISTINCT dependency.run_id FROM dependency JOIN trainings ON trainings.run_id = needs WHERE left_out
) AS odd USING (run_id)
WHERE kind = 'probe';

-- What training on sign φ_j did to α(φ_j) and to the others: a row for each alignment probe of such a training, its numbers
-- NULL until it is done, and where it is `left_out`: also where an alignment is no number.
CREATE VIEW rotations AS
SELECT
    probes.* REPLACE (left_out OR odd.run_id IS NOT NULL AS left_out),
    task_index AS target,
    turn.* EXCLUDE (run_id)
FROM probes
LEFT JOIN (SELECT DISTINCT run_id FROM growths WHERE NOT finite) AS odd USING (run_id)
LEFT JOIN (
    SELECT
        run_id,
        max(growth) FILTER (place = 'target') AS target_growth,
        median(growth) FILTER (place = 'neighbour') AS neighbours_growth,
        max(growth) FILTER (place = 'neighbour') AS best_neighbour_growth,
        max(growth) FILTER (place <> 'target') AS best_other_growth,
        median(growth) AS median_growth,
        count(*) FILTER (growth > 1) / nullif(count(growth), 0) AS share_rising
    FROM growths
    GROUP BY run_id
) AS turn ON turn.run_id = probes.run_id AND NOT left_out AND odd.run_id IS NULL
WHERE probe_kind = 'alignment' AND task_kind = 'eigenfunction';

-- The settings of each study's trainings: means and ranges over their seeds that are done. Where a loss of 0.01 was not
-- reached, `steps_to_fit` counts all steps that were made, and `fitted` is less than `seeds`.
CREATE VIEW averages AS
SELECT
    study, variant, min(position) AS position, setting_id, line, anchor_epoch,
    data_kind, data_train, model_kind, task_kind, task_index,
    count(*) FILTER (status = 'done' AND NOT left_out) AS seeds,
    count(*) FILTER (left_out) AS left_out,
    avg(test_accuracy) AS test_accuracy,
    min(test_accuracy) AS test_accuracy_min,
    max(test_accuracy) AS test_accuracy_max,
    count(steps_to_fit) AS fitted,
    avg(coalesce(steps_to_fit, steps)) FILTER (test_accuracy IS NOT NULL) AS steps_to_fit,
    min(coalesce(steps_to_fit, steps)) FILTER (test_accuracy IS NOT NULL) AS steps_to_fit_min,
    max(coalesce(steps_to_fit, steps)) FILTER (test_accuracy IS NOT NULL) AS steps_to_fit_max,
    avg(distance_l2) AS distance_l2,
    min(distance_l2) AS distance_l2_min,
    max(distance_l2) AS distance_l2_max,
    avg(distance_cosine) AS distance_cosine,
    min(distance_cosine) AS distance_cosine_min,
    max(distance_cosine) AS distance_cosine_max
FROM study_run JOIN trainings USING (run_id)
GROUP BY ALL;

-- Each network beside its linearization at initialization: one task, one seed, as many epochs. `advantage` is the network's
-- test accuracy less the linearization's; NULL until both are done, and where one is left out.
CREATE VIEW comparisons AS
SELECT
    network.* REPLACE (network.left_out OR linear.left_out AS left_out, linear.way AS way),
    linear.run_id AS linearization,
    linear.test_accuracy AS linearization_accuracy,
    network.test_accuracy - linear.test_accuracy AS advantage
FROM trainings AS network JOIN trainings AS linear USING (family, task, seed, train_epochs)
WHERE network.line = 'network' AND linear.line = 'linearization';

-- The indices j at which networks are ahead of their linearizations on the labels sign φ_j, as `reaches` has it, of those
-- indices of which all seeds are done; `behind` is NULL where there is none.
CREATE VIEW reversals AS
SELECT study, variant, family, way, list(task_index ORDER BY task_index) FILTER (is_ahead) AS behind
FROM (
    SELECT study, variant, family, way, task_index, reaches(advantage, 0) AS is_ahead
    FROM study_run JOIN comparisons USING (run_id)
    WHERE task_kind = 'eigenfunction'
    GROUP BY study, variant, family, way, task_index
    QUALIFY count(advantage) = max(count(advantage)) OVER (PARTITION BY study, variant, family, way)
)
GROUP BY ALL;

-- How accuracy goes with the index of a task, of one network and one seed beside its linearization: Kendall's τ of the index
-- and either's test accuracy, the mean and the largest `advantage`, and of how many `indices`.
CREATE VIEW index_trends AS
SELECT
    study, variant, min(position) AS position, min_by(setting_id, position) AS setting_id, family, way, task_kind, seed,
    count(advantage) AS indices,
    count(*) FILTER (left_out) AS left_out,
    kendall(task_index, test_accuracy) AS tau_network,
    kendall(task_index, linearization_accuracy) AS tau_linearization,
    avg(advantage) AS mean_advantage,
    max(advantage) AS largest_advantage,
    flatten(list([run_id, linearization] ORDER BY run_id) FILTER (advantage IS NOT NULL)) AS runs
FROM study_run JOIN comparisons USING (run_id)
WHERE task_index IS NOT NULL AND (advantage IS NOT NULL OR left_out)
GROUP BY study, variant, family, way, task_kind, seed;

-- What the kernel at initialization says of each training's labels, by its probe `rkhs_norm`, beside what was measured:
-- `bound` is the expression of the paper's equation 2, `norm_bound` that of Lemma 1; `gap` is train less test accuracy.
CREATE VIEW bounds AS
SELECT trainings.*, bound, norm, norm_bound, train_accuracy - test_accuracy AS gap
FROM trainings JOIN (
    SELECT
        dependency.needs AS run_id,
        max(value) FILTER (name = 'generalization_bound') AS bound,
        max(value) FILTER (name = 'rkhs_norm') AS norm,
        max(value) FILTER (name = 'rkhs_norm_bound') AS norm_bound
    FROM dependency JOIN curves USING (run_id)
    WHERE role = 'training' AND probe_kind = 'rkhs_norm' AND epoch = 0 AND status = 'done'
    GROUP BY dependency.needs
) USING (run_id);

-- The linearizations around the weights of one network on its way, of one task and seed: their test accuracies at
-- initialization and around the weights after one epoch and after five, and the change from the first to the last.
CREATE VIEW pretrainings AS
SELECT
    study, variant, min(position) AS position, min_by(setting_id, position) AS setting_id, family, way, task, task_kind, seed,
    bool_or(left_out) AS left_out,
    any_value(test_accuracy) FILTER (anchor_epoch = 0) AS at_start,
    any_value(test_accuracy) FILTER (anchor_epoch = 1) AS after_one,
    any_value(test_accuracy) FILTER (anchor_epoch = 5) AS after_five,
    after_five - at_start AS change,
    list(run_id ORDER BY run_id) FILTER (test_accuracy IS NOT NULL) AS runs
FROM study_run JOIN trainings USING (run_id)
WHERE anchor_epoch IN (0, 1, 5) AND NOT train_linearize_centred AND (test_accuracy IS NOT NULL OR left_out)
GROUP BY study, variant, family, way, task, task_kind, seed;
