"""The motor's features: held against pandas, and blind to other sessions, to the future and to the place of a row."""

from __future__ import annotations

import math
import random
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from nequi_lake.datasets.electric_motor import SAMPLING_HZ
from nequi_lake_tests.conftest import MOTOR_HEADER
from nequi_lake_tests.marts import mart_of

PER_MINUTE = int(60 * SAMPLING_HZ)
SIGNALS = [name for name in MOTOR_HEADER.split(",") if name != "profile_id"]
LOOKS_AHEAD = "target_pm_5min"

Row = dict[str, Any]


def session(profile: int, minutes: float, seed: int = 0, without: Collection[int] = ()) -> list[Row]:
    """A session of random measurements, but for those of some places."""
    draw = random.Random(f"{profile} {seed}")
    rows = []
    for place in range(int(minutes * PER_MINUTE)):
        values = {name: draw.uniform(20, 90) for name in SIGNALS}
        if place not in without:
            rows.append({"profile_id": profile, "sample": place, "elapsed_s": place / SAMPLING_HZ, **values})
    return rows


def features(rows: list[Row], folder: Path) -> pl.DataFrame:
    """The mart of these measurements."""
    return mart_of("electric_motor.motor_features", {"measurements": rows}, folder)


def by_pandas(rows: list[Row]) -> pd.DataFrame:
    """The same by another library: a frame that has every minute, so that shifting it shifts time."""
    measurements = pd.DataFrame(rows)
    measurements["minute"] = (measurements["sample"] // PER_MINUTE).astype(int)
    measurements["current_squared"] = measurements["i_d"] ** 2 + measurements["i_q"] ** 2
    parts = []
    for profile, own in measurements.groupby("profile_id"):
        every_minute = range(own["minute"].max() + 1)
        mean = own.groupby("minute")[[*SIGNALS, "current_squared"]].mean().reindex(every_minute)
        part = mean.add_suffix("_mean")
        part["measurements"] = own.groupby("minute").size().reindex(every_minute)
        for name in ("motor_speed", "torque"):
            part[f"{name}_std"] = own.groupby("minute")[name].std(ddof=0).reindex(every_minute)
        part["pm_lag_1min"], part["pm_lag_5min"] = mean["pm"].shift(1), mean["pm"].shift(5)
        part["pm_change_5min"] = mean["pm"] - mean["pm"].shift(5)
        part["stator_winding_lag_1min"] = mean["stator_winding"].shift(1)
        for name in ("motor_speed", "torque", "current_squared", "coolant"):
            part[f"{name}_mean_10min"] = mean[name].rolling(10, min_periods=1).mean()
        part[LOOKS_AHEAD] = mean["pm"].shift(-5)
        parts.append(part.dropna(subset="measurements").assign(profile_id=profile).reset_index(names="minute"))
    return pd.concat(parts, ignore_index=True)


def test_features_are_those_that_pandas_finds(tmp_path: Path) -> None:
    # A gap of a few records, one that holds a whole minute, one of six minutes, and one at a minute's edge.
    gaps = {*range(30, 37), *range(2 * PER_MINUTE, 3 * PER_MINUTE), *range(1500, 1500 + 6 * PER_MINUTE), 599}
    rows = [*session(4, 22.3, without=gaps), *session(17, 3), *session(9, 12)]
    random.Random(1).shuffle(rows)
    found = features(rows, tmp_path).to_pandas()
    expected = by_pandas(rows).sort_values(["profile_id", "minute"], ignore_index=True)[list(found.columns)]
    assert found["pm_lag_1min"].isna().sum() > 3
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=0, atol=2e-6)


def test_another_session_changes_nothing(tmp_path: Path) -> None:
    own = session(4, 12)
    alone = features(own, tmp_path / "alone")
    for seed, other in enumerate((3, 5)):
        both = features([*own, *session(other, 15, seed)], tmp_path / f"with {other}")
        assert both.filter(profile_id=4).equals(alone)


def test_the_future_changes_no_feature(tmp_path: Path) -> None:
    rows = session(4, 14)
    known = features(rows, tmp_path / "known")
    now = 7
    hotter = [
        {**row, **{n: row[n] + 40 for n in SIGNALS}} if row["elapsed_s"] >= 60 * (now + 1) else row for row in rows
    ]
    changed = features(hotter, tmp_path / "changed")
    cut = features([row for row in rows if row["elapsed_s"] < 60 * (now + 1)], tmp_path / "cut")
    past = pl.col("minute") <= now
    for other in (changed, cut):
        assert other.filter(past).drop(LOOKS_AHEAD).equals(known.filter(past).drop(LOOKS_AHEAD))
    assert not changed.filter(past)[LOOKS_AHEAD].equals(known.filter(past)[LOOKS_AHEAD])


def test_the_target_is_five_minutes_after_by_the_clock(tmp_path: Path) -> None:
    whole = features(session(4, 12), tmp_path / "whole")
    pm = dict(whole.select("minute", "pm_mean").rows())
    assert whole[LOOKS_AHEAD].to_list() == [pm.get(minute + 5) for minute in range(12)]
    gap = range(7 * PER_MINUTE, 8 * PER_MINUTE)
    with_gap = features(session(4, 12, without=gap), tmp_path / "gap")
    assert with_gap["minute"].to_list() == [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11]
    # Minute 2 has no target, as minute 7 is not there; counting rows it would have that of minute 8.
    assert dict(with_gap.select("minute", LOOKS_AHEAD).rows()) == {
        minute: pm.get(minute + 5) if minute != 2 else None for minute in with_gap["minute"]
    }
    assert dict(with_gap.select("minute", "pm_lag_1min").rows())[8] is None


@pytest.mark.parametrize("measurements", [1, 119, 120, 121])
def test_a_short_session_has_features_and_nothing_to_look_back_to(measurements: int, tmp_path: Path) -> None:
    frame = features(session(4, measurements / PER_MINUTE), tmp_path)
    assert frame["measurements"].to_list() == [min(measurements, 120), 1][: math.ceil(measurements / PER_MINUTE)]
    assert frame["torque_std"][-1] == 0 or frame.height == 1
    assert frame["pm_lag_5min"].null_count() == frame[LOOKS_AHEAD].null_count() == frame.height


def test_no_measurements_give_no_rows(tmp_path: Path) -> None:
    assert features([], tmp_path).is_empty()
