"""Test-bench measurements of a permanent magnet synchronous motor, for time series and failure forecasts.

Source of meanings and units: the publisher's page on Kaggle (LEA department, Paderborn University); sampled at 2 Hz.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.electric_motor.marts import MARTS
from nequi_lake.datasets.electric_motor.star import STAR
from nequi_lake.datasets.spec import Dataset, Partition, Table
from nequi_lake.formats import PLACE_IS_UNCERTAIN, POSITION_IN_SESSION, CsvFile

SAMPLING_HZ = 2.0


class Sessions(dy.Schema):
    """One row per measurement session."""

    profile_id = dy.Int64(
        primary_key=True,
        min=1,
        description="Identifier of the measurement session.",
        metadata=column_meta(unit="id", source="profile_id"),
    )
    samples = dy.Int64(
        min=1,
        description="Measurements of the session that the lake holds.",
        metadata=column_meta(unit="count", derived_from=["profile_id"]),
    )
    duration_s = dy.Float64(
        min=0,
        description="Time from the session's first measurement to the end of its last, at two measurements per second.",
        metadata=column_meta(unit="s", derived_from=["profile_id"]),
    )
    uncertain_from = dy.Int64(
        nullable=True,
        min=0,
        description="First position that may be off, as records before it may be of this session or of the one before; "
        "missing where every position is certain.",
        metadata=column_meta(unit="count", derived_from=["profile_id"], null_limit=1.0),
    )


class Measurements(dy.Schema):
    """One row per measurement."""

    profile_id = dy.Int64(
        primary_key=True,
        min=1,
        description="Session in which the measurement was taken.",
        metadata=column_meta(unit="id", source="profile_id", references="sessions"),
    )
    # The class has a method of this name.
    sample_ = dy.Int64(
        alias="sample",
        primary_key=True,
        min=0,
        description="Position of the measurement within its session, from 0; a quarantined record leaves a gap.",
        metadata=column_meta(unit="count", derived_from=["profile_id"]),
    )
    elapsed_s = dy.Float64(
        min=0,
        description="Time since the session's first measurement.",
        metadata=column_meta(unit="s", derived_from=["profile_id"]),
    )
    u_q = dy.Float64(
        min=-500,
        max=500,
        description="Voltage, q component in dq coordinates.",
        metadata=column_meta(unit="V", source="u_q"),
    )
    u_d = dy.Float64(
        min=-500,
        max=500,
        description="Voltage, d component in dq coordinates.",
        metadata=column_meta(unit="V", source="u_d"),
    )
    i_q = dy.Float64(
        min=-1000,
        max=1000,
        description="Current, q component in dq coordinates.",
        metadata=column_meta(unit="A", source="i_q"),
    )
    i_d = dy.Float64(
        min=-1000,
        max=1000,
        description="Current, d component in dq coordinates.",
        metadata=column_meta(unit="A", source="i_d"),
    )
    motor_speed = dy.Float64(
        min=-10_000,
        max=10_000,
        description="Speed of the rotor; negative where it turns backwards.",
        metadata=column_meta(unit="1/min", source="motor_speed"),
    )
    torque = dy.Float64(
        min=-1000,
        max=1000,
        description="Torque induced by the currents.",
        metadata=column_meta(unit="N·m", source="torque"),
    )
    coolant = dy.Float64(
        min=-40,
        max=250,
        description="Temperature of the water that cools the motor, at the outflow.",
        metadata=column_meta(unit="°C", source="coolant"),
    )
    ambient = dy.Float64(
        min=-40,
        max=100,
        description="Temperature of the air near the stator.",
        metadata=column_meta(unit="°C", source="ambient"),
    )
    stator_winding = dy.Float64(
        min=-40,
        max=300,
        description="Temperature of the stator's copper winding, by thermocouple.",
        metadata=column_meta(unit="°C", source="stator_winding"),
    )
    stator_tooth = dy.Float64(
        min=-40,
        max=300,
        description="Temperature of the stator's teeth, by thermocouple.",
        metadata=column_meta(unit="°C", source="stator_tooth"),
    )
    stator_yoke = dy.Float64(
        min=-40,
        max=300,
        description="Temperature of the stator's yoke, by thermocouple.",
        metadata=column_meta(unit="°C", source="stator_yoke"),
    )
    pm = dy.Float64(
        min=-40,
        max=300,
        description="Temperature of the rotor's permanent magnet, by thermography; the usual target of a forecast.",
        metadata=column_meta(unit="°C", source="pm"),
    )


def sessions(records: pl.LazyFrame) -> pl.LazyFrame:
    """Aggregate the measurements of each session to one row."""
    return records.group_by("profile_id").agg(
        samples=pl.len().cast(pl.Int64),
        duration_s=(pl.col("sample").max() + 1) / SAMPLING_HZ,
        uncertain_from=pl.col("sample").filter("is_uncertain").min(),
    )


DATASET = Dataset(
    name="electric_motor",
    slug="wkirgsn/electric-motor-temperature",
    title="Electric motor temperature",
    licence="CC BY-SA 4.0",
    use_case="Time series of a motor under load: failure forecasts and predictive maintenance.",
    owner="data-platform@nequi.com",
    schedule="15 6 * * *",
    files=(
        CsvFile(
            name="measures_v2.csv",
            description="All measurements, one record per half second, session after session.",
            columns=(
                *("u_q", "coolant", "stator_winding", "u_d", "stator_tooth", "motor_speed", "i_d", "i_q"),
                *("pm", "stator_yoke", "ambient", "torque", "profile_id"),
            ),
            session_by="profile_id",
        ),
    ),
    tables=(
        Table(
            name="sessions",
            description="Measurement sessions: how long each one ran.",
            contract=Sessions,
            parse={"sample": pl.col(POSITION_IN_SESSION), "is_uncertain": pl.col(PLACE_IS_UNCERTAIN)},
            transform=sessions,
            group_by=("profile_id",),
        ),
        Table(
            name="measurements",
            description="Voltages, currents, speed, torque and temperatures, two rows per second.",
            contract=Measurements,
            parse={"sample": pl.col(POSITION_IN_SESSION), "elapsed_s": pl.col(POSITION_IN_SESSION) / SAMPLING_HZ},
            partition_by=Partition("profile_id"),
        ),
    ),
    marts=(*MARTS, *STAR),
)
