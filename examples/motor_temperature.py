"""How warm will the rotor's magnet be in five minutes? A ridge regression, beside the guess that it stays as it is.

Heat flows where there is a difference, so the model learns the magnet's change from how much warmer other parts are,
and from speed and current, which make the heat. It learns from other sessions than the one by which it is judged.
"""

import numpy as np
from chart import draw
from matplotlib.axes import Axes

from nequi_lake import Lake

AHEAD_S = 300
QUERY = f"""
    SELECT now.*, later.pm AS later_pm
    FROM electric_motor.measurements AS now
    JOIN electric_motor.measurements AS later
        ON later.profile_id = now.profile_id AND later.elapsed_s = now.elapsed_s + {AHEAD_S}
    WHERE now.sample % 20 = 0
    ORDER BY now.profile_id, now.sample
"""


def plot(lake: Lake, axes: Axes) -> None:
    """Fit all sessions but the last, and draw the last: what was, what the model said, what staying would have said."""
    rows = lake.sql(QUERY).to_pandas()
    test = (rows.profile_id == rows.profile_id.max()).to_numpy()
    parts = rows[["stator_winding", "stator_tooth", "stator_yoke", "coolant", "ambient"]].sub(rows.pm, axis=0)
    drivers = np.column_stack([parts, rows.motor_speed, rows.i_d**2 + rows.i_q**2])
    known = drivers[~test]
    drivers = (drivers - known.mean(axis=0)) / known.std(axis=0)
    change = (rows.later_pm - rows.pm)[~test]
    weights = np.linalg.solve(
        np.cov(drivers[~test].T) + np.eye(len(drivers.T)), drivers[~test].T @ (change - change.mean()) / len(change)
    )
    unseen = rows[test]
    forecast = unseen.pm + change.mean() + drivers[test] @ weights
    model_error, stay_error = (np.abs(unseen.later_pm - guess).mean() for guess in (forecast, unseen.pm))
    minute = (unseen.elapsed_s + AHEAD_S) / 60
    axes.plot(minute, unseen.later_pm, color="black", label="measured")
    axes.plot(minute, forecast, color="#d7301f", label=f"ridge regression, off by {model_error:.1f} °C on average")
    axes.plot(minute, unseen.pm, color="#8a99ad", ls="--", label=f"as five minutes ago, off by {stay_error:.1f} °C")
    axes.set(xlabel=f"minute of session {unseen.profile_id.iloc[0]}, which the model never saw", ylabel="magnet, °C")
    axes.set_title("Temperature of the magnet, forecast five minutes ahead", loc="left")
    axes.legend(frameon=False)


if __name__ == "__main__":
    draw("motor_temperature", plot)
