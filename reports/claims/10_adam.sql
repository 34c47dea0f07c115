-- claim: 10, first half. With Adam too accuracy falls as j grows, and the linearization beats the network on the labels sign φⱼ (Fig. 11).
-- study: eigenfunctions_adam
-- along: task, train_epochs
-- threshold: both of Kendall's τ of j and accuracy are at most −½ in the mean of seeds, and their 95 % intervals are below 0; the linearization is ahead in the mean of seeds, and that interval is above 0; and at no index is the network ahead in the same sense; at least four indices
-- tau_network: Kendall's τ of j and the network's test accuracy, the mean of seeds
-- tau_linearization: the same of its linearization
-- ahead: test accuracy of the linearization less the network's, the mean over indices j, and of that the mean of seeds
-- low: the end of its 95 % interval over seeds, by Student's t; none for one seed
-- behind: the indices at which the network is ahead, in the mean of seeds and in its own 95 % interval, of those of which all seeds are done
SELECT
    study, variant, min_by(setting_id, position) AS setting_id, way,
    count(*) FILTER (indices >= 4) AS seeds,
    sum(left_out)::BIGINT AS left_out,
    avg(tau_network) AS tau_network,
    avg(tau_linearization) AS tau_linearization,
    avg(-mean_advantage) AS ahead,
    avg(-mean_advantage) - half_width(-mean_advantage) AS low,
    avg(-mean_advantage) + half_width(-mean_advantage) AS high,
    array_to_string(behind, ', ') AS behind,
    CASE
        WHEN min(indices) >= 4
            THEN reaches(-tau_network, 0.5) AND reaches(-tau_linearization, 0.5) AND reaches(-mean_advantage, 0)
                AND behind IS NULL
    END AS holds,
    flatten(list(runs)) AS runs
FROM index_trends JOIN reversals USING (study, variant, family, way)
WHERE task_kind = 'eigenfunction'
GROUP BY study, variant, family, way, behind
ORDER BY study, variant, min(position), way
