-- title: Networks of growing width beside the infinitely wide one, whose kernel has the eigenpairs λⱼ, φⱼ
-- study: infinite_width
-- along: model_hidden, model_widen, task, train_linearize
-- drawing: lines
-- x: units of the first dense layer
-- scale: log x, log spread of α(φⱼ) / λⱼ, log energy: distance to the limit, log accuracy: distance to the linearization
WITH nets AS (
    SELECT
        study, variant, position, setting_id, run_id, left_out, family, model_kind,
        coalesce((model_hidden ->> 0)::INTEGER, 120 * model_widen) AS units,
        abs(advantage) AS gap
    FROM study_run JOIN comparisons USING (run_id)
    QUALIFY row_number() OVER (PARTITION BY study, variant, run_id ORDER BY way) = 1
),
ratios AS (
    SELECT training.needs AS run_id, alphas.j, alphas.value AS alpha, alphas.value / lambdas.value AS ratio
    FROM dependency AS training
    JOIN spectra AS alphas ON alphas.run_id = training.run_id AND training.role = 'training'
    JOIN dependency AS spectrum ON spectrum.run_id = training.run_id AND spectrum.role = 'spectrum'
    JOIN spectra AS lambdas ON lambdas.run_id = spectrum.needs AND lambdas.j = alphas.j
    WHERE alphas.name = 'alignment' AND alphas.epoch = 0 AND alphas.status = 'done' AND lambdas.name = 'eigenvalues'
),
ranks AS (SELECT run_id, ratio, j, rank() OVER (PARTITION BY run_id ORDER BY alpha DESC) AS place FROM ratios),
alignments AS (
    SELECT run_id, corr(place, j) AS ranking, mad(ratio) / median(ratio) AS spread FROM ranks GROUP BY run_id
),
energies AS (
    SELECT
        needs AS run_id,
        abs(max(value) FILTER (probe_kernel = 'empirical') - max(value) FILTER (probe_kernel = 'infinite_width')) AS gap
    FROM dependency JOIN curves USING (run_id)
    WHERE role = 'training' AND name = 'energy_concentration' AND epoch = 0 AND status = 'done'
    GROUP BY needs
),
measured AS (
    SELECT nets.*, ranking, spread, energies.gap AS energy
    FROM nets LEFT JOIN alignments USING (run_id) LEFT JOIN energies USING (run_id)
)
FROM (
    SELECT
        study, variant, min(position) AS position, setting_id, 'network' AS line, units AS x,
        count(ranking) AS seeds,
        count(*) FILTER (left_out) AS left_out,
        unnest([
            {
                number: 1, facet: 'rank correlation of α(φⱼ) and λⱼ',
                y: avg(ranking), low: min(ranking), high: max(ranking)
            },
            {number: 2, facet: 'spread of α(φⱼ) / λⱼ', y: avg(spread), low: min(spread), high: max(spread)},
            {number: 3, facet: 'energy: distance to the limit', y: avg(energy), low: min(energy), high: max(energy)},
            {number: 4, facet: 'accuracy: distance to the linearization', y: avg(gap), low: min(gap), high: max(gap)}
        ], recursive := true)
    FROM measured
    GROUP BY study, variant, setting_id, family, units
    HAVING seeds + count(*) FILTER (left_out) > 0
)
ORDER BY study, variant, position, number
