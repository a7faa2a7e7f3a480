-- Frames are RANGE over the minute, so that they count time and not rows. Means are rounded, so that the order in which
-- values are added does not show.
WITH minutes AS (
    SELECT
        profile_id,
        CAST(floor(elapsed_s / 60) AS BIGINT) AS minute,
        count(*) AS measurements,
        round(avg(u_q), 6) AS u_q_mean,
        round(avg(u_d), 6) AS u_d_mean,
        round(avg(i_q), 6) AS i_q_mean,
        round(avg(i_d), 6) AS i_d_mean,
        round(avg(motor_speed), 6) AS motor_speed_mean,
        round(avg(torque), 6) AS torque_mean,
        round(avg(coolant), 6) AS coolant_mean,
        round(avg(ambient), 6) AS ambient_mean,
        round(avg(stator_winding), 6) AS stator_winding_mean,
        round(avg(stator_tooth), 6) AS stator_tooth_mean,
        round(avg(stator_yoke), 6) AS stator_yoke_mean,
        round(avg(pm), 6) AS pm_mean,
        round(stddev_pop(motor_speed), 6) AS motor_speed_std,
        round(stddev_pop(torque), 6) AS torque_std,
        round(avg(i_d * i_d + i_q * i_q), 6) AS current_squared_mean
    FROM electric_motor.measurements
    GROUP BY ALL
)

SELECT
    *,
    max(pm_mean) OVER one_before AS pm_lag_1min,
    max(pm_mean) OVER five_before AS pm_lag_5min,
    round(pm_mean - max(pm_mean) OVER five_before, 6) AS pm_change_5min,
    max(stator_winding_mean) OVER one_before AS stator_winding_lag_1min,
    round(avg(motor_speed_mean) OVER last_ten, 6) AS motor_speed_mean_10min,
    round(avg(torque_mean) OVER last_ten, 6) AS torque_mean_10min,
    round(avg(current_squared_mean) OVER last_ten, 6) AS current_squared_mean_10min,
    round(avg(coolant_mean) OVER last_ten, 6) AS coolant_mean_10min,
    max(pm_mean) OVER five_after AS target_pm_5min
FROM minutes
WINDOW
    one_before AS (PARTITION BY profile_id ORDER BY minute RANGE BETWEEN 1 PRECEDING AND 1 PRECEDING),
    five_before AS (PARTITION BY profile_id ORDER BY minute RANGE BETWEEN 5 PRECEDING AND 5 PRECEDING),
    last_ten AS (PARTITION BY profile_id ORDER BY minute RANGE BETWEEN 9 PRECEDING AND CURRENT ROW),
    five_after AS (PARTITION BY profile_id ORDER BY minute RANGE BETWEEN 5 FOLLOWING AND 5 FOLLOWING)
