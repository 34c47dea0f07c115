-- title: Steps to a loss of 0.01, and distances travelled, against the index j of the labels sign φⱼ; dashed: the two-class labels; hollow: the loss was not reached by every seed (Fig. 3, 13, 14)
-- study: eigenfunctions
-- along: task, train_epochs, train_linearize
-- drawing: lines
-- x: index j of the eigenfunction φⱼ
-- scale: log x, log steps to loss 0.01, log ‖θ − θ0‖, log 1 − cos(θ, θ0)
FROM (
    SELECT
        study, variant, position, setting_id, seeds, left_out, line, task_index AS x,
        unnest([
            {
                number: 1, facet: 'steps to loss 0.01', hollow: fitted < seeds,
                y: steps_to_fit, low: steps_to_fit_min, high: steps_to_fit_max
            },
            {
                number: 2, facet: '‖θ − θ0‖', hollow: false,
                y: distance_l2, low: distance_l2_min, high: distance_l2_max
            },
            {
                number: 3, facet: '1 − cos(θ, θ0)', hollow: false,
                y: distance_cosine, low: distance_cosine_min, high: distance_cosine_max
            }
        ], recursive := true)
    FROM averages
    WHERE line IN ('network', 'linearization') AND seeds + left_out > 0
)
ORDER BY study, variant, position, number
