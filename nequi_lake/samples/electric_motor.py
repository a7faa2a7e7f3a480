"""A stand-in for the electric motor's measurements: same columns, formats, sessions and quartiles, other motor.

Each session is a driving cycle of speed and torque; currents and voltages follow from it by a simple model of the
motor in dq coordinates, temperatures by first-order lags behind the losses. Quartiles are those of the full file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from nequi_lake.samples._draw import Floats, csv_lines, from_quantiles, rows_at, stream

FULL_ROWS = 1_330_816
HEADER = (
    *("u_q", "coolant", "stator_winding", "u_d", "stator_tooth", "motor_speed", "i_d", "i_q"),
    *("pm", "stator_yoke", "ambient", "torque", "profile_id"),
)

PROFILES = (
    *(17, 5, 3, 2, 4, 6, 10, 11, 9, 15, 7, 8, 12, 13, 14, 16, 18, 20, 21, 19, 23, 24, 26, 27, 29, 30, 31, 32, 36),
    *(41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 58, 59, 60, 61, 62, 56, 57, 63, 64, 65, 66, 67),
    *(68, 69, 70, 71, 72, 73, 74, 75, 76, 78, 79, 80, 81),
)
"""Identifiers of the sessions at scale 1, in the order of their blocks; the next round's are 100 higher."""

ROUND_OFFSET = 100
LEAST_SESSIONS = 4

_QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
_LENGTHS = (_QUARTERS, (2_600.0, 13_500.0, 17_500.0, 23_700.0, 43_000.0))

_STEPS = {"length": 0.6180339887498949, "coolant": 0.4142135623730951, "ambient": 0.7320508075688772}
_STEPS |= {"speed": 0.3166247903553998, "torque": 0.6457513110645906}
"""Steps of an irrational part of 1 spread any number of sessions evenly over a distribution."""

_SPEED = ((0.0, 0.03, 0.27, 0.51, 0.76, 0.95, 1.0), (-270.0, 0.0, 310.0, 1_990.0, 3_750.0, 5_400.0, 5_999.0))
_TORQUE = ((0.0, 0.06, 0.2, 0.33, 0.49, 0.66, 0.92, 1.0), (-240.0, -110.0, -0.3, 0.3, 10.0, 90.0, 170.0, 255.0))
_COOLANT = (_QUARTERS, (12.5, 18.7, 26.9, 49.9, 90.0))
_AMBIENT = (_QUARTERS, (20.5, 23.4, 24.8, 26.1, 28.2))

_LIMIT_V = 130.0
_FLUX_V = 0.049
"""Voltage that the magnets induce, V per 1/min."""
_Q_V = 3.3e-4
"""Voltage across the q inductance, V per A and 1/min."""
_D_V = 2.4e-4
"""Voltage across the d inductance, V per A and 1/min."""

_RANGES: Mapping[str, tuple[float, float]] = {
    "u_q": (-25.29, 133.03),
    "coolant": (10.63, 101.59),
    "stator_winding": (18.59, 141.36),
    "u_d": (-131.53, 131.46),
    "stator_tooth": (18.14, 111.94),
    "motor_speed": (-275.54, 6_000.01),
    "i_d": (-278.0, 0.05),
    "i_q": (-293.42, 301.7),
    "pm": (20.86, 113.6),
    "stator_yoke": (18.08, 101.14),
    "ambient": (8.79, 30.71),
    "torque": (-246.46, 261.0),
}
"""What the full file's values lie between."""


def sample(scale: float, seed: int) -> Mapping[str, Iterator[bytes]]:
    """The raw file at ``scale`` times its full size: the same bytes for the same scale and seed.

    Returns:
        File name → chunks of the file, one per session of some megabytes, made as they are asked for.
    """
    return {"measures_v2.csv": _file(scale, seed)}


def _file(scale: float, seed: int) -> Iterator[bytes]:
    yield (",".join(HEADER) + "\n").encode()
    rows = rows_at(scale, FULL_ROWS, least=LEAST_SESSIONS)
    sessions = max(LEAST_SESSIONS, round(scale * len(PROFILES)))
    phases = dict(zip(_STEPS, stream(seed).random(len(_STEPS)).tolist(), strict=True))
    total = sum(_length(phases, number) for number in range(sessions))
    ended, length = 0, 0.0
    for number in range(sessions):
        length += _length(phases, number)
        end = rows if number == sessions - 1 else round(rows * length / total)
        profile = PROFILES[number % len(PROFILES)] + ROUND_OFFSET * (number // len(PROFILES))
        character = {name: _place(phases, name, number) for name in _STEPS}
        yield csv_lines(_session(stream(seed, number), profile, end - ended, character))
        ended = end


def _place(phases: Mapping[str, float], name: str, number: int) -> float:
    """Where the session stands among all sessions in that respect, 0 to 1."""
    return (phases[name] + number * _STEPS[name]) % 1.0


def _length(phases: Mapping[str, float], number: int) -> float:
    """How long the session is beside the others, in rows at scale 1."""
    return float(np.interp(_place(phases, "length", number), *_LENGTHS))


def _session(rng: np.random.Generator, profile: int, rows: int, character: Mapping[str, float]) -> pl.DataFrame:
    # The cooling is set anew twice in a session.
    coolant = from_quantiles((character["coolant"] + np.arange(3) / 3.0) % 1.0, *_COOLANT)
    ambient = from_quantiles(np.array([character["ambient"]]), *_AMBIENT)
    speed, torque = _driving_cycle(rng, rows, character)
    i_q = 1.155 * torque + 0.6 + _noise(rng, rows, 0.03)
    u_d = _held("u_d", -_Q_V * speed * i_q)
    i_d = _held("i_d", np.minimum(-0.42 * np.abs(i_q), _field_weakening(speed, u_d)) + _noise(rng, rows, 0.03))
    u_d += 0.05 * i_d + 1.2 + _noise(rng, rows, 0.03)
    u_q = speed * (_FLUX_V + _D_V * i_d) + 0.02 * i_q - 0.17 + _noise(rng, rows, 0.05)

    water = _wander(rng, rows, coolant, 0.04)
    air = _wander(rng, rows, ambient, 0.025)
    base = np.maximum(0.85 * water + 0.15 * air, 18.8)
    heat = 1.35e-3 * (i_d * i_d + i_q * i_q) + 1.2e-6 * speed * speed
    heat[0] = 0.0
    signals = {
        "u_q": u_q,
        "coolant": water,
        "stator_winding": _warm(rng, base, heat, 1.0, 450.0, 141.0),
        "u_d": u_d,
        "stator_tooth": _warm(rng, base, heat, 0.69, 680.0, 112.0),
        "motor_speed": speed,
        "i_d": i_d,
        "i_q": i_q,
        "pm": _warm(rng, base + 4.0, heat, 0.72, 1_500.0, 113.5),
        "stator_yoke": _warm(rng, base, heat, 0.4, 800.0, 101.0),
        "ambient": air,
        "torque": torque,
    }
    columns = {name: _held(name, values).astype(np.float32).astype(np.float64) for name, values in signals.items()}
    # The publisher's sensors are single precision, written with at most sixteen digits.
    return pl.DataFrame(columns).with_columns(pl.all().round_sig_figs(16), profile_id=pl.lit(profile, pl.Int64))


def _driving_cycle(rng: np.random.Generator, rows: int, character: Mapping[str, float]) -> tuple[Floats, Floats]:
    """Speed in 1/min and torque in N·m: setpoints held for 10 to 150 s, reached without a step."""
    holds = rng.integers(20, 300, size=rows // 20 + 1)
    count = int(np.searchsorted(np.cumsum(holds), rows)) + 1
    holds = holds[:count]
    speed = from_quantiles(_leaning(rng, count, character["speed"]), *_SPEED)
    limit = 118.0 / (_Q_V * 1.155 * np.maximum(np.abs(speed), 400.0))
    torque = np.clip(from_quantiles(_leaning(rng, count, character["torque"]), *_TORQUE), -limit, limit)
    speed = _lag(np.repeat(speed, holds)[:rows], 6.0) + _noise(rng, rows, 0.02)
    torque = _lag(np.repeat(torque, holds)[:rows], 2.0) * (1.0 + _noise(rng, rows, 0.001)) + _noise(rng, rows, 0.01)
    return _held("motor_speed", speed), _held("torque", torque)


def _leaning(rng: np.random.Generator, count: int, lean: float) -> Floats:
    """Uniform draws that a lean below or above 0.5 makes lower or higher; over all leans they are uniform again."""
    moved = rng.random(count) + 0.7 * (lean - 0.5)
    return 1.0 - np.abs(1.0 - np.abs(moved))


def _field_weakening(speed: Floats, u_d: Floats) -> Floats:
    """The d current, in A, that keeps the voltage within the inverter's limit."""
    room = np.sqrt(np.maximum(_LIMIT_V * _LIMIT_V - u_d * u_d, 0.0))
    return np.minimum((room / np.maximum(np.abs(speed), 1.0) - _FLUX_V) / _D_V, 0.0)


def _wander(rng: np.random.Generator, rows: int, levels: Floats, spread: float) -> Floats:
    """Levels that follow each other, drift slowly by a share of themselves, and tremble a little."""
    level = _lag(np.repeat(levels, rows // len(levels) + 1)[:rows], 200.0)
    drift = _lag(np.repeat(rng.standard_normal(rows // 400 + 1), 400)[:rows], 300.0)
    return level * (1.0 + spread * drift) + _lag(_noise(rng, rows, 0.25), 4.0)


def _warm(rng: np.random.Generator, base: Floats, heat: Floats, share: float, lag_rows: float, limit: float) -> Floats:
    """Temperature of a part, °C: it follows its share of the losses, slowly, and levels off below the limit."""
    rise = share * _lag(heat, lag_rows)
    room = np.maximum(limit - base, 1.0)
    return base + rise / np.sqrt(1.0 + (rise / room) ** 2) + _noise(rng, len(base), 0.03)


def _lag(target: Floats, rows: float) -> Floats:
    """First-order lag of that many rows behind the target."""
    return pl.Series(target).ewm_mean(com=rows, adjust=False).to_numpy()


def _noise(rng: np.random.Generator, rows: int, spread: float) -> Floats:
    return rng.standard_normal(rows) * spread


def _held(name: str, values: Floats) -> Floats:
    return np.clip(values, *_RANGES[name])
