-- title: The first ten NADs of one seed as images, and the magnitude of their Fourier transforms (Fig. 10)
-- study: nads
-- drawing: images
SELECT
    study, variant, position, setting_id,
    1 AS seeds,
    0 AS left_out,
    vector.label::INTEGER AS j,
    shape, value
FROM study_runs JOIN vector USING (run_id)
WHERE kind = 'nads' AND status = 'done' AND vector.name = 'nad'
QUALIFY seed = min(seed) OVER (PARTITION BY study, variant, setting_id)
ORDER BY study, variant, position, j
