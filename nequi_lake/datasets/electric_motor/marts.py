"""Features of the motor minute by minute, for models that forecast the temperature of its permanent magnet.

Nothing here is imported by the tables' module but ``MARTS``, so that a change of a mart makes no new release of them.
"""

from __future__ import annotations

import dataframely as dy

from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.spec import Mart

_SOMETIMES = 1.0
"""Null limit of what a session's first or last minutes cannot have: short sessions have nothing else."""


def _feature(description: str, unit: str, *signals: str, null_limit: float | None = None) -> dy.Float64:
    return dy.Float64(
        nullable=null_limit is not None,
        description=description,
        metadata=column_meta(
            unit=unit,
            derived_from=[*(f"measurements.{signal}" for signal in signals), "measurements.elapsed_s"],
            null_limit=null_limit,
        ),
    )


class MotorFeatures(dy.Schema):
    """One row per minute of a session in which something was measured."""

    profile_id = dy.Int64(
        primary_key=True,
        min=1,
        description="Session in which it was measured; no feature and no target sees another session.",
        metadata=column_meta(unit="id", derived_from=["measurements.profile_id"], references="sessions"),
    )
    minute = dy.Int64(
        primary_key=True,
        min=0,
        description="Minute of the session, from 0, by the time since its first measurement. Features are known at its "
        "end.",
        metadata=column_meta(unit="minutes", derived_from=["measurements.elapsed_s"]),
    )
    measurements = dy.Int64(
        min=1,
        max=120,
        description="Measurements of the minute that the lake holds, of 120; less at a session's end and where records "
        "are quarantined.",
        metadata=column_meta(unit="count", derived_from=["measurements.sample"]),
    )
    u_q_mean = _feature("Voltage, q component, mean of the minute.", "V", "u_q")
    u_d_mean = _feature("Voltage, d component, mean of the minute.", "V", "u_d")
    i_q_mean = _feature("Current, q component, mean of the minute.", "A", "i_q")
    i_d_mean = _feature("Current, d component, mean of the minute.", "A", "i_d")
    motor_speed_mean = _feature("Speed of the rotor, mean of the minute.", "1/min", "motor_speed")
    torque_mean = _feature("Torque, mean of the minute.", "N·m", "torque")
    coolant_mean = _feature("Temperature of the coolant, mean of the minute.", "°C", "coolant")
    ambient_mean = _feature("Temperature of the air, mean of the minute.", "°C", "ambient")
    stator_winding_mean = _feature("Temperature of the stator's winding, mean of the minute.", "°C", "stator_winding")
    stator_tooth_mean = _feature("Temperature of the stator's teeth, mean of the minute.", "°C", "stator_tooth")
    stator_yoke_mean = _feature("Temperature of the stator's yoke, mean of the minute.", "°C", "stator_yoke")
    pm_mean = _feature("Temperature of the permanent magnet, mean of the minute.", "°C", "pm")
    motor_speed_std = _feature("Standard deviation of the speed within the minute.", "1/min", "motor_speed")
    torque_std = _feature("Standard deviation of the torque within the minute.", "N·m", "torque")
    current_squared_mean = _feature(
        "Square of the current, mean of the minute: what heats the copper.", "A²", "i_q", "i_d"
    )
    pm_lag_1min = _feature("pm_mean one minute before.", "°C", "pm", null_limit=_SOMETIMES)
    pm_lag_5min = _feature("pm_mean five minutes before.", "°C", "pm", null_limit=_SOMETIMES)
    pm_change_5min = _feature("How much pm_mean rose in five minutes.", "°C", "pm", null_limit=_SOMETIMES)
    stator_winding_lag_1min = _feature(
        "stator_winding_mean one minute before.", "°C", "stator_winding", null_limit=_SOMETIMES
    )
    motor_speed_mean_10min = _feature(
        "motor_speed_mean of this minute and the nine before, as far as they are there.", "1/min", "motor_speed"
    )
    torque_mean_10min = _feature(
        "torque_mean of this minute and the nine before, as far as they are there.", "N·m", "torque"
    )
    current_squared_mean_10min = _feature(
        "current_squared_mean of this minute and the nine before, as far as they are there.", "A²", "i_q", "i_d"
    )
    coolant_mean_10min = _feature(
        "coolant_mean of this minute and the nine before, as far as they are there.", "°C", "coolant"
    )
    target_pm_5min = _feature(
        "What is to be forecast: pm_mean five minutes after; missing in a session's last minutes. Not a feature.",
        *("°C", "pm"),
        null_limit=_SOMETIMES,
    )


MARTS = (
    Mart(
        name="motor_features",
        description="Measurements minute by minute with lags and rolling means, and the magnet's temperature five "
        "minutes later as the target of a forecast. Features look back only, and neither they nor the target look into "
        "another session. Split sessions, not rows, into training and test. Time is elapsed time: what a "
        "quarantined record leaves is a gap, and a lag that falls into one is missing.",
        contract=MotorFeatures,
    ),
)
