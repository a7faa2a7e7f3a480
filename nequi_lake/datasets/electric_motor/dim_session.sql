WITH highest AS (
    SELECT
        profile_id,
        max(pm) AS pm_max,
        max(motor_speed) AS motor_speed_max
    FROM electric_motor.measurements
    GROUP BY ALL
),

sessions AS (
    SELECT
        *,
        CASE
            WHEN duration_s < 3600 THEN 1
            WHEN duration_s < 7200 THEN 2
            WHEN duration_s < 14400 THEN 3
            ELSE 4
        END AS duration_position
    FROM electric_motor.sessions
    LEFT JOIN highest USING (profile_id)
)

SELECT
    profile_id AS session_key,
    samples AS measurements,
    duration_s,
    duration_position,
    ['under 1 hour', '1 to 2 hours', '2 to 4 hours', '4 hours and more'][duration_position] AS duration_band,
    pm_max,
    motor_speed_max,
    uncertain_from IS NULL AS is_certain
FROM sessions
