"""The motor's measurements as a star schema: what it did minute by minute, and the sessions in which it did.

Nothing here is imported by the tables' module but ``STAR``, so that a change of a mart makes no new release of them.
"""

from __future__ import annotations

import dataframely as dy

from nequi_lake.datasets.contract import column_meta, one_of
from nequi_lake.datasets.spec import Mart

_STAR = "star"


def _mean(description: str, unit: str, *signals: str) -> dy.Float64:
    return dy.Float64(
        description=f"{description}, mean of the minute.",
        metadata=column_meta(unit=unit, derived_from=[f"measurements.{signal}" for signal in signals]),
    )


def _highest(description: str, unit: str, signal: str) -> dy.Float64:
    return dy.Float64(description=description, metadata=column_meta(unit=unit, derived_from=[f"measurements.{signal}"]))


class DimSession(dy.Schema):
    """One row per session."""

    session_key = dy.Int64(
        primary_key=True,
        min=1,
        description="The session: its profile_id, which is a number of the publisher's.",
        metadata=column_meta(unit="id", derived_from=["sessions.profile_id"], references="sessions"),
    )
    measurements = dy.Int64(
        min=1,
        description="Measurements of the session that the lake holds.",
        metadata=column_meta(unit="count", derived_from=["sessions.samples"]),
    )
    duration_s = dy.Float64(
        min=0,
        description="Time from the session's first measurement to the end of its last.",
        metadata=column_meta(unit="s", derived_from=["sessions.duration_s"]),
    )
    duration_position = dy.Int64(
        min=1,
        max=4,
        description="Position of the band of durations, from 1 for the shortest.",
        metadata=column_meta(unit="count", derived_from=["sessions.duration_s"]),
    )
    duration_band = dy.String(
        check=one_of("under 1 hour", "1 to 2 hours", "2 to 4 hours", "4 hours and more"),
        description="Band of durations, its lower edge in it.",
        metadata=column_meta(unit="text", derived_from=["sessions.duration_s"]),
    )
    pm_max = _highest("Highest temperature of the permanent magnet.", "°C", "pm")
    motor_speed_max = _highest("Highest speed of the rotor.", "1/min", "motor_speed")
    is_certain = dy.Bool(
        description="Whether every place in the session is certain.",
        metadata=column_meta(unit="yes/no", derived_from=["sessions.uncertain_from"]),
    )


class FactMotorMinute(dy.Schema):
    """One row per minute of a session in which something was measured."""

    session_key = dy.Int64(
        primary_key=True,
        min=1,
        description="The session.",
        metadata=column_meta(
            unit="id", derived_from=["measurements.profile_id", "dim_session.session_key"], references="dim_session"
        ),
    )
    minute = dy.Int64(
        primary_key=True,
        min=0,
        description="Minute of the session, from 0, by the time since its first measurement.",
        metadata=column_meta(unit="minutes", derived_from=["measurements.elapsed_s"]),
    )
    measurements = dy.Int64(
        min=1,
        max=120,
        description="Measurements of the minute, of 120: what a mean over several minutes is to be weighted by.",
        metadata=column_meta(unit="count", derived_from=["measurements.sample"]),
    )
    motor_speed_mean = _mean("Speed of the rotor", "1/min", "motor_speed")
    torque_mean = _mean("Torque", "N·m", "torque")
    power_mean = _mean("Mechanical power: torque times angular speed", "W", "torque", "motor_speed")
    current_squared_mean = _mean("Square of the current", "A²", "i_d", "i_q")
    coolant_mean = _mean("Temperature of the coolant", "°C", "coolant")
    ambient_mean = _mean("Temperature of the air", "°C", "ambient")
    stator_winding_mean = _mean("Temperature of the stator's winding", "°C", "stator_winding")
    pm_mean = _mean("Temperature of the permanent magnet", "°C", "pm")
    pm_max = _highest("Highest temperature of the permanent magnet in the minute.", "°C", "pm")


STAR = (
    Mart(name="dim_session", description="Sessions, with bands of their length.", contract=DimSession, group=_STAR),
    Mart(
        name="fact_motor_minute",
        description="What the motor did minute by minute: load and temperatures. For lags and targets of forecasts see "
        "motor_features.",
        contract=FactMotorMinute,
        group=_STAR,
    ),
)
