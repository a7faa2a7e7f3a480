-- Means are rounded, so that the order in which values are added does not show.
SELECT
    session_key,
    CAST(floor(elapsed_s / 60) AS BIGINT) AS minute,
    count(*) AS measurements,
    round(avg(motor_speed), 6) AS motor_speed_mean,
    round(avg(torque), 6) AS torque_mean,
    round(avg(torque * motor_speed * 2 * pi() / 60), 6) AS power_mean,
    round(avg(i_d * i_d + i_q * i_q), 6) AS current_squared_mean,
    round(avg(coolant), 6) AS coolant_mean,
    round(avg(ambient), 6) AS ambient_mean,
    round(avg(stator_winding), 6) AS stator_winding_mean,
    round(avg(pm), 6) AS pm_mean,
    max(pm) AS pm_max
FROM electric_motor.measurements
LEFT JOIN electric_motor.dim_session ON session_key = profile_id
GROUP BY ALL
