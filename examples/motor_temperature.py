"""How warm will the rotor's magnet be in five minutes? A ridge regression, beside the guess that it stays as it is.

Heat flows where there is a difference, so the model learns the magnet's change from how much warmer other parts are,
and from speed and current, which make the heat. It learns from other sessions than the one by which it is judged.
"""

import numpy as np
from chart import draw
from matplotlib.axes import Axes

from nequi_lake import Lake

QUERY = """
    SELECT *
    FROM electric_motor.motor_features
    WHERE target_pm_5min IS NOT NULL
    ORDER BY profile_id, minute
"""
PARTS = ["stator_winding_mean", "stator_tooth_mean", "stator_yoke_mean", "coolant_mean", "ambient_mean"]
CAUSES = ["motor_speed_mean", "current_squared_mean"]


def plot(lake: Lake, axes: Axes) -> None:
    """Fit all sessions but the last, and draw the last: what was, what the model said, what staying would have said."""
    rows = lake.sql(QUERY).to_pandas()
    test = (rows.profile_id == rows.profile_id.max()).to_numpy()
    drivers = np.column_stack([rows[PARTS].sub(rows.pm_mean, axis=0), rows[CAUSES]])
    drivers = (drivers - drivers[~test].mean(axis=0)) / drivers[~test].std(axis=0)
    known, change = drivers[~test], (rows.target_pm_5min - rows.pm_mean)[~test]
    ridge = known.T @ known / len(known) + np.eye(known.shape[1])
    weights = np.linalg.solve(ridge, known.T @ (change - change.mean()) / len(known))
    unseen = rows[test]
    forecast = unseen.pm_mean + change.mean() + drivers[test] @ weights
    model_error, stay_error = (np.abs(unseen.target_pm_5min - guess).mean() for guess in (forecast, unseen.pm_mean))
    minute = unseen.minute + 5
    axes.plot(minute, unseen.target_pm_5min, color="black", label="measured")
    axes.plot(minute, forecast, color="#d7301f", label=f"ridge regression, off by {model_error:.1f} °C on average")
    axes.plot(
        minute, unseen.pm_mean, color="#8a99ad", ls="--", label=f"as five minutes ago, off by {stay_error:.1f} °C"
    )
    axes.set(xlabel=f"minute of session {unseen.profile_id.iloc[0]}, which the model never saw", ylabel="magnet, °C")
    axes.set_title("Temperature of the magnet, forecast five minutes ahead", loc="left")
    axes.legend(frameon=False)


if __name__ == "__main__":
    draw("motor_temperature", plot)
